//! Values read from JSON, exactly as they were written or not at all.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use anynode_core::session::value::DEPTH_MAX;
use anynode_core::{Data, Value};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::{BYTES_KEY, ESCAPE, FLOAT_KEY, NUMBER_KEY};

/// Reads all keys and values.
pub(super) struct DataVisitor<'c> {
    pub(super) value: ValueVisitor<'c>,
}

/// Reads the value of one key and skips the rest.
pub(super) struct KeyVisitor<'a, 'c> {
    pub(super) key: &'a str,
    pub(super) value: ValueVisitor<'c>,
}

/// Reads a value in which `levels` more lists and maps may open.
#[derive(Clone, Copy)]
pub(super) struct ValueVisitor<'c> {
    levels: u8,
    /// Raised before a too deep value is refused, to tell it from a malformed one.
    too_deep: &'c Cell<bool>,
}

/// What a key of an object says about the object.
enum Key {
    /// A key of the data, no longer escaped.
    Data(String),
    Bytes,
    Float,
    Number,
}

/// Reads a key.
struct KeySeed;

/// Reads a key and answers whether it is the wanted one, without a copy of it.
struct IsKey<'a>(&'a str);

/// Reads the text of a stand-in with a function.
struct TextWith<F>(F);

impl<'de> Visitor<'de> for DataVisitor<'_> {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut data = Data::new();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let Key::Data(key) = key else {
                return Err(A::Error::custom("reserved key"));
            };
            if data.insert(key, map.next_value_seed(self.value)?).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(data)
    }
}

impl<'de> Visitor<'de> for KeyVisitor<'_, '_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let mut found = None;
        while let Some(is_key) = map.next_key_seed(IsKey(self.key))? {
            if !is_key {
                map.next_value::<IgnoredAny>()?;
            } else if found.replace(map.next_value_seed(self.value)?).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(found)
    }
}

// === impl ValueVisitor ===

impl<'c> ValueVisitor<'c> {
    pub(super) const fn new(too_deep: &'c Cell<bool>) -> Self {
        Self {
            levels: DEPTH_MAX,
            too_deep,
        }
    }

    fn descend<E: serde::de::Error>(self) -> Result<Self, E> {
        let Some(levels) = self.levels.checked_sub(1) else {
            self.too_deep.set(true);
            return Err(E::custom("too deep"));
        };
        Ok(Self { levels, ..self })
    }

    /// Reads the rest of an object whose first key, if it has one, is of the data.
    fn entries<'de, A: MapAccess<'de>>(
        self,
        first: Option<String>,
        mut map: A,
    ) -> Result<Value, A::Error> {
        let inner = self.descend()?;
        let mut entries = BTreeMap::new();
        let mut next = first;
        while let Some(key) = next {
            if entries.insert(key, map.next_value_seed(inner)?).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
            next = match map.next_key_seed(KeySeed)? {
                Some(Key::Data(key)) => Some(key),
                Some(_) => return Err(A::Error::custom("reserved key")),
                None => None,
            };
        }
        Ok(Value::Map(entries))
    }
}

impl<'de> DeserializeSeed<'de> for ValueVisitor<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! visit_with_from {
    ($($method:ident: $source:ty),+ $(,)?) => {$(
        fn $method<E>(self, source: $source) -> Result<Value, E> {
            Ok(source.into())
        }
    )+};
}

impl<'de> Visitor<'de> for ValueVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit_with_from! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64,
        visit_str: &str, visit_string: String,
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.descend()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let value = match map.next_key_seed(KeySeed)? {
            None => return self.entries(None, map),
            Some(Key::Data(key)) => return self.entries(Some(key), map),
            Some(Key::Bytes) => map.next_value_seed(TextWith(bytes_from_text))?,
            Some(Key::Float) => map.next_value_seed(TextWith(float_from_text))?,
            Some(Key::Number) => map.next_value_seed(TextWith(number_from_text))?,
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(value),
            Some(_) => Err(A::Error::custom("a stand-in has one key")),
        }
    }
}

fn bytes_from_text(text: &str) -> Option<Value> {
    URL_SAFE_NO_PAD.decode(text).ok().map(Value::Bytes)
}

fn float_from_text(text: &str) -> Option<Value> {
    let is_exact = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bits = u64::from_str_radix(text, 16).ok().filter(|_| is_exact)?;
    Some(Value::F64(f64::from_bits(bits)))
}

fn number_from_text(text: &str) -> Option<Value> {
    let unsigned = text.parse::<u64>().map(Value::from);
    let integer = unsigned.or_else(|_| text.parse::<i64>().map(Value::from));
    integer.or_else(|_| text.parse().map(Value::F64)).ok()
}

// === impl KeySeed, IsKey, TextWith ===

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
        match key {
            BYTES_KEY => Ok(Key::Bytes),
            FLOAT_KEY => Ok(Key::Float),
            NUMBER_KEY => Ok(Key::Number),
            _ => match key.strip_prefix(ESCAPE) {
                None => Ok(Key::Data(key.to_owned())),
                Some(unescaped) if unescaped.starts_with(ESCAPE) => {
                    Ok(Key::Data(unescaped.to_owned()))
                }
                Some(_) => Err(E::custom("reserved key")),
            },
        }
    }
}

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(if self.0.starts_with(ESCAPE) {
            key.strip_prefix(ESCAPE) == Some(self.0)
        } else {
            key == self.0
        })
    }
}

impl<'de, F: FnOnce(&str) -> Option<Value>> DeserializeSeed<'de> for TextWith<F> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<F: FnOnce(&str) -> Option<Value>> Visitor<'_> for TextWith<F> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a stand-in")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        (self.0)(text).ok_or_else(|| E::custom("a stand-in's text is malformed"))
    }
}
