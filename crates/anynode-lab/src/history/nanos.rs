//! A stamp in a file: nanoseconds, as one number.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) fn serialize<S: Serializer>(stamp: &Duration, to: S) -> Result<S::Ok, S::Error> {
    u64::try_from(stamp.as_nanos())
        .unwrap_or(u64::MAX)
        .serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_nanos)
}
