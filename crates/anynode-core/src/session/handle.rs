//! The public name of a session, its secret, and the session id that joins the two.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The public, immutable name of a session: 16 random bytes.
///
/// It may be logged and shown; it opens nothing without its [`Secret`].
/// Prints as 22 characters of base64url (RFC 4648 section 5, unpadded).
///
/// ```
/// # use anynode_core::Handle;
/// let handle = Handle::from_bytes([7; 16]);
/// assert_eq!(handle.to_string().parse(), Ok(handle));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle([u8; 16]);

/// What only the client holds: 16 random bytes. Never printed, never stored.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

/// SHA-256 of handle and secret: all that a store keeps of a secret.
///
/// Compared in constant time, so that equality tells nothing about how much of it matched.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

/// Handle and secret together: the value of the session cookie, 43 characters of base64url.
///
/// There is one way from bytes to an id, [`SessionId::parse`], and it accepts exactly what
/// [`SessionId::expose`] writes; everything downstream works on fixed-size bytes.
///
/// ```
/// # use anynode_core::{Handle, Secret, SessionId};
/// let id = SessionId::new(Handle::from_bytes([1; 16]), Secret::from_bytes([2; 16]));
/// let text = id.expose();
/// assert_eq!(text.len(), SessionId::LENGTH);
/// assert_eq!(SessionId::parse(text.as_bytes()).unwrap().handle(), id.handle());
/// assert!(SessionId::parse(b"../../etc/passwd").is_none());
/// ```
#[derive(Clone, Copy)]
pub struct SessionId {
    handle: Handle,
    secret: Secret,
}

/// The text is not a handle: not 22 characters of canonical base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHandle;

// === impl Handle ===

impl Handle {
    /// Bytes of a handle.
    pub const BYTES: usize = 16;

    /// The handle with these bytes; for a new session they come from the operating system's
    /// random source.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the handle.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 22];
        let length = URL_SAFE_NO_PAD
            .encode_slice(self.0, &mut text)
            .expect("16 bytes are 22 characters");
        f.write_str(std::str::from_utf8(&text[..length]).expect("base64 is ASCII"))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

impl FromStr for Handle {
    type Err = InvalidHandle;

    fn from_str(text: &str) -> Result<Self, InvalidHandle> {
        decode(text.as_bytes()).map(Self).ok_or(InvalidHandle)
    }
}

impl fmt::Display for InvalidHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handle is 22 characters of base64url")
    }
}

impl std::error::Error for InvalidHandle {}

// === impl Secret ===

impl Secret {
    /// The secret with these bytes, which come from the operating system's random source.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(_)")
    }
}

// === impl SecretHash ===

impl SecretHash {
    /// SHA-256 over the handle's and the secret's bytes.
    ///
    /// The handle is part of it so that a hash moved to another record admits nobody.
    pub fn of(handle: &Handle, secret: &Secret) -> Self {
        let digest = Sha256::new()
            .chain_update(handle.0)
            .chain_update(secret.0)
            .finalize();
        Self(digest.into())
    }

    /// The hash with these bytes, as a store kept them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store to keep.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn words(&self) -> [u64; 4] {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(self.0.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().expect("eight of them"));
        }
        words
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        // By four words instead of 32 bytes, each compared in constant time: it is part of
        // every hit.
        self.words().ct_eq(&other.words()).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(_)")
    }
}

// === impl SessionId ===

impl SessionId {
    /// Characters of a session id in a cookie.
    pub const LENGTH: usize = 43;

    /// Joins a handle and a secret.
    pub const fn new(handle: Handle, secret: Secret) -> Self {
        Self { handle, secret }
    }

    /// The id written in `text`; `None` unless it is exactly 43 characters of canonical
    /// base64url. No other spelling of the same bytes is accepted.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = decode(text)?;
        let (mut handle, mut secret) = ([0; 16], [0; 16]);
        handle.copy_from_slice(&bytes[..16]);
        secret.copy_from_slice(&bytes[16..]);
        Some(Self::new(Handle(handle), Secret(secret)))
    }

    /// The text of the id, for the Set-Cookie header of its owner and for nothing else.
    pub fn expose(&self) -> String {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.handle.0);
        bytes[16..].copy_from_slice(&self.secret.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The public half.
    pub const fn handle(&self) -> Handle {
        self.handle
    }

    /// What a store keeps of the secret half.
    pub fn secret_hash(&self) -> SecretHash {
        SecretHash::of(&self.handle, &self.secret)
    }

    /// A text that only a holder of this id can know and that does not reveal it: the
    /// synchroniser token against cross-site request forgery, 43 characters of base64url.
    pub fn csrf_token(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"anynode csrf 1")
            .chain_update(self.handle.0)
            .chain_update(self.secret.0)
            .finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}, _)", self.handle)
    }
}

/// Decodes exactly `N` bytes of canonical base64url: anything longer, shorter, padded or with
/// stray trailing bits is refused.
fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    // The decoder asks for room for whole groups, which is up to two bytes more than `N`.
    let mut bytes = [0; 36];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    bytes[..length].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SessionId {
        SessionId::new(Handle([0xa5; 16]), Secret([0x5a; 16]))
    }

    #[test]
    fn an_id_is_43_characters_and_reads_back() {
        let text = id().expose();
        assert_eq!(text.len(), SessionId::LENGTH);
        let read = SessionId::parse(text.as_bytes()).expect("its own text");
        assert_eq!(read.handle(), id().handle());
        assert_eq!(read.secret_hash(), id().secret_hash());
    }

    #[test]
    fn only_the_canonical_text_is_an_id() {
        let text = id().expose();
        let mut trailing_bits = text.clone().into_bytes();
        // The last character carries four bits; flipping one of the two unused ones must not
        // give a second spelling of the same id.
        let last = trailing_bits.last_mut().expect("43 characters");
        *last = if *last == b'o' { b'p' } else { b'h' };
        let cases: [&[u8]; 7] = [
            b"",
            &text.as_bytes()[..42],
            format!("{text}=").leak().as_bytes(),
            format!(" {text}").leak().as_bytes(),
            text.replace(&text[..1], "+").leak().as_bytes(),
            &[0xff; 43],
            &trailing_bits,
        ];
        for case in cases {
            assert!(SessionId::parse(case).is_none(), "{case:?}");
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let printed = format!(
            "{:?} {:?} {:?}",
            id(),
            Secret([0x5a; 16]),
            id().secret_hash()
        );
        assert!(!printed.contains(&id().expose()), "{printed}");
        assert!(!printed.contains("90"), "{printed}");
    }

    #[test]
    fn a_hash_belongs_to_one_handle() {
        let other = SecretHash::of(&Handle([1; 16]), &Secret([0x5a; 16]));
        assert_ne!(other, id().secret_hash());
    }
}
