//! Why a type and a value could not be converted into each other, without the content.

use std::fmt::{self, Display};

use serde::de::{Expected, Unexpected};

/// Why a typed value could not become a [`Value`](super::Value) or be read from one.
///
/// It names kinds, types and fields of the program, never the content of the session. For
/// the same reason the message of a type's own `Serialize` or `Deserialize` is dropped: such
/// messages like to quote what they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// More than [`DEPTH_MAX`](super::DEPTH_MAX) lists and maps are nested in one another.
    TooDeep,
    /// An integer lies outside `i64::MIN..=u64::MAX`.
    IntegerRange,
    /// The key of a map is neither text, integer, bool nor char.
    Key,
    /// The value is of another kind or range than the type reads.
    Mismatch {
        /// What the type reads, in its own words.
        expected: String,
        /// The kind that was found.
        found: &'static str,
    },
    /// A list, tuple or map has another length than the type reads.
    Length {
        /// What the type reads, in its own words.
        expected: String,
        /// The length that was found.
        found: usize,
    },
    /// A field without a default is absent.
    MissingField(&'static str),
    /// A field is there twice.
    DuplicateField(&'static str),
    /// A field that the type does not know and denies.
    UnknownField,
    /// A variant that the enum does not know.
    UnknownVariant,
    /// The type's own `Serialize` or `Deserialize` refused.
    Refused,
    /// One request records more than [`Delta::UPDATES_MAX`](crate::Delta::UPDATES_MAX)
    /// updates of one key.
    TooManyUpdates,
}

// === impl ValueError ===

impl Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(
                f,
                "more than {} lists and maps are nested in one another",
                super::DEPTH_MAX
            ),
            Self::IntegerRange => f.write_str("an integer does not fit 64 bits"),
            Self::Key => f.write_str("a map key is neither text, integer, bool nor char"),
            Self::Mismatch { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Length { expected, found } => {
                write!(f, "expected {expected}, found length {found}")
            }
            Self::MissingField(field) => write!(f, "field `{field}` is missing"),
            Self::DuplicateField(field) => write!(f, "field `{field}` is there twice"),
            Self::UnknownField => f.write_str("a field is unknown"),
            Self::UnknownVariant => f.write_str("a variant is unknown"),
            Self::Refused => f.write_str("the type refused the value"),
            Self::TooManyUpdates => f.write_str("too many updates of one key in one request"),
        }
    }
}

impl std::error::Error for ValueError {}

impl serde::ser::Error for ValueError {
    fn custom<T: Display>(_message: T) -> Self {
        Self::Refused
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: Display>(_message: T) -> Self {
        Self::Refused
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Mismatch {
            expected: expected.to_string(),
            found: kind_of(unexpected),
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::Length {
            expected: expected.to_string(),
            found,
        }
    }

    fn unknown_variant(_variant: &str, _expected: &'static [&'static str]) -> Self {
        Self::UnknownVariant
    }

    fn unknown_field(_field: &str, _expected: &'static [&'static str]) -> Self {
        Self::UnknownField
    }

    fn missing_field(field: &'static str) -> Self {
        Self::MissingField(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::DuplicateField(field)
    }
}

/// The kind alone: serde's own wording of `Unexpected` quotes the content.
const fn kind_of(unexpected: Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "bool",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "float",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "list",
        Unexpected::Map => "map",
        Unexpected::NewtypeStruct => "newtype",
        Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant => "enum variant",
        Unexpected::Other(_) => "another kind",
    }
}
