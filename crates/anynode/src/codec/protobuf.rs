//! Session data as Protocol Buffers, by the schema in `session_data.proto`.

use std::collections::BTreeMap;

use anynode_core::session::value::DEPTH_MAX;
use anynode_core::{Data, Value};
use prost::{Message, Oneof};

use super::CodecError;

const MALFORMED: CodecError = CodecError::Malformed("protobuf");

/// Appends the encoded `data` to `payload`.
pub(super) fn encode(data: &Data, mut payload: Vec<u8>) -> Vec<u8> {
    let entries = data.iter().map(|(key, value)| (key.clone(), value.into()));
    let message = MapMessage {
        entries: entries.collect(),
    };
    message
        .encode(&mut payload)
        .expect("a vector grows to any length");
    payload
}

pub(super) fn decode(body: &[u8]) -> Result<Data, CodecError> {
    let mut data = Data::new();
    for entry in Fields(body) {
        let entry = Entry::parse(entry?)?;
        let key = std::str::from_utf8(entry.key).map_err(|_| MALFORMED)?;
        if data.insert(key, entry.value()?).is_some() {
            return Err(MALFORMED);
        }
    }
    Ok(data)
}

pub(super) fn decode_key(body: &[u8], key: &str) -> Result<Option<Value>, CodecError> {
    let mut found = None;
    for entry in Fields(body) {
        let entry = Entry::parse(entry?)?;
        if entry.key == key.as_bytes() && found.replace(entry).is_some() {
            return Err(MALFORMED);
        }
    }
    found.map(|entry| entry.value()).transpose()
}

// === messages, by the numbers of the schema ===

#[derive(Clone, PartialEq, Message)]
struct ValueMessage {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(bool, tag = "1")]
    Null(bool),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sint64, tag = "3")]
    Negative(i64),
    #[prost(uint64, tag = "4")]
    Integer(u64),
    #[prost(double, tag = "5")]
    Float(f64),
    #[prost(string, tag = "6")]
    Text(String),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
    #[prost(message, tag = "8")]
    List(ListMessage),
    #[prost(message, tag = "9")]
    Map(MapMessage),
}

#[derive(Clone, PartialEq, Message)]
struct ListMessage {
    #[prost(message, repeated, tag = "1")]
    items: Vec<ValueMessage>,
}

/// `Map` of the schema, and `Data`, which has the same form.
#[derive(Clone, PartialEq, Message)]
struct MapMessage {
    #[prost(btree_map = "string, message", tag = "1")]
    entries: BTreeMap<String, ValueMessage>,
}

// === values and messages ===

impl From<&Value> for ValueMessage {
    fn from(value: &Value) -> Self {
        let kind = match value {
            Value::Null => Kind::Null(true),
            Value::Bool(truth) => Kind::Bool(*truth),
            Value::I64(integer) => Kind::Negative(*integer),
            Value::U64(integer) => Kind::Integer(*integer),
            Value::F64(float) => Kind::Float(*float),
            Value::Text(text) => Kind::Text(text.clone()),
            Value::Bytes(bytes) => Kind::Bytes(bytes.clone()),
            Value::List(items) => Kind::List(ListMessage {
                items: items.iter().map(Into::into).collect(),
            }),
            Value::Map(entries) => Kind::Map(MapMessage {
                entries: entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.into()))
                    .collect(),
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl ValueMessage {
    /// The value, in which `levels` more lists and maps may open.
    fn into_value(self, levels: u8) -> Result<Value, CodecError> {
        let inner_levels = || levels.checked_sub(1).ok_or(CodecError::TooDeep);
        Ok(match self.kind.ok_or(MALFORMED)? {
            Kind::Null(true) => Value::Null,
            Kind::Null(false) => return Err(MALFORMED),
            Kind::Bool(truth) => Value::Bool(truth),
            Kind::Negative(integer) => integer.into(),
            Kind::Integer(integer) => Value::U64(integer),
            Kind::Float(float) => Value::F64(float),
            Kind::Text(text) => Value::Text(text),
            Kind::Bytes(bytes) => Value::Bytes(bytes),
            Kind::List(list) => {
                let levels = inner_levels()?;
                let read = |item: Self| item.into_value(levels);
                Value::List(list.items.into_iter().map(read).collect::<Result<_, _>>()?)
            }
            Kind::Map(map) => {
                let levels = inner_levels()?;
                let read = |(key, value): (_, Self)| Ok((key, value.into_value(levels)?));
                let entries: Result<_, CodecError> = map.entries.into_iter().map(read).collect();
                Value::Map(entries?)
            }
        })
    }
}

// === the outermost message, read field by field ===

/// The fields of a message whose fields are all strings, bytes or messages.
///
/// Data is read with it so that one key is found without decoding the others, and so that
/// whatever follows the data is refused, where a decoder of the whole message would skip
/// it as an unknown field.
struct Fields<'a>(&'a [u8]);

struct Field<'a> {
    number: u64,
    content: &'a [u8],
}

/// A key of the data with its value, which is not decoded yet.
struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take_field(&mut self) -> Option<Field<'a>> {
        /// The wire type of fields that begin with their length.
        const LENGTH_DELIMITED: u64 = 2;

        let tag = self.take_varint()?;
        let (number, wire_type) = (tag >> 3, tag & 7);
        let length = usize::try_from(self.take_varint()?).ok()?;
        if wire_type != LENGTH_DELIMITED {
            return None;
        }
        let (content, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Field { number, content })
    }

    /// Little-endian groups of seven bits, at most ten; all but the last have the top bit.
    fn take_varint(&mut self) -> Option<u64> {
        let mut varint = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits > u64::MAX >> shift {
                return None;
            }
            varint |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(varint);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.take_field().ok_or(MALFORMED);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Entry<'a> {
    /// An entry of a map in the schema: the key is field 1, the value field 2.
    fn parse(field: Field<'a>) -> Result<Self, CodecError> {
        if field.number != 1 {
            return Err(MALFORMED);
        }
        // An absent field has its default: an empty key, or a value that is refused.
        let (mut key, mut value) = (&[][..], &[][..]);
        for field in Fields(field.content) {
            match field? {
                Field { number: 1, content } => key = content,
                Field { number: 2, content } => value = content,
                _ => return Err(MALFORMED),
            }
        }
        Ok(Self { key, value })
    }

    fn value(&self) -> Result<Value, CodecError> {
        let message = ValueMessage::decode(self.value).map_err(|_| MALFORMED)?;
        message.into_value(DEPTH_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One value of each kind by the name that the schema gives it.
    fn kinds() -> [(&'static str, Value); 9] {
        let map = Value::Map([("k".to_owned(), Value::Null)].into());
        [
            ("null", Value::Null),
            ("bool", true.into()),
            ("negative", (-2).into()),
            ("integer", 3_u8.into()),
            ("float", 0.5.into()),
            ("text", "t".into()),
            ("bytes", vec![255_u8].into()),
            ("list", vec![Value::Null].into()),
            ("map", map),
        ]
    }

    #[test]
    fn the_schema_gives_every_kind_the_number_that_is_written() {
        let schema = include_str!("session_data.proto");
        for (name, value) in kinds() {
            let written = ValueMessage::from(&value).encode_to_vec();
            let declared = format!(" {name} = {};", written[0] >> 3);
            assert!(schema.contains(&declared), "{declared}");
        }
    }

    /// What version 1 of the format wrote, which must be read for ever.
    #[test]
    fn a_payload_of_format_version_1_is_read_and_written() {
        let golden = [
            &b"\n\x0a\n\x04bool\x12\x02\x10\x01"[..],
            b"\n\x0c\n\x05bytes\x12\x03:\x01\xff",
            b"\n\x12\n\x05float\x12\x09)\0\0\0\0\0\0\xe0?",
            b"\n\x0d\n\x07integer\x12\x02 \x03",
            b"\n\x0e\n\x04list\x12\x06B\x04\n\x02\x08\x01",
            b"\n\x12\n\x03map\x12\x0bJ\x09\n\x07\n\x01k\x12\x02\x08\x01",
            b"\n\x0e\n\x08negative\x12\x02\x18\x03",
            b"\n\x0a\n\x04null\x12\x02\x08\x01",
            b"\n\x0b\n\x04text\x12\x032\x01t",
        ]
        .concat();
        let data: Data = kinds().into_iter().collect();
        assert_eq!(encode(&data, Vec::new()), golden);
        assert!(decode(&golden).unwrap() == data);
    }

    #[test]
    fn what_the_schema_does_not_allow_is_an_error() {
        let malformed: &[&[u8]] = &[
            b"\x0a",
            b"\x0a\x05\x0a\x01a",
            b"\x0a\x03\x0a\x01a",
            b"\x0a\x05\x0a\x01a\x12\x00",
            b"\x0a\x07\x0a\x01a\x12\x02\x08\x00",
            b"\x0a\x07\x0a\x01\xff\x12\x02\x08\x01",
            b"\x0a\x07\x0a\x01a\x1a\x02\x08\x01",
            b"\x12\x07\x0a\x01a\x12\x02\x08\x01",
            b"\x08\x01",
            b"\x09\x07\x0a\x01a\x12\x02\x08\x01",
            b"\x0a\x87\x80\x80\x80\x80\x80\x80\x80\x80\x02\x0a\x01a\x12\x02\x08\x01",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x0a\x07\x0a\x01a\x12\x02\x08\x01\x00",
            b"\x0a\x07\x0a\x01a\x12\x02\x08\x01\x0a\x07\x0a\x01a\x12\x02\x08\x01",
        ];
        for body in malformed {
            let shown = body.escape_ascii();
            assert_eq!(decode(body), Err(MALFORMED), "{shown}");
        }
        assert_eq!(decode_key(malformed[14], "a"), Err(MALFORMED));
        assert_eq!(decode_key(malformed[13], "a"), Err(MALFORMED));
    }

    #[test]
    fn a_payload_nested_deeper_than_the_limit_is_an_error() {
        let list = |inner| ValueMessage {
            kind: Some(Kind::List(ListMessage { items: vec![inner] })),
        };
        let nested =
            |depth| (0..depth).fold(ValueMessage::from(&Value::Null), |inner, _| list(inner));
        let body = |depth| {
            let entries = [("a".to_owned(), nested(depth))].into();
            MapMessage { entries }.encode_to_vec()
        };
        assert!(decode(&body(u32::from(DEPTH_MAX))).is_ok());
        assert_eq!(
            decode(&body(u32::from(DEPTH_MAX) + 1)),
            Err(CodecError::TooDeep)
        );
        assert_eq!(decode_key(&body(1_000), "a"), Err(MALFORMED));
    }
}
