//! From a value to a type, borrowing text and bytes where the type allows.

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::map_key::KeyReader;
use super::{DEPTH_MAX, Value, ValueError};

/// Reads any deserializable type from a [`Value`]; the reverse of [`to_value`](super::to_value).
///
/// Text and bytes are borrowed by types that can; numbers and bools allocate nothing. An
/// integer may be read as a float, but a float never as an integer. [`Value::Bytes`] may be
/// read as a sequence of `u8`.
///
/// # Errors
///
/// [`ValueError`] if the value has another shape than the type, is nested deeper than
/// [`DEPTH_MAX`], or the type itself refuses it.
///
/// ```
/// use anynode_core::session::value::{Value, from_value};
///
/// let value = Value::from("red");
/// let colour: &str = from_value(&value)?;
/// assert_eq!(colour, "red");
/// assert!(from_value::<u32>(&value).is_err());
/// # Ok::<_, anynode_core::session::value::ValueError>(())
/// ```
pub fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, ValueError> {
    T::deserialize(Reader {
        value,
        levels: DEPTH_MAX,
    })
}

/// Reads one value; `levels` more lists and maps may open.
#[derive(Clone, Copy)]
struct Reader<'de> {
    value: &'de Value,
    levels: u8,
}

/// An enum: the variant's name, and its content unless it is a unit variant.
struct EnumReader<'de> {
    variant: &'de str,
    content: Option<Reader<'de>>,
}

// === impl Reader ===

impl<'de> Reader<'de> {
    fn descend(self) -> Result<impl Fn(&'de Value) -> Self, ValueError> {
        let levels = self.levels.checked_sub(1).ok_or(ValueError::TooDeep)?;
        Ok(move |value| Self { value, levels })
    }
}

/// Hands all `items` to the visitor and refuses if it leaves some.
fn visit_items<'de, V, I>(visitor: V, items: I) -> Result<V::Value, ValueError>
where
    V: Visitor<'de>,
    I: Iterator<Item: IntoDeserializer<'de, ValueError>>,
{
    let mut seq = SeqDeserializer::new(items);
    let out = visitor.visit_seq(&mut seq)?;
    seq.end()?;
    Ok(out)
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::I64(integer) => visitor.visit_i64(*integer),
            Value::U64(integer) => visitor.visit_u64(*integer),
            Value::F64(float) => visitor.visit_f64(*float),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::List(items) => visit_items(visitor, items.iter().map(self.descend()?)),
            Value::Map(entries) => {
                let inner = self.descend()?;
                let entries = entries.iter();
                let mut map = MapDeserializer::new(
                    entries.map(|(key, value)| (KeyReader(key), inner(value))),
                );
                let out = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(out)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Bytes(bytes) => visit_items(visitor, bytes.iter().copied()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let (variant, content) = match self.value {
            Value::Text(variant) => (variant, None),
            Value::Map(entries) => {
                let mut entries = entries.iter();
                let (Some((variant, content)), None) = (entries.next(), entries.next()) else {
                    return Err(ValueError::invalid_type(
                        Unexpected::Map,
                        &"a map of one key, the variant",
                    ));
                };
                (variant, Some(self.descend()?(content)))
            }
            _ => return self.deserialize_any(visitor),
        };
        visitor.visit_enum(EnumReader { variant, content })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple_struct map struct identifier
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

// === impl EnumReader ===

impl<'de> EnumReader<'de> {
    fn content(self, expected: &'static str) -> Result<Reader<'de>, ValueError> {
        self.content
            .ok_or_else(|| ValueError::invalid_type(Unexpected::UnitVariant, &expected))
    }
}

impl<'de> EnumAccess<'de> for EnumReader<'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), ValueError> {
        let name = BorrowedStrDeserializer::<ValueError>::new(self.variant);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for EnumReader<'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        self.content.map_or(Ok(()), Deserialize::deserialize)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        seed.deserialize(self.content("newtype variant")?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.content("tuple variant")?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.content("struct variant")?.deserialize_any(visitor)
    }
}
