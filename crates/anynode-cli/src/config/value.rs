//! Values of a configuration: from what TOML has to what we mean, or a sentence that says how to write it.
//!
//! No message repeats the value: it stands where the message points, and it may be a key.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use anynode_gateway::{AddressPrefix, PrefixError};
use bytesize::ByteSize;
use toml::de::DeValue;

/// A text of this many bytes, without control characters.
pub(super) fn text(
    bytes: RangeInclusive<usize>,
) -> impl Fn(&DeValue<'_>) -> Result<String, String> {
    move |value| {
        let text = string(value, "\"…\"")?;
        if !bytes.contains(&text.len()) {
            return Err(format!(
                "this has to have {} to {} bytes",
                bytes.start(),
                bytes.end()
            ));
        }
        if text.chars().any(char::is_control) {
            return Err("this holds a control character".to_owned());
        }
        Ok(text.to_owned())
    }
}

/// One of some words.
pub(super) fn word<T: Clone>(
    words: &[(&'static str, T)],
) -> impl Fn(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let found = words.iter().find(|(word, _)| value.as_str() == Some(*word));
        let Some((_, meaning)) = found else {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            return Err(format!("this has to be one of {}", words.join(", ")));
        };
        Ok(meaning.clone())
    }
}

/// A whole number in this range.
pub(super) fn number<T: TryFrom<i64>>(
    range: RangeInclusive<i64>,
) -> impl Fn(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let (least, most) = (range.start(), range.end());
        let parsed = value
            .as_integer()
            .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
        parsed
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("this has to be a whole number from {least} to {most}"))
    }
}

/// A time with its unit, in this range.
pub(super) fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&DeValue<'_>) -> Result<Duration, String> {
    const EXAMPLES: &str = "\"500ms\", \"30s\" or \"8h\"";
    move |value| {
        let text = string(value, EXAMPLES)?;
        let duration = humantime::parse_duration(text)
            .map_err(|_| format!("write a time with its unit, such as {EXAMPLES}"))?;
        if !range.contains(&duration) {
            let [least, most] = [range.start(), range.end()]
                .map(|bound| humantime::format_duration(*bound).to_string());
            return Err(format!("this has to be from {least} to {most}"));
        }
        Ok(duration)
    }
}

/// A number of bytes, with a unit or without, in this range.
pub(super) fn bytes(range: RangeInclusive<u64>) -> impl Fn(&DeValue<'_>) -> Result<usize, String> {
    move |value| {
        let size = match value {
            DeValue::Integer(integer) => integer.as_str().parse().ok().map(ByteSize::b),
            other => other.as_str().and_then(|text| text.parse().ok()),
        };
        let size = size.ok_or("write a size such as \"32KiB\", or a number of bytes")?;
        let size = Some(size.as_u64()).filter(|size| range.contains(size));
        size.and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| {
                let (least, most) = (ByteSize::b(*range.start()), ByteSize::b(*range.end()));
                format!("this has to be from {least} to {most}")
            })
    }
}

/// An address and a port.
pub(super) fn address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let example = "\"10.0.0.7:8080\" or \"[::1]:8080\"";
    string(value, example)?.parse().map_err(|_| {
        format!("write an address and a port, such as {example}; names are not resolved")
    })
}

/// A range of addresses.
pub(super) fn prefix(value: &DeValue<'_>) -> Result<AddressPrefix, String> {
    let example = "\"10.0.0.0/8\" or \"2001:db8::/32\"";
    string(value, example)?
        .parse()
        .map_err(|error| match error {
            PrefixError::HostBits => format!(
                "the address has bits after its prefix, so it is unclear which range is meant; \
             write it as {example}"
            ),
            _ => format!("write a range of addresses, such as {example}"),
        })
}

pub(super) fn string<'v>(value: &'v DeValue<'_>, example: &str) -> Result<&'v str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("this has to be text in quotes, such as {example}"))
}
