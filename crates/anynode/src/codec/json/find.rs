//! The value of one key, found without parsing the others.

use std::{cell::Cell, str};

use anynode_core::Value;
use memchr::memchr;
use serde::de::{DeserializeSeed, IgnoredAny};

use super::{ESCAPE, read::ValueVisitor};

/// The value of a key in an object that is written as this codec writes most of them: nothing
/// between the tokens, no escapes, keys in ASCII.
///
/// `None` says nothing of the object but that it has to be parsed to know. What is found here
/// is what parsing finds, and an object that is accepted here is accepted there.
pub(super) fn find(body: &[u8], key: &str) -> Option<Option<Value>> {
    if key.starts_with(ESCAPE) || has_escapes(body) {
        return None;
    }
    let mut rest = body.strip_prefix(b"{")?;
    if rest == b"}" {
        return Some(None);
    }
    let mut found = None;
    loop {
        let (name, after) = split_name(rest)?;
        let (value, after) = split_value(after)?;
        let is_it = name == key.as_bytes();
        if is_it && found.replace(value).is_some() && !anynode_core::planted("key_found_twice") {
            return None;
        }
        rest = match after {
            [b',', rest @ ..] => rest,
            b"}" => break,
            _ => return None,
        };
    }
    match found {
        None => Some(None),
        Some(value) => parsed(value).map(Some),
    }
}

/// Whether a text may hold anything but itself, or something that no text may hold. Without a
/// way out of its loop, this is a few instructions for many bytes.
fn has_escapes(body: &[u8]) -> bool {
    let is_special = |byte: &u8| (*byte < b' ') | (*byte == b'\\');
    body.iter().fold(false, |any, byte| any | is_special(byte))
}

/// The name of the entry that begins here, and what comes after its colon.
fn split_name(json: &[u8]) -> Option<(&[u8], &[u8])> {
    let json = json.strip_prefix(b"\"")?;
    let (name, after) = json.split_at(short_name(json).or_else(|| name_length(json))?);
    Some((name, after.strip_prefix(b"\":")?))
}

/// The length of a name that ends within eight bytes, as most do: all of them are looked at in
/// one word, in which the first byte that is zero after the XOR is a quote.
fn short_name(json: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = EACH << 7;
    let word = u64::from_le_bytes(*json.first_chunk()?);
    let quotes = word ^ u64::from_le_bytes([b'"'; 8]);
    let ends = quotes.wrapping_sub(EACH) & !quotes & HIGHEST;
    let is_short = word & HIGHEST == 0 && ends != 0;
    is_short.then(|| usize::try_from(ends.trailing_zeros() / 8).expect("at most eight"))
}

/// The length of any name in ASCII.
fn name_length(json: &[u8]) -> Option<usize> {
    memchr(b'"', json).filter(|length| json[..*length].is_ascii())
}

/// The text that begins here, with its quotes, and what comes after it.
fn split_text(json: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = memchr(b'"', json.strip_prefix(b"\"")?)?;
    Some(json.split_at(length + 2))
}

/// The value that begins here, and what comes after it.
fn split_value(json: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(b'"') = json.first() {
        return split_text(json);
    }
    let digits = json.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if let ([b'1'..=b'9', ..], Some(b',' | b'}')) = (json, json.get(digits)) {
        return Some(json.split_at(digits));
    }
    let mut values = serde_json::Deserializer::from_slice(json).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let length = values.byte_offset();
    Some(json.split_at(length))
}

/// The value in this text, which has no escapes.
fn parsed(json: &[u8]) -> Option<Value> {
    if let [b'"', text @ .., b'"'] = json {
        return str::from_utf8(text).ok().map(Value::from);
    }
    let mut json = serde_json::Deserializer::from_slice(json);
    let too_deep = Cell::new(false);
    let value = ValueVisitor::new(&too_deep).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decode_key_by_parsing;
    use super::*;

    const KEYS: [&str; 6] = ["a", "b", "visits", "ä", "$bytes", ""];

    /// Whether something was found, which is then what parsing finds.
    fn check(body: &[u8]) -> bool {
        KEYS.iter().fold(true, |all, key| {
            let found = find(body, key);
            if let Some(value) = &found {
                let parsed = decode_key_by_parsing(body, key);
                assert_eq!(Ok(value), parsed.as_ref(), "{:?}", str::from_utf8(body));
            }
            all & (found.is_some() || key.starts_with(ESCAPE))
        })
    }

    #[test]
    fn the_usual_object_need_not_be_parsed() {
        for body in [
            r#"{}"#,
            r#"{"a":1}"#,
            r#"{"a":"x","b":"","visits":7}"#,
            r#"{"a":"{,:}[","visits":7}"#,
            r#"{"a":[1,{"visits":2}],"b":{"visits":[3]},"visits":-4}"#,
            r#"{"a":true,"b":null,"visits":1.5e3}"#,
            r#"{"a":0,"b":{"$bytes":"AAEC"},"visits":{"$f64":"7ff0000000000000"}}"#,
            r#"{"a":"ä","":"ö"}"#,
        ] {
            assert!(check(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn whatever_is_in_doubt_is_left_to_the_parser() {
        for body in [
            r#""#,
            r#"{"#,
            r#"{}}"#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1"b":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":1}{}"#,
            r#"{"a":1"#,
            r#"{"a":01}"#,
            r#"{"a":1 }"#,
            r#"{ "a":1}"#,
            r#"{"a":tru}"#,
            r#"{"a":[1}"#,
            r#"{"a":"x"#,
            r#"{"a":"\u0041"}"#,
            r#"{"\u0061":1}"#,
            r#"{"ä":1}"#,
            "{\"a\":\"\n\"}",
        ] {
            assert!(!check(body.as_bytes()), "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_parsing_finds(
            parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..12),
            at in any::<proptest::sample::Index>(),
            byte: u8,
        ) {
            let mut body = format!("{{{}}}", parts.join(",")).into_bytes();
            check(&body);
            let at = at.index(body.len());
            body[at] = byte;
            check(&body);
        }
    }

    /// What objects are made of, and what breaks them.
    const PARTS: &[&str] = &[
        r#""a":1"#,
        r#""b":"x,\"y""#,
        r#""visits":7"#,
        r#""b":"}:{""#,
        r#""visits":[{"a":"b"},[]]"#,
        r#""$$a":0"#,
        r#""ä":-0.5"#,
        r#""":{"visits":1}"#,
        r#""c":18446744073709551616"#,
        r#""d":tru"#,
        r#""e" :1"#,
        r#""f":{"$bytes":"AAEC"}"#,
        r#""g":{"#,
    ];
}
