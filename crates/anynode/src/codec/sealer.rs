//! Session data to payload and back, sealed at rest if there are keys.

use anynode_core::{Data, Handle, Value, Version};

use super::{Codec, CodecError};
#[cfg(feature = "encryption")]
use super::{SEALED_TAG, split_tag};
#[cfg(feature = "encryption")]
use crate::crypt::KeyRing;

/// The record that a payload belongs to; a sealed payload opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The session's handle.
    pub handle: Handle,
    /// The user to whom the session is bound, if any.
    pub user: Option<&'a str>,
    /// The version of the record.
    pub version: Version,
}

/// Whether payloads that are not sealed are accepted although there are keys.
#[cfg(feature = "encryption")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainPayloads {
    /// They are read: the default, because records from before the keys must stay readable.
    ///
    /// Whoever can write to the store can then replace a sealed payload by a plain one.
    #[default]
    Readable,
    /// They are an error: for once the longest lifetime has passed since the keys came.
    Refused,
}

/// Encodes session data for the store, and seals it if it has a key ring.
///
/// Without one, payloads are plain, and sealed ones are an error. A clone shares the keys.
#[derive(Debug, Clone, Default)]
pub struct Sealer {
    codec: Codec,
    #[cfg(feature = "encryption")]
    keys: Option<KeyRing>,
    #[cfg(feature = "encryption")]
    plain_payloads: PlainPayloads,
}

// === impl Sealer ===

impl Sealer {
    /// Writes with `codec`, plain.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            #[cfg(feature = "encryption")]
            keys: None,
            #[cfg(feature = "encryption")]
            plain_payloads: PlainPayloads::default(),
        }
    }

    /// Seals what it writes with the first of `keys`, and opens with all of them.
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn with_keys(self, keys: KeyRing) -> Self {
        Self {
            keys: Some(keys),
            ..self
        }
    }

    /// Reads or refuses plain payloads where there are keys; else this has no effect.
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn with_plain_payloads(self, plain_payloads: PlainPayloads) -> Self {
        Self {
            plain_payloads,
            ..self
        }
    }

    /// Encodes all of `data` to the payload of the record at `place`.
    ///
    /// # Errors
    ///
    /// [`CodecError::TooDeep`], or `CodecError::Crypt` if the system gives no randomness.
    pub fn encode(&self, place: &Place<'_>, data: &Data) -> Result<Vec<u8>, CodecError> {
        let plain = self.codec.encode(data)?;
        #[cfg(feature = "encryption")]
        if let Some(keys) = &self.keys {
            return Ok(keys.seal(place, &plain)?);
        }
        let _ = place;
        Ok(plain)
    }

    /// Decodes the payload of the record at `place`.
    ///
    /// # Errors
    ///
    /// [`CodecError`] if the payload is malformed, was sealed for another place or by an
    /// unknown key, or is plain where that is refused.
    pub fn decode(&self, place: &Place<'_>, payload: &[u8]) -> Result<Data, CodecError> {
        self.read(place, payload, super::decode)
    }

    /// Decodes the value of one key, as [`decode_key`](super::decode_key) does.
    ///
    /// # Errors
    ///
    /// As [`Sealer::decode`].
    pub fn decode_key(
        &self,
        place: &Place<'_>,
        payload: &[u8],
        key: &str,
    ) -> Result<Option<Value>, CodecError> {
        self.read(place, payload, |plain| super::decode_key(plain, key))
    }

    #[cfg(feature = "encryption")]
    fn read<T>(
        &self,
        place: &Place<'_>,
        payload: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        let Some(keys) = &self.keys else {
            return decode(payload);
        };
        match (split_tag(payload)?, self.plain_payloads) {
            ((SEALED_TAG, _), _) => decode(&keys.open(place, payload)?),
            (_, PlainPayloads::Readable) => decode(payload),
            (_, PlainPayloads::Refused) => Err(CodecError::Plain),
        }
    }

    #[cfg(not(feature = "encryption"))]
    fn read<T>(
        &self,
        _place: &Place<'_>,
        payload: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        decode(payload)
    }
}

#[cfg(test)]
#[cfg(feature = "encryption")]
mod tests {
    use anynode_core::WriteId;

    use super::*;
    use crate::crypt::CryptError;

    const PLACE: Place<'_> = Place {
        handle: Handle::from_bytes([1; 16]),
        user: None,
        version: Version::first(WriteId::from_bytes([2; 8])),
    };

    fn data() -> Data {
        [("n", 3_u8)].into_iter().collect()
    }

    fn sealing() -> Sealer {
        Sealer::new(Codec::Json).with_keys(KeyRing::new([(1, &[42; 32])]).unwrap())
    }

    #[test]
    fn sealed_data_is_read_back_whole_and_by_key() {
        let payload = sealing().encode(&PLACE, &data()).unwrap();
        assert_eq!(payload[0], SEALED_TAG);
        assert_eq!(sealing().decode(&PLACE, &payload), Ok(data()));
        let found = sealing().decode_key(&PLACE, &payload, "n");
        assert_eq!(found, Ok(Some(3_u8.into())));
    }

    #[test]
    fn plain_payloads_stay_readable_when_keys_come_unless_refused() {
        let plain = Sealer::new(Codec::Json).encode(&PLACE, &data()).unwrap();
        assert_eq!(sealing().decode(&PLACE, &plain), Ok(data()));
        let strict = sealing().with_plain_payloads(PlainPayloads::Refused);
        assert_eq!(strict.decode(&PLACE, &plain), Err(CodecError::Plain));
        let sealed = strict.encode(&PLACE, &data()).unwrap();
        assert_eq!(strict.decode(&PLACE, &sealed), Ok(data()));
    }

    #[test]
    fn a_sealed_payload_without_keys_or_elsewhere_is_an_error() {
        let sealed = sealing().encode(&PLACE, &data()).unwrap();
        let keyless = Sealer::default().decode(&PLACE, &sealed);
        assert_eq!(keyless, Err(CodecError::Sealed));
        let elsewhere = Place {
            handle: Handle::from_bytes([9; 16]),
            ..PLACE
        };
        let refused = sealing().decode(&elsewhere, &sealed);
        assert_eq!(refused, Err(CodecError::Crypt(CryptError::Refused)));
    }
}
