//! The keys that affinity cookies are signed with.

use std::error::Error;
use std::fmt;

/// The most keys of a ring.
///
/// Two are enough to change keys; the rest is room for a fleet that is slow to follow.
pub const KEYS_MAX: usize = 8;

/// Keys for affinity cookies: the first signs, all of them verify.
///
/// To change keys without breaking anybody's affinity: add the new key at the end everywhere, move it to
/// the front everywhere, and take the old one out after [`idle_max`](super::CookieAffinity::idle_max).
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRing {
    keys: Vec<(u8, [u8; 32])>,
}

/// Keys that make no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRingError {
    /// There is none.
    Empty,
    /// There are more than [`KEYS_MAX`].
    TooMany,
    /// Two have this id.
    Twice(u8),
    /// The key of this id is one byte repeated: a placeholder and not random.
    NotRandom(u8),
}

// === impl KeyRing ===

impl KeyRing {
    /// Returns the ring of these ids and keys of 32 random bytes each.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] if there is none, there are too many, an id comes twice, or a key is a placeholder.
    pub fn new(keys: impl IntoIterator<Item = (u8, [u8; 32])>) -> Result<Self, KeyRingError> {
        let keys: Vec<_> = keys.into_iter().take(KEYS_MAX + 1).collect();
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        if keys.len() > KEYS_MAX {
            return Err(KeyRingError::TooMany);
        }
        for (place, (id, key)) in keys.iter().enumerate() {
            if keys[..place].iter().any(|(other, _)| other == id) {
                return Err(KeyRingError::Twice(*id));
            }
            if key.iter().all(|byte| *byte == key[0]) {
                return Err(KeyRingError::NotRandom(*id));
            }
        }
        Ok(Self { keys })
    }

    /// The keys with their ids, the one that signs first.
    pub(super) fn keys(&self) -> &[(u8, [u8; 32])] {
        &self.keys
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.keys.iter().map(|(id, _)| id);
        formatter.debug_set().entries(ids).finish()
    }
}

// === impl KeyRingError ===

impl fmt::Display for KeyRingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("there is no key"),
            Self::TooMany => write!(formatter, "there are more than {KEYS_MAX} keys"),
            Self::Twice(id) => write!(formatter, "two keys have the id {id}"),
            Self::NotRandom(id) => write!(formatter, "key {id} is one byte repeated, not random"),
        }
    }
}

impl Error for KeyRingError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> [u8; 32] {
        let mut key = [seed; 32];
        key[0] = !seed;
        key
    }

    #[test]
    fn keys_that_make_no_ring_are_refused() {
        assert_eq!(KeyRing::new([]), Err(KeyRingError::Empty));
        let twice = [(1, key(1)), (2, key(2)), (1, key(3))];
        assert_eq!(KeyRing::new(twice), Err(KeyRingError::Twice(1)));
        assert_eq!(
            KeyRing::new([(4, [0; 32])]),
            Err(KeyRingError::NotRandom(4))
        );
        let nine = (1..=9).map(|id| (id, key(id)));
        assert_eq!(KeyRing::new(nine), Err(KeyRingError::TooMany));
    }

    #[test]
    fn no_key_is_shown() {
        let ring = KeyRing::new([(7, key(0xab))]).unwrap();
        assert_eq!(format!("{ring:?}"), "{7}");
    }
}
