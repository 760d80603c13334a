//! Replies of the servers, taken apart; what is not as expected is malformed, never a panic.

use anynode_core::{Handle, Timestamp};
use redis::Value;

use super::fault::Fault;

/// The items of a reply, to be taken in order.
pub(super) struct Items(std::vec::IntoIter<Value>);

// === impl Items ===

impl Items {
    pub(super) fn of(reply: Value) -> Result<Self, Fault> {
        match reply {
            Value::Array(items) | Value::Set(items) => Ok(Self(items.into_iter())),
            // RESP3 has maps where RESP2 has lists of keys and values.
            Value::Map(pairs) => {
                let items: Vec<_> = pairs.into_iter().flat_map(|(key, it)| [key, it]).collect();
                Ok(Self(items.into_iter()))
            }
            _ => Err(Fault::Malformed),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn value(&mut self) -> Result<Value, Fault> {
        self.0.next().ok_or(Fault::Malformed)
    }

    pub(super) fn items(&mut self) -> Result<Self, Fault> {
        Self::of(self.value()?)
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Fault> {
        bytes(self.value()?)
    }

    pub(super) fn text(&mut self) -> Result<String, Fault> {
        text(self.value()?)
    }

    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        number(self.value()?)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Fault> {
        self.number().map(Timestamp::from_millis)
    }

    pub(super) fn handle(&mut self) -> Result<Handle, Fault> {
        let bytes = <[u8; 16]>::try_from(self.bytes()?).map_err(|_| Fault::Malformed)?;
        Ok(Handle::from_bytes(bytes))
    }
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, Fault> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text.into_bytes()),
        _ => Err(Fault::Malformed),
    }
}

pub(super) fn text(value: Value) -> Result<String, Fault> {
    match value {
        Value::Okay => Ok("OK".to_owned()),
        other => String::from_utf8(bytes(other)?).map_err(|_| Fault::Malformed),
    }
}

/// A whole number, as an integer or in digits.
pub(super) fn number(value: Value) -> Result<u64, Fault> {
    match value {
        Value::Int(number) => u64::try_from(number).map_err(|_| Fault::Malformed),
        other => text(other)?.parse().map_err(|_| Fault::Malformed),
    }
}
