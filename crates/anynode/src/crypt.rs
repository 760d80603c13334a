//! Session data sealed at rest, with keys that the store does not have.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use crate::codec::{Place, SEALED_TAG};

/// The length of a key: 32 bytes, for AES-256.
pub const KEY_LEN: usize = 32;

/// The tag, the key id and the nonce before the ciphertext.
const HEAD_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;
const KEY_ID_LEN: usize = size_of::<u32>();
const AEAD_TAG_LEN: usize = 16;

/// How many bytes a sealed payload is longer than the plain one: 33.
pub const SEAL_LEN: usize = HEAD_LEN + AEAD_TAG_LEN;

/// Keys by id: the first seals, all open. A clone shares the keys.
///
/// A payload is sealed with AES-256-GCM-SIV under a random nonce and bound to its [`Place`],
/// so that it opens in no other record, for no other user and at no other version. This
/// algorithm tolerates a repeated nonce: all that would show is whether the same data was
/// sealed twice for the same place. It is good for about 2^48 payloads under a key.
///
/// What it cannot see is a whole record put back to its older state, version included.
///
/// To rotate, put the new key last on every node, then first, and drop the old one when the
/// longest session lifetime has passed. `Debug` shows the ids alone, and the keys are
/// wiped from memory when the last clone is dropped.
///
/// ```
/// use anynode::codec::Place;
/// use anynode::crypt::KeyRing;
/// use anynode_core::{Handle, Version, WriteId};
///
/// let place = Place {
///     handle: Handle::from_bytes([1; 16]),
///     user: Some("ada"),
///     version: Version::first(WriteId::from_bytes([2; 8])),
/// };
/// let keys = KeyRing::new([(1, &[42; 32])])?;
/// let sealed = keys.seal(&place, b"plain")?;
/// assert_eq!(keys.open(&place, &sealed)?, b"plain");
/// # Ok::<_, anynode::crypt::CryptError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<[Key]>);

struct Key {
    id: u32,
    aead: RandomizedNonceKey,
}

/// Why a key ring could not be made, or a payload not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptError {
    /// A key ring needs at least one key.
    NoKey,
    /// Two keys have this id.
    DuplicateKeyId(u32),
    /// The payload was sealed by a key with this id, which the key ring does not have.
    UnknownKeyId(u32),
    /// The payload was altered, or sealed for another place, or by another key of this id.
    Refused,
    /// The payload is too short to be sealed, or has another tag.
    Malformed,
    /// The operating system gave no randomness for a nonce.
    NoRandomness,
}

// === impl KeyRing ===

impl KeyRing {
    /// Makes a key ring of ids and keys; the first key seals.
    ///
    /// The ids are stored in the clear and must never be given to another key.
    ///
    /// # Errors
    ///
    /// [`CryptError::NoKey`] or [`CryptError::DuplicateKeyId`].
    pub fn new<'a>(
        keys: impl IntoIterator<Item = (u32, &'a [u8; KEY_LEN])>,
    ) -> Result<Self, CryptError> {
        let mut ring: Vec<Key> = Vec::new();
        for (id, bytes) in keys {
            if ring.iter().any(|key| key.id == id) {
                return Err(CryptError::DuplicateKeyId(id));
            }
            let aead = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes)
                .expect("the key has the algorithm's length");
            ring.push(Key { id, aead });
        }
        if ring.is_empty() {
            return Err(CryptError::NoKey);
        }
        Ok(Self(ring.into()))
    }

    /// Seals `plain` for the record at `place`; [`SEAL_LEN`] bytes longer.
    ///
    /// # Errors
    ///
    /// [`CryptError::NoRandomness`].
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>, CryptError> {
        let key = &self.0[0];
        let mut sealed = Vec::with_capacity(plain.len() + SEAL_LEN);
        sealed.push(SEALED_TAG);
        sealed.extend_from_slice(&key.id.to_be_bytes());
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        sealed.extend_from_slice(plain);

        let (head, body) = sealed.split_at_mut(HEAD_LEN);
        let (nonce, tag) = key
            .aead
            .seal_in_place_separate_tag(associated_data(key.id, place), body)
            .map_err(|_| CryptError::NoRandomness)?;
        head[1 + KEY_ID_LEN..].copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for the record at `place`, with the key whose id it carries.
    ///
    /// # Errors
    ///
    /// [`CryptError::UnknownKeyId`], [`CryptError::Refused`] or [`CryptError::Malformed`].
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, CryptError> {
        let (key_id, nonce, body) = split_head(sealed).ok_or(CryptError::Malformed)?;
        let key = self.0.iter().find(|key| key.id == key_id);
        let key = key.ok_or(CryptError::UnknownKeyId(key_id))?;

        let mut plain = body.to_vec();
        let plain_len = key
            .aead
            .open_in_place(nonce, associated_data(key_id, place), &mut plain)
            .map_err(|_| CryptError::Refused)?
            .len();
        plain.truncate(plain_len);
        Ok(plain)
    }
}

/// The key id, the nonce, and the ciphertext with its tag.
fn split_head(sealed: &[u8]) -> Option<(u32, Nonce, &[u8])> {
    let rest = sealed.strip_prefix(&[SEALED_TAG])?;
    let (key_id, rest) = rest.split_first_chunk::<KEY_ID_LEN>()?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
    let key_id = u32::from_be_bytes(*key_id);
    let nonce = Nonce::assume_unique_for_key(*nonce);
    (body.len() >= AEAD_TAG_LEN).then_some((key_id, nonce, body))
}

/// Everything that must be the same when the payload is opened.
///
/// All parts but the user have a fixed length, and the user comes last after a byte that
/// says whether there is one, so that no two places give the same bytes.
fn associated_data(key_id: u32, place: &Place<'_>) -> Aad<Vec<u8>> {
    let user = place.user.unwrap_or_default();
    let mut data = Vec::with_capacity(38 + user.len());
    data.push(SEALED_TAG);
    data.extend_from_slice(&key_id.to_be_bytes());
    data.extend_from_slice(place.handle.as_bytes());
    data.extend_from_slice(&place.version.counter.to_be_bytes());
    data.extend_from_slice(place.version.write.as_bytes());
    data.push(u8::from(place.user.is_some()));
    data.extend_from_slice(user.as_bytes());
    Aad::from(data)
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing ")?;
        f.debug_list()
            .entries(self.0.iter().map(|key| key.id))
            .finish()
    }
}

// === impl CryptError ===

impl fmt::Display for CryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("a key ring needs at least one key"),
            Self::DuplicateKeyId(id) => write!(f, "two keys have the id {id}"),
            Self::UnknownKeyId(id) => {
                write!(f, "sealed by key {id}, which is not in the key ring")
            }
            Self::Refused => f.write_str("altered, or sealed for another record or version"),
            Self::Malformed => f.write_str("not a sealed payload"),
            Self::NoRandomness => f.write_str("the operating system gave no randomness"),
        }
    }
}

impl std::error::Error for CryptError {}

#[cfg(test)]
mod tests {
    use anynode_core::{Handle, Version, WriteId};

    use super::*;

    const PLACE: Place<'_> = Place {
        handle: Handle::from_bytes([1; 16]),
        user: Some("ada"),
        version: version(7, 2),
    };

    const fn version(counter: u64, write: u8) -> Version {
        Version {
            counter,
            write: WriteId::from_bytes([write; 8]),
        }
    }

    fn ring(keys: &[(u32, [u8; KEY_LEN])]) -> KeyRing {
        KeyRing::new(keys.iter().map(|(id, key)| (*id, key))).unwrap()
    }

    #[test]
    fn a_sealed_payload_opens_at_its_place_and_shows_nothing_of_it() {
        let keys = ring(&[(1, [42; 32])]);
        for plain in [&b""[..], b"session data"] {
            let sealed = keys.seal(&PLACE, plain).unwrap();
            assert_eq!(sealed.len(), plain.len() + SEAL_LEN);
            assert_eq!(keys.open(&PLACE, &sealed).unwrap(), plain);
            assert!(plain.is_empty() || !sealed.windows(7).any(|part| part == b"session"));
        }
    }

    #[test]
    fn the_same_data_never_looks_the_same_twice() {
        let keys = ring(&[(1, [42; 32])]);
        let (one, two) = (keys.seal(&PLACE, b"x"), keys.seal(&PLACE, b"x"));
        assert_ne!(one.unwrap(), two.unwrap());
    }

    #[test]
    fn a_payload_of_another_handle_user_or_version_is_refused() {
        let keys = ring(&[(1, [42; 32])]);
        let sealed = keys.seal(&PLACE, b"plain").unwrap();
        let mut handle = [1; 16];
        handle[15] = 0;
        let other_handle = Place {
            handle: Handle::from_bytes(handle),
            ..PLACE
        };
        let elsewhere = [
            other_handle,
            Place {
                user: Some("adb"),
                ..PLACE
            },
            Place {
                user: Some(""),
                ..PLACE
            },
            Place {
                user: None,
                ..PLACE
            },
            Place {
                version: version(8, 2),
                ..PLACE
            },
            Place {
                version: version(7, 3),
                ..PLACE
            },
        ];
        for place in elsewhere {
            assert_eq!(
                keys.open(&place, &sealed),
                Err(CryptError::Refused),
                "{place:?}"
            );
        }
    }

    #[test]
    fn no_user_is_another_place_than_a_user_without_a_name() {
        let keys = ring(&[(1, [42; 32])]);
        let nobody = Place {
            user: None,
            ..PLACE
        };
        let nameless = Place {
            user: Some(""),
            ..PLACE
        };
        let sealed = keys.seal(&nobody, b"plain").unwrap();
        assert_eq!(keys.open(&nameless, &sealed), Err(CryptError::Refused));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_an_error() {
        let keys = ring(&[(1, [42; 32])]);
        let sealed = keys.seal(&PLACE, b"plain").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(keys.open(&PLACE, &altered).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(
                keys.open(&PLACE, &sealed[..length]).is_err(),
                "length {length}"
            );
        }
        assert_eq!(keys.open(&PLACE, b"s"), Err(CryptError::Malformed));
    }

    #[test]
    fn an_old_key_opens_after_a_rotation_and_is_named_once_it_is_gone() {
        let (old, new) = ((1, [42; 32]), (2, [43; 32]));
        let sealed = ring(&[old]).seal(&PLACE, b"plain").unwrap();
        let rotated = ring(&[new, old]);
        assert_eq!(rotated.open(&PLACE, &sealed).unwrap(), b"plain");
        let resealed = rotated.seal(&PLACE, b"plain").unwrap();
        assert_eq!(ring(&[new]).open(&PLACE, &resealed).unwrap(), b"plain");
        let refused = ring(&[new]).open(&PLACE, &sealed);
        assert_eq!(refused, Err(CryptError::UnknownKeyId(1)));
    }

    #[test]
    fn another_key_under_the_same_id_opens_nothing() {
        let sealed = ring(&[(1, [42; 32])]).seal(&PLACE, b"plain").unwrap();
        let refused = ring(&[(1, [43; 32])]).open(&PLACE, &sealed);
        assert_eq!(refused, Err(CryptError::Refused));
    }

    #[test]
    fn a_key_ring_needs_keys_with_ids_of_their_own() {
        assert_eq!(KeyRing::new([]).unwrap_err(), CryptError::NoKey);
        let twice = KeyRing::new([(1, &[1; 32]), (1, &[2; 32])]);
        assert_eq!(twice.unwrap_err(), CryptError::DuplicateKeyId(1));
    }

    #[test]
    fn debug_shows_the_ids_alone() {
        let keys = ring(&[(7, [42; 32]), (3, [43; 32])]);
        assert_eq!(format!("{keys:?}"), "KeyRing [7, 3]");
    }

    /// Sealed by version 1 of the format, which must open for ever.
    #[test]
    fn a_payload_of_format_version_1_opens() {
        let sealed = [
            &b"s\0\0\0\x09"[..],
            b"\x4a\x0c\x9a\x9f\xcc\x8f\xdb\xbe\xe5\xe2\x30\x8e",
            b"\xf8\x9f\xf0\x80\xe3\x42\x0b\xfe",
            b"\xcd\xbc\x0c\xcd\x75\x8f\xd2\x28\xe4\x42\xb2\x88\xc5\x5c\x99\xe7",
        ]
        .concat();
        let keys = ring(&[(9, [42; 32])]);
        assert_eq!(keys.open(&PLACE, &sealed).unwrap(), br#"j{"n":3}"#);
    }
}
