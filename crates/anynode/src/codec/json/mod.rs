//! Session data as JSON: plain for a person, exact for every value.

mod find;
mod read;
mod write;

use std::cell::Cell;

use anynode_core::{Data, Value};
use serde::de::{Deserializer, Visitor};

use self::read::{DataVisitor, KeyVisitor, ValueVisitor};
use self::write::Entries;
use super::CodecError;

/// Begins the keys that stand for what JSON lacks; a key of the data that begins so too is
/// written with one more.
const ESCAPE: char = '$';
/// The only key of a map that stands for bytes, in base64url without padding.
const BYTES_KEY: &str = "$bytes";
/// The only key of a map that stands for a float that is not finite: 16 hex digits, its bits.
const FLOAT_KEY: &str = "$f64";
/// The only key of a map as which `serde_json` shows a number when another crate of the
/// build turns its feature `arbitrary_precision` on.
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// Appends the JSON of `data` to `payload`.
pub(super) fn encode(data: &Data, mut payload: Vec<u8>) -> Vec<u8> {
    serde_json::to_writer(&mut payload, &Entries(data.iter()))
        .expect("a vector takes all bytes and every key is a text");
    payload
}

pub(super) fn decode(body: &[u8]) -> Result<Data, CodecError> {
    let too_deep = Cell::new(false);
    let data = DataVisitor {
        value: ValueVisitor::new(&too_deep),
    };
    read_object(body, data).map_err(|_| error_kind(&too_deep))
}

pub(super) fn decode_key(body: &[u8], key: &str) -> Result<Option<Value>, CodecError> {
    match find::find(body, key) {
        Some(found) => Ok(found),
        None => decode_key_by_parsing(body, key),
    }
}

fn decode_key_by_parsing(body: &[u8], key: &str) -> Result<Option<Value>, CodecError> {
    let too_deep = Cell::new(false);
    let one_key = KeyVisitor {
        key,
        value: ValueVisitor::new(&too_deep),
    };
    read_object(body, one_key).map_err(|_| error_kind(&too_deep))
}

/// Reads the outermost object, after which nothing may follow.
fn read_object<'a, V: Visitor<'a>>(body: &'a [u8], visitor: V) -> serde_json::Result<V::Value> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let out = json.deserialize_map(visitor)?;
    json.end()?;
    Ok(out)
}

/// The error of `serde_json` itself is dropped, because it quotes what it found.
fn error_kind(too_deep: &Cell<bool>) -> CodecError {
    if too_deep.get() {
        CodecError::TooDeep
    } else {
        CodecError::Malformed("json")
    }
}
