//! A value itself goes through serde as what it holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::{DEPTH_MAX, Value, ValueError};

/// A value to write, in which `levels` more lists and maps may open.
struct Within<'a> {
    value: &'a Value,
    levels: u8,
}

/// Reads a value in which `levels` more lists and maps may open.
#[derive(Clone, Copy)]
struct ValueVisitor {
    levels: u8,
}

// === impl Serialize for Value ===

/// One nested deeper than [`DEPTH_MAX`] is an error.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let levels = DEPTH_MAX;
        Within {
            value: self,
            levels,
        }
        .serialize(serializer)
    }
}

impl Serialize for Within<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A serializer that counts levels too fails first, when it opens the list or map,
        // and so may tell the error in its own way.
        let inner_levels = || {
            let levels = self.levels.checked_sub(1);
            levels.ok_or_else(|| S::Error::custom(ValueError::TooDeep))
        };
        match self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::I64(integer) => serializer.serialize_i64(*integer),
            Value::U64(integer) => serializer.serialize_u64(*integer),
            Value::F64(float) => serializer.serialize_f64(*float),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                let levels = inner_levels()?;
                for value in items {
                    list.serialize_element(&Within { value, levels })?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                let levels = inner_levels()?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Within { value, levels })?;
                }
                map.end()
            }
        }
    }
}

// === impl Deserialize for Value ===

/// Keys of maps must be text; one nested deeper than [`DEPTH_MAX`] is an error.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { levels: DEPTH_MAX })
    }
}

impl ValueVisitor {
    fn descend<E: serde::de::Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1);
        let levels = levels.ok_or_else(|| E::custom(ValueError::TooDeep))?;
        Ok(Self { levels })
    }
}

impl<'de> DeserializeSeed<'de> for ValueVisitor {
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

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit_with_from! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64,
        visit_str: &str, visit_string: String, visit_bytes: &[u8], visit_byte_buf: Vec<u8>,
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<Value, D::Error> {
        // An option counts as a level here, since a format may nest them without end.
        some.deserialize_any(self.descend()?)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, content: D) -> Result<Value, D::Error> {
        content.deserialize_any(self.descend()?)
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
        let inner = self.descend()?;
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key()? {
            entries.insert(key, map.next_value_seed(inner)?);
        }
        Ok(Value::Map(entries))
    }
}
