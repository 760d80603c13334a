//! Which write produced a record: what compare-and-set compares.

use std::fmt;

/// Eight random bytes that name one write, so that its author can recognise it later.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct WriteId([u8; 8]);

/// The version of a record: a counter and the id of the write, always compared whole.
///
/// A counter alone could repeat: a write lost in a fail-over and its successor would carry the
/// same number, and a node that saw the lost one would overwrite the other unseen.
///
/// ```
/// # use anynode_core::{Version, WriteId};
/// let first = Version::first(WriteId::from_bytes([1; 8]));
/// let lost = first.next(WriteId::from_bytes([2; 8]));
/// let kept = first.next(WriteId::from_bytes([3; 8]));
/// assert_eq!(lost.counter, kept.counter);
/// assert_ne!(lost, kept);
/// ```
#[derive(Clone, Copy)]
#[cfg_attr(not(planted), derive(PartialEq, Eq))]
pub struct Version {
    /// How many writes the record has seen, from 1.
    pub counter: u64,
    /// Which write this one was.
    pub write: WriteId,
}

#[cfg(planted)]
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        let is_same_write = self.write == other.write || crate::planted("bare_version_counter");
        self.counter == other.counter && is_same_write
    }
}

#[cfg(planted)]
impl Eq for Version {}

impl WriteId {
    /// The id with these bytes, which come from the operating system's random source.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store to keep.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl Version {
    /// The version of a record that has just been created.
    pub const fn first(write: WriteId) -> Self {
        Self { counter: 1, write }
    }

    /// The version that `write` gives to a record of this version.
    #[must_use]
    pub const fn next(self, write: WriteId) -> Self {
        Self {
            counter: self.counter.saturating_add(1),
            write,
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:?}", self.counter, self.write)
    }
}
