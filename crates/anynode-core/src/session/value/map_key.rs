//! The keys of maps: integers, bools and chars travel as text, as in JSON.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{Impossible, Serialize, Serializer};

use super::ValueError;

/// Writes the key of a map as text.
pub(super) struct KeyWriter;

/// Reads the key of a map from its text.
pub(super) struct KeyReader<'de>(pub(super) &'de str);

// === impl KeyWriter ===

macro_rules! key_as_text {
    ($($method:ident: $source:ty),+ $(,)?) => {$(
        fn $method(self, key: $source) -> Result<String, ValueError> {
            Ok(key.to_string())
        }
    )+};
}

macro_rules! key_refused {
    ($($method:ident($($argument:ty),*) -> $ok:ty),+ $(,)?) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, ValueError> {
            Err(ValueError::Key)
        }
    )+};
}

type NotInKey = Impossible<String, ValueError>;

impl Serializer for KeyWriter {
    type Ok = String;
    type Error = ValueError;
    type SerializeSeq = NotInKey;
    type SerializeTuple = NotInKey;
    type SerializeTupleStruct = NotInKey;
    type SerializeTupleVariant = NotInKey;
    type SerializeMap = NotInKey;
    type SerializeStruct = NotInKey;
    type SerializeStructVariant = NotInKey;

    key_as_text! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_i128: i128, serialize_u128: u128,
    }

    key_refused! {
        serialize_f32(f32) -> String,
        serialize_f64(f64) -> String,
        serialize_bytes(&[u8]) -> String,
        serialize_none() -> String,
        serialize_unit() -> String,
        serialize_unit_struct(&'static str) -> String,
        serialize_seq(Option<usize>) -> NotInKey,
        serialize_tuple(usize) -> NotInKey,
        serialize_tuple_struct(&'static str, usize) -> NotInKey,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> NotInKey,
        serialize_map(Option<usize>) -> NotInKey,
        serialize_struct(&'static str, usize) -> NotInKey,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> NotInKey,
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<String, ValueError> {
        key.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<String, ValueError> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        key: &T,
    ) -> Result<String, ValueError> {
        key.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _key: &T,
    ) -> Result<String, ValueError> {
        Err(ValueError::Key)
    }
}

// === impl KeyReader ===

macro_rules! key_from_text {
    ($($method:ident => $visit:ident),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                // The visitor refuses the text in its own words.
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for KeyReader<'de> {
    type Error = ValueError;

    key_from_text! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8, deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32, deserialize_i64 => visit_i64,
        deserialize_u8 => visit_u8, deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32, deserialize_u64 => visit_u64,
        deserialize_i128 => visit_i128, deserialize_u128 => visit_u128,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for KeyReader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
