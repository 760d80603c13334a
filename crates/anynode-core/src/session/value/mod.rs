//! The values that session data is made of, alike in every store and every codec.

mod de;
mod error;
mod identity;
mod map_key;
mod ser;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use de::from_value;
pub use error::ValueError;
pub use ser::to_value;

/// How many lists and maps may be nested in one another: 32.
///
/// A number or a text has depth 0, a list of numbers depth 1. Deeper values are an error
/// wherever they are converted, encoded or decoded, so that a crafted record ends in an
/// error instead of an exhausted stack.
pub const DEPTH_MAX: u8 = 32;

/// One value of a session: what every codec keeps exactly.
///
/// An integer has one form: it is a [`Value::U64`] unless it is negative. The `From`
/// conversions and [`to_value`] see to that; a hand-made `I64(7)` is another value than
/// `U64(7)` and is read back from a store as the latter.
///
/// Two values are equal if a store would keep the same: floats are compared bit by bit, so
/// that `NaN` equals itself and `0.0` differs from `-0.0`.
///
/// `Debug` shows the kind and the length and never the content.
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing: `None`, `()` or a unit struct.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A negative integer.
    I64(i64),
    /// An integer that is not negative.
    U64(u64),
    /// A floating-point number, which stays one even if it is whole.
    F64(f64),
    /// A text.
    Text(String),
    /// Bytes, such as an encoded Protocol Buffers message.
    Bytes(Vec<u8>),
    /// Values in an order.
    List(Vec<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
}

// === impl Value ===

impl Value {
    /// The name of the value's kind, such as `"text"`; may be shown and logged.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::I64(_) | Self::U64(_) => "integer",
            Self::F64(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Whether at most `depth` lists and maps are nested in one another.
    ///
    /// It looks no deeper than `depth`, so that it is safe to ask of any value.
    #[must_use]
    pub fn fits_depth(&self, depth: u8) -> bool {
        match self {
            Self::List(items) => depth
                .checked_sub(1)
                .is_some_and(|rest| items.iter().all(|item| item.fits_depth(rest))),
            Self::Map(entries) => depth
                .checked_sub(1)
                .is_some_and(|rest| entries.values().all(|value| value.fits_depth(rest))),
            _ => true,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            _ => return f.write_str(self.kind()),
        };
        write!(f, "{}({length})", self.kind())
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

// === conversions into Value ===

macro_rules! from_lossless {
    ($($source:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$source> for Value {
            fn from(source: $source) -> Self {
                Self::$variant(source.into())
            }
        }
    )+};
}

from_lossless! {
    bool => Bool,
    u8 => U64, u16 => U64, u32 => U64, u64 => U64,
    f32 => F64, f64 => F64,
    &str => Text, String => Text,
    &[u8] => Bytes, Vec<u8> => Bytes,
    Vec<Value> => List,
    BTreeMap<String, Value> => Map,
}

macro_rules! from_signed {
    ($($source:ty),+) => {$(
        impl From<$source> for Value {
            fn from(source: $source) -> Self {
                let wide = i64::from(source);
                u64::try_from(wide).map_or(Self::I64(wide), Self::U64)
            }
        }
    )+};
}

from_signed!(i8, i16, i32, i64);

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(source: Option<T>) -> Self {
        source.map_or(Self::Null, Into::into)
    }
}
