//! How a backend is named: the id that it keeps, and the incarnation that it does not.

use std::fmt;
use std::net::SocketAddr;

use sha2::{Digest, Sha256};

/// The id of a backend in its pool, in practice the hash of its [name](Self::of).
///
/// It outlives restarts: a node that comes back on another port is the same
/// backend in another [`Incarnation`], see [`Pool::insert`](super::Pool::insert).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(u64);

/// One life of a backend, from its start to its end.
///
/// What a node keeps in its memory ends with its incarnation, and so does every
/// client's affinity to it: an affinity cookie names the incarnation, so that
/// another process on the same address inherits nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(u64);

// === impl BackendId ===

impl BackendId {
    /// Returns the id with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the id of the backend of this name, the same in every process.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(hash(&["backend", name]))
    }

    /// Returns the number of this id.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

// === impl Incarnation ===

impl Incarnation {
    /// Returns the incarnation with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the incarnation of the backend `name` that whoever started it calls `life`.
    ///
    /// Any text that no earlier life had serves: a time, a process id, a random number.
    /// The same text of two backends makes two incarnations.
    #[must_use]
    pub fn named(name: &str, life: &str) -> Self {
        let life = if crate::planted("replaced_incarnation_honoured") {
            ""
        } else {
            life
        };
        Self(hash(&["life", name, life]))
    }

    /// Returns the incarnation of a backend of which only the address tells one life from the next.
    ///
    /// A process that is restarted on its old address is not told from its predecessor by this.
    #[must_use]
    pub fn at(name: &str, address: SocketAddr) -> Self {
        Self(hash(&["address", name, &address.to_string()]))
    }

    /// Returns the number of this incarnation.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Hashes texts so that no two lists of them are alike.
fn hash(texts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for text in texts {
        let length = u64::try_from(text.len()).expect("a length fits 64 bits");
        hasher.update(length.to_be_bytes());
        hasher.update(text);
    }
    let hash = hasher.finalize();
    let first = hash.first_chunk().expect("a SHA-256 has 32 bytes");
    u64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_the_same_backend_and_another_name_is_another() {
        assert_eq!(BackendId::of("n1"), BackendId::of("n1"));
        assert_ne!(BackendId::of("n1"), BackendId::of("n2"));
    }

    #[test]
    fn a_life_ends_with_the_name_the_text_or_the_address() {
        let address = "127.0.0.1:1".parse().unwrap();
        let lives = [
            Incarnation::at("a", address),
            Incarnation::at("b", address),
            Incarnation::at("a", "127.0.0.1:2".parse().unwrap()),
            Incarnation::named("a", "1"),
            Incarnation::named("a", "2"),
            Incarnation::named("b", "1"),
            Incarnation::named("a1", ""),
            Incarnation::named("a", "127.0.0.1:1"),
        ];
        let mut distinct = lives.to_vec();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), lives.len());
    }
}
