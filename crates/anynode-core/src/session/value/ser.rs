//! From a type to a value: serde's data model in the same shape as JSON.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::ser::{self, Error as _, Serialize, SerializeMap as _, Serializer};

use super::map_key::KeyWriter;
use super::{DEPTH_MAX, Value, ValueError};

/// A size hint is only a hint: no more than this many items are allocated ahead.
const ITEMS_AHEAD_MAX: usize = 1024;

/// Converts any serializable type to a [`Value`].
///
/// The shape is that of JSON: structs are maps, `None` and units are null, enums carry the
/// name of their variant (a unit variant is a text, any other a map of one key), integer,
/// bool and char keys of maps become text. Bytes are kept as bytes if the type serializes
/// them as such (`serde_bytes`), else as a list of numbers.
///
/// # Errors
///
/// [`ValueError`] if the type is nested deeper than [`DEPTH_MAX`], holds an integer beyond
/// 64 bits or a map with keys of another kind, or refuses by itself.
///
/// ```
/// use anynode_core::session::value::{Value, to_value};
///
/// let value = to_value(&Some(-3_i8))?;
/// assert_eq!(value, Value::I64(-3));
/// # Ok::<_, anynode_core::session::value::ValueError>(())
/// ```
pub fn to_value<T: Serialize + ?Sized>(typed: &T) -> Result<Value, ValueError> {
    typed.serialize(Writer { levels: DEPTH_MAX })
}

/// Writes one value; `levels` more lists and maps may open.
#[derive(Clone, Copy)]
struct Writer {
    levels: u8,
}

/// A list that is being written; `variant` is the enum variant to wrap it in.
struct ListWriter {
    variant: Option<&'static str>,
    items: Vec<Value>,
    inner: Writer,
}

/// A map that is being written; `variant` is the enum variant to wrap it in.
struct MapWriter {
    variant: Option<&'static str>,
    entries: BTreeMap<String, Value>,
    key: Option<String>,
    inner: Writer,
}

// === impl Writer ===

impl Writer {
    fn descend(self) -> Result<Self, ValueError> {
        let levels = self.levels.checked_sub(1).ok_or(ValueError::TooDeep)?;
        Ok(Self { levels })
    }

    fn list(self, len: usize, variant: Option<&'static str>) -> Result<ListWriter, ValueError> {
        Ok(ListWriter {
            variant,
            items: Vec::with_capacity(len.min(ITEMS_AHEAD_MAX)),
            inner: self.descend()?,
        })
    }

    fn map(self, variant: Option<&'static str>) -> Result<MapWriter, ValueError> {
        Ok(MapWriter {
            variant,
            entries: BTreeMap::new(),
            key: None,
            inner: self.descend()?,
        })
    }
}

/// The map of one key that stands for an enum variant with content.
fn variant_map(variant: &str, content: Value) -> Value {
    Value::Map(BTreeMap::from([(variant.to_owned(), content)]))
}

macro_rules! serialize_with_from {
    ($($method:ident: $source:ty),+ $(,)?) => {$(
        fn $method(self, source: $source) -> Result<Value, ValueError> {
            Ok(source.into())
        }
    )+};
}

impl Serializer for Writer {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = ListWriter;
    type SerializeTuple = ListWriter;
    type SerializeTupleStruct = ListWriter;
    type SerializeTupleVariant = ListWriter;
    type SerializeMap = MapWriter;
    type SerializeStruct = MapWriter;
    type SerializeStructVariant = MapWriter;

    serialize_with_from! {
        serialize_bool: bool,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f32: f32, serialize_f64: f64,
        serialize_str: &str, serialize_bytes: &[u8],
    }

    fn serialize_i128(self, integer: i128) -> Result<Value, ValueError> {
        u64::try_from(integer)
            .map(Value::U64)
            .or_else(|_| i64::try_from(integer).map(Value::I64))
            .map_err(|_| ValueError::IntegerRange)
    }

    fn serialize_u128(self, integer: u128) -> Result<Value, ValueError> {
        u64::try_from(integer)
            .map(Value::U64)
            .map_err(|_| ValueError::IntegerRange)
    }

    fn serialize_char(self, char: char) -> Result<Value, ValueError> {
        Ok(Value::Text(char.to_string()))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, some: &T) -> Result<Value, ValueError> {
        some.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, ValueError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        content: &T,
    ) -> Result<Value, ValueError> {
        content.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        content: &T,
    ) -> Result<Value, ValueError> {
        let content = content.serialize(self.descend()?)?;
        Ok(variant_map(variant, content))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<ListWriter, ValueError> {
        self.list(len.unwrap_or(0), None)
    }

    fn serialize_tuple(self, len: usize) -> Result<ListWriter, ValueError> {
        self.list(len, None)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<ListWriter, ValueError> {
        self.list(len, None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<ListWriter, ValueError> {
        self.descend()?.list(len, Some(variant))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<MapWriter, ValueError> {
        self.map(None)
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<MapWriter, ValueError> {
        self.map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<MapWriter, ValueError> {
        self.descend()?.map(Some(variant))
    }

    fn collect_str<T: Display + ?Sized>(self, text: &T) -> Result<Value, ValueError> {
        Ok(Value::Text(text.to_string()))
    }
}

// === impl ListWriter ===

impl ser::SerializeSeq for ListWriter {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ValueError> {
        self.items.push(item.serialize(self.inner)?);
        Ok(())
    }

    fn end(self) -> Result<Value, ValueError> {
        let list = Value::List(self.items);
        Ok(match self.variant {
            Some(variant) => variant_map(variant, list),
            None => list,
        })
    }
}

/// Tuples of all sorts are lists.
macro_rules! serialize_as_seq {
    ($($of:ident :: $method:ident),+ $(,)?) => {$(
        impl ser::$of for ListWriter {
            type Ok = Value;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ValueError> {
                ser::SerializeSeq::serialize_element(self, item)
            }

            fn end(self) -> Result<Value, ValueError> {
                ser::SerializeSeq::end(self)
            }
        }
    )+};
}

serialize_as_seq! {
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

// === impl MapWriter ===

impl ser::SerializeMap for MapWriter {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = Some(key.serialize(KeyWriter)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let Some(key) = self.key.take() else {
            return Err(ValueError::custom("a value came before its key"));
        };
        self.entries.insert(key, value.serialize(self.inner)?);
        Ok(())
    }

    fn end(self) -> Result<Value, ValueError> {
        let map = Value::Map(self.entries);
        Ok(match self.variant {
            Some(variant) => variant_map(variant, map),
            None => map,
        })
    }
}

/// Structs of all sorts are maps.
macro_rules! serialize_as_map {
    ($($of:ident),+ $(,)?) => {$(
        impl ser::$of for MapWriter {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                field: &T,
            ) -> Result<(), ValueError> {
                self.key = Some(name.to_owned());
                self.serialize_value(field)
            }

            fn end(self) -> Result<Value, ValueError> {
                ser::SerializeMap::end(self)
            }
        }
    )+};
}

serialize_as_map!(SerializeStruct, SerializeStructVariant);
