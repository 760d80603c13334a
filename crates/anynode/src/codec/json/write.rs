//! Values written as JSON, with stand-ins for what it lacks.

use std::borrow::Cow;
use std::fmt;

use anynode_core::Value;
use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::{BYTES_KEY, ESCAPE, FLOAT_KEY};

/// The keys and values of an object.
pub(super) struct Entries<I>(pub(super) I);

/// One value.
struct Written<'a>(&'a Value);

impl<'a, I: Iterator<Item = (&'a String, &'a Value)> + Clone> Serialize for Entries<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.clone();
        serializer.collect_map(entries.map(|(key, value)| (escaped(key), Written(value))))
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::I64(integer) => serializer.serialize_i64(*integer),
            Value::U64(integer) => serializer.serialize_u64(*integer),
            Value::F64(float) if float.is_finite() => serializer.serialize_f64(*float),
            Value::F64(float) => {
                let bits = float.to_bits();
                stand_in(serializer, FLOAT_KEY, &format_args!("{bits:016x}"))
            }
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => {
                let base64 = Base64Display::new(bytes, &URL_SAFE_NO_PAD);
                stand_in(serializer, BYTES_KEY, &base64)
            }
            Value::List(items) => serializer.collect_seq(items.iter().map(Written)),
            Value::Map(entries) => Entries(entries.iter()).serialize(serializer),
        }
    }
}

/// The object of one key that stands for a value that JSON lacks.
fn stand_in<S: Serializer>(
    serializer: S,
    key: &str,
    text: &impl fmt::Display,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, &DisplayText(text))?;
    map.end()
}

struct DisplayText<'a, T>(&'a T);

impl<T: fmt::Display> Serialize for DisplayText<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

fn escaped(key: &str) -> Cow<'_, str> {
    if key.starts_with(ESCAPE) {
        Cow::Owned(format!("{ESCAPE}{key}"))
    } else {
        Cow::Borrowed(key)
    }
}
