//! How session data becomes the bytes that a store keeps.
//!
//! A payload is one tag byte, which names the format and its version, and a body. Reading
//! goes by the tag, whatever codec is configured, so that a fleet can change its codec in a
//! rolling deploy. A change of a format gets a new tag; old tags are read for ever.

mod json;
#[cfg(feature = "protobuf")]
mod protobuf;
mod sealer;
#[cfg(test)]
mod tests;

use std::fmt;

use anynode_core::session::value::DEPTH_MAX;
use anynode_core::{Data, Value};

#[cfg(feature = "encryption")]
pub use sealer::PlainPayloads;
pub use sealer::{Place, Sealer};

#[cfg(feature = "encryption")]
use crate::crypt::CryptError;

/// JSON, version 1. The tags are letters so that a payload can be told in a store's shell.
const JSON_TAG: u8 = b'j';
/// Protocol Buffers, version 1.
const PROTOBUF_TAG: u8 = b'p';
/// A payload of any codec, sealed by a key ring, version 1.
pub(crate) const SEALED_TAG: u8 = b's';

/// The format in which session data is written; every format is read.
///
/// Both keep every [`Value`] exactly: 64-bit integers, all floats and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// JSON, the default, because an operator can read it: `{"cart":["a"],"n":3}`.
    ///
    /// Bytes are `{"$bytes":"<base64url>"}`, floats that JSON lacks are
    /// `{"$f64":"<16 hex digits of the bits>"}`, and keys that begin with `$` get another one.
    #[default]
    Json,
    /// Protocol Buffers, by the schema in `codec/session_data.proto`.
    #[cfg(feature = "protobuf")]
    Protobuf,
}

/// Why data could not be encoded, or a payload not be decoded. It never holds content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecError {
    /// The tag names no format of this version of the program.
    UnknownTag(u8),
    /// The tag names a format whose cargo feature, named here, is not built in.
    FeatureOff(&'static str),
    /// The payload is not what its format, named here, allows; or it is empty.
    Malformed(&'static str),
    /// More than [`DEPTH_MAX`] lists and maps are nested in one another.
    TooDeep,
    /// The payload is sealed, and there is no key ring.
    Sealed,
    /// The payload is plain, and only sealed ones are accepted.
    #[cfg(feature = "encryption")]
    Plain,
    /// The payload could not be sealed or opened.
    #[cfg(feature = "encryption")]
    Crypt(CryptError),
}

/// Decodes a payload of any codec that is built in.
///
/// # Errors
///
/// [`CodecError`] if the payload is not whole, exact and of a known format.
pub fn decode(payload: &[u8]) -> Result<Data, CodecError> {
    match split_tag(payload)? {
        (JSON_TAG, body) => json::decode(body),
        #[cfg(feature = "protobuf")]
        (PROTOBUF_TAG, body) => protobuf::decode(body),
        (tag, _) => Err(unreadable(tag)),
    }
}

/// Decodes the value of one key; `None` if the payload has no such key.
///
/// For a payload that [`decode`] accepts the answer is the same, but the other values are
/// skipped and neither built nor fully checked.
///
/// # Errors
///
/// [`CodecError`] if the payload is of no known format or visibly malformed.
pub fn decode_key(payload: &[u8], key: &str) -> Result<Option<Value>, CodecError> {
    match split_tag(payload)? {
        (JSON_TAG, body) => json::decode_key(body, key),
        #[cfg(feature = "protobuf")]
        (PROTOBUF_TAG, body) => protobuf::decode_key(body, key),
        (tag, _) => Err(unreadable(tag)),
    }
}

// === impl Codec ===

impl Codec {
    /// Encodes all of `data` to a payload: the codec's tag and the body.
    ///
    /// # Errors
    ///
    /// [`CodecError::TooDeep`] if a value is nested deeper than [`DEPTH_MAX`].
    ///
    /// ```
    /// use anynode::codec::{self, Codec};
    /// use anynode_core::Data;
    ///
    /// let data: Data = [("n", 3_u8)].into_iter().collect();
    /// let payload = Codec::Json.encode(&data)?;
    /// assert_eq!(payload, br#"j{"n":3}"#);
    /// assert_eq!(codec::decode(&payload)?, data);
    /// # Ok::<_, codec::CodecError>(())
    /// ```
    pub fn encode(self, data: &Data) -> Result<Vec<u8>, CodecError> {
        if !data.iter().all(|(_, value)| value.fits_depth(DEPTH_MAX)) {
            return Err(CodecError::TooDeep);
        }
        Ok(match self {
            Self::Json => json::encode(data, vec![JSON_TAG]),
            #[cfg(feature = "protobuf")]
            Self::Protobuf => protobuf::encode(data, vec![PROTOBUF_TAG]),
        })
    }
}

// === impl CodecError ===

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTag(tag) => write!(f, "payload has the unknown tag {tag:#04x}"),
            Self::FeatureOff(feature) => {
                write!(f, "payload needs the cargo feature `{feature}`")
            }
            Self::Malformed(format) => write!(f, "payload is malformed: {format}"),
            Self::TooDeep => write!(
                f,
                "more than {DEPTH_MAX} lists and maps are nested in one another"
            ),
            Self::Sealed => f.write_str("payload is sealed and no key ring is configured"),
            #[cfg(feature = "encryption")]
            Self::Plain => f.write_str("payload is plain and only sealed ones are accepted"),
            #[cfg(feature = "encryption")]
            Self::Crypt(_) => f.write_str("payload cannot be sealed or opened"),
        }
    }
}

impl std::error::Error for CodecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "encryption")]
            Self::Crypt(source) => Some(source),
            _ => None,
        }
    }
}

#[cfg(feature = "encryption")]
impl From<CryptError> for CodecError {
    fn from(source: CryptError) -> Self {
        Self::Crypt(source)
    }
}

// === tags ===

fn split_tag(payload: &[u8]) -> Result<(u8, &[u8]), CodecError> {
    let (tag, body) = payload
        .split_first()
        .ok_or(CodecError::Malformed("empty"))?;
    Ok((*tag, body))
}

/// Why a plain payload of this tag cannot be read here.
const fn unreadable(tag: u8) -> CodecError {
    match tag {
        PROTOBUF_TAG => CodecError::FeatureOff("protobuf"),
        SEALED_TAG if cfg!(feature = "encryption") => CodecError::Sealed,
        SEALED_TAG => CodecError::FeatureOff("encryption"),
        _ => CodecError::UnknownTag(tag),
    }
}
