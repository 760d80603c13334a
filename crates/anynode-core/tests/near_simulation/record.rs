//! What the runs put into records, and read out of them.

use std::time::Duration;

use anynode_core::{Payload, SecretHash, Version, WriteId};

use crate::shelf::{Id, USERS};

pub(crate) const ABSOLUTE: Duration = Duration::from_secs(3_000);

/// Whose session this becomes by a login. On two primaries half of them are on another.
pub(crate) fn user_of(session: usize) -> usize {
    session / 2 % USERS
}

/// The version of a record that was just created.
pub(crate) fn first(id: Id) -> Version {
    Version::first(WriteId::from_bytes(id.to_be_bytes()))
}

pub(crate) fn secret(number: u64) -> SecretHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    SecretHash::from_bytes(bytes)
}

pub(crate) fn secret_of(hash: &SecretHash) -> u64 {
    u64::from_be_bytes(hash.as_bytes()[..8].try_into().unwrap())
}

/// A record that was changed so often.
pub(crate) fn payload(changes: u64) -> Payload {
    Payload::new(changes.to_be_bytes())
}

pub(crate) fn changes_of(payload: &Payload) -> u64 {
    u64::from_be_bytes(payload.as_bytes().try_into().unwrap())
}
