//! Where things are kept: the name of every key, and the cluster slot it belongs to.

use std::fmt;

use anynode_core::{Handle, UserId};

/// Twelve bits of a handle or of a user's hash, as the hash tag of every key that has to be
/// written together: 4096 buckets, spread over the primaries of a cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Tag(u16);

/// One of the 16384 slots of a cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Slot(pub(super) u16);

/// The names of the keys under one prefix.
///
/// What lies under [`Keys::tracked`] is pushed to every node that watches, so that only what
/// nodes have to hear of is kept there; idle deadlines are not.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

// === impl Tag ===

impl Tag {
    /// How many there are.
    pub(super) const COUNT: u16 = 4096;

    /// The bucket of a session: its first twelve bits, so that buckets follow the order of
    /// handles.
    pub(super) fn of_handle(handle: &Handle) -> Self {
        let [first, second, ..] = *handle.as_bytes();
        Self(u16::from_be_bytes([first, second]) >> 4)
    }

    /// The bucket of a user. It is kept in records, so it never changes for a user.
    pub(super) fn of_user(user: &UserId) -> Self {
        Self(crc16(user.as_str().as_bytes()) >> 4)
    }

    /// The tag with this number.
    pub(super) fn new(number: u16) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// All of them from this number on, in order.
    pub(super) fn all_from(first: u16) -> impl Iterator<Item = Self> {
        (first..Self::COUNT).map(Self)
    }

    /// Its number.
    pub(super) fn number(self) -> u16 {
        self.0
    }

    /// The slot of the keys with this tag.
    pub(super) fn slot(self) -> Slot {
        Slot::of(self.to_string().as_bytes())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03x}", self.0)
    }
}

// === impl Slot ===

impl Slot {
    /// How many there are.
    pub(super) const COUNT: u16 = 16_384;

    /// The slot of a hash tag, or of a key without one.
    pub(super) fn of(hashed: &[u8]) -> Self {
        Self(crc16(hashed) % Self::COUNT)
    }
}

// === impl Keys ===

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What the names of records and of announcements begin with.
    pub(super) fn tracked(&self) -> String {
        format!("{}:k:", self.prefix)
    }

    /// The record of a session.
    pub(super) fn record(&self, handle: &Handle) -> String {
        format!(
            "{}:k:s:{{{}}}:{handle}",
            self.prefix,
            Tag::of_handle(handle)
        )
    }

    /// The handles of a bucket in the order of their idle deadlines.
    pub(super) fn idle(&self, bucket: Tag) -> String {
        format!("{}:i:{{{bucket}}}", self.prefix)
    }

    /// The tombstones of a bucket in the order of their ends.
    pub(super) fn dead(&self, bucket: Tag) -> String {
        format!("{}:d:{{{bucket}}}", self.prefix)
    }

    /// A key that never exists. A function that names it is answered `TRYAGAIN` while its slot
    /// moves between primaries, instead of doing the half of its work whose keys are still, or
    /// already, here.
    pub(super) fn guard(&self, tag: Tag) -> String {
        format!("{}:g:{{{tag}}}", self.prefix)
    }

    /// Says that a call was performed.
    pub(super) fn once(&self, tag: Tag, call: u64) -> String {
        format!("{}:o:{{{tag}}}:{call:016x}", self.prefix)
    }

    /// The name of the data of the primary that has this bucket.
    pub(super) fn mark(&self, tag: Tag) -> String {
        format!("{}:m:{{{tag}}}", self.prefix)
    }

    /// The nodes that muster on the primary, in the order in which they were heard of.
    pub(super) fn mustered(&self) -> String {
        format!("{}:v", self.prefix)
    }

    /// Where each of them stands.
    pub(super) fn stands(&self) -> String {
        format!("{}:t", self.prefix)
    }

    /// The entries of the users of a bucket.
    pub(super) fn users(&self, tag: Tag) -> String {
        format!("{}:u:{{{tag}}}", self.prefix)
    }

    /// The sessions of a user, each with its absolute deadline.
    pub(super) fn sessions(&self, user: &UserId) -> String {
        let tag = Tag::of_user(user);
        format!("{}:l:{{{tag}}}:{}", self.prefix, user.as_str())
    }
}

/// CRC-16/XMODEM, by which a cluster assigns keys to slots.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum, _| {
            let carry = if sum & 0x8000 == 0 { 0 } else { 0x1021 };
            (sum << 1) ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(Slot::of(b"foo"), Slot(12_182));
    }

    #[test]
    fn buckets_follow_the_order_of_handles() {
        let mut bytes = [0xff; 16];
        (bytes[0], bytes[1]) = (0xab, 0xcd);
        let handle = Handle::from_bytes(bytes);
        assert_eq!(Tag::of_handle(&handle).to_string(), "abc");
        assert_eq!(Tag::of_handle(&Handle::from_bytes([0; 16])), Tag(0));
        assert_eq!(Tag::all_from(4_094).count(), 2);
    }

    #[test]
    fn all_keys_of_a_session_share_a_tag() {
        let keys = Keys::new("an");
        let handle = Handle::from_bytes([7; 16]);
        let bucket = Tag::of_handle(&handle);
        for key in [
            keys.record(&handle),
            keys.idle(bucket),
            keys.dead(bucket),
            keys.guard(bucket),
        ] {
            assert!(key.starts_with("an:") && key.contains("{070}"), "{key}");
        }
    }
}
