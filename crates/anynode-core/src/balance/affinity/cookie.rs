//! The affinity cookie: how it is written, found in a request, verified, and taken out again.
//!
//! The value is 36 bytes in base64url: the version of this format, the id of the key, the
//! incarnation (8), when the client was first sent there and when the cookie was last sent
//! (seconds since 1970, 5 each), and the first 16 bytes of an HMAC-SHA256 over all of them and the scope.
//! It says nothing about addresses, and nobody without a key can write one.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::header::{is_name, values};
use super::{CookieAffinity, Transport};
use crate::balance::backend::Incarnation;
use crate::balance::pool::{Choice, Duty, Tenure};

/// The most bytes of the cookie, its name and the `=` included.
pub const COOKIE_BYTES_MAX: usize = 96;

/// How far a cookie may be dated into the future, because another gateway's clock is ahead.
pub const SKEW_MAX: Duration = Duration::from_secs(60);

/// How many cookies of our name are looked at; a browser sends one for each path and domain it was set for.
pub const CANDIDATES_MAX: usize = 4;

/// The least time that [`CookieAffinity::idle_max`] and [`CookieAffinity::life_max`] may be.
pub const AFFINITY_LEAST: Duration = Duration::from_secs(8);

/// The longest time that they may be, the same as of sessions.
pub const AFFINITY_MOST: Duration = Duration::from_hours(400 * 24);

const FORMAT: u8 = 1;
const PAYLOAD_BYTES: usize = 20;
const VALUE_BYTES: usize = 36;
const VALUE_CHARS: usize = 48;

/// Affinity cookies by the rules of one pool, ready for use.
#[derive(Clone)]
pub struct AffinityCookies {
    name: String,
    attributes: &'static str,
    /// Each has absorbed its key and the scope, so that a cookie costs its own few bytes.
    signers: Vec<(u8, Hmac<Sha256>)>,
    idle_max: u64,
    life_max: u64,
}

/// What a request's cookies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// There is no cookie of our name.
    Absent,
    /// It is no value that a gateway writes.
    Malformed,
    /// It names a key that is not in the ring.
    UnknownKey,
    /// It was not signed with that key, or for another scope.
    BadMac,
    /// It is dated further ahead than [`SKEW_MAX`].
    Future,
    /// It was not used for too long.
    ExpiredIdle,
    /// Its client was long enough on one backend.
    ExpiredLife,
    /// It counts.
    Valid(Pin),
}

/// The backend that a client belongs to, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The backend's incarnation.
    pub incarnation: Incarnation,
    /// When the client was first sent there, in seconds since 1970.
    pub issued: u64,
    /// When the cookie was last sent, in seconds since 1970.
    pub seen: u64,
}

/// Rules that no cookie can be written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieRulesError {
    /// The name is empty, holds a character that names cannot hold, or makes the cookie longer than [`COOKIE_BYTES_MAX`].
    Name,
    /// The name promises a `Secure` cookie, and the transport is insecure.
    NamePromisesSecure,
    /// `idle_max` or `life_max` is outside [`AFFINITY_LEAST`] to [`AFFINITY_MOST`].
    Time,
}

// === impl AffinityCookies ===

impl AffinityCookies {
    /// Returns the cookies of these rules.
    ///
    /// # Errors
    ///
    /// [`CookieRulesError`] if no cookie can be written by them.
    pub fn new(rules: &CookieAffinity) -> Result<Self, CookieRulesError> {
        let name = match (&rules.name, rules.transport) {
            (Some(name), _) => name.as_str(),
            (None, Transport::Secure) => "__Host-anynode-affinity",
            (None, Transport::Insecure) => "anynode-affinity",
        };
        if !is_name(name.as_bytes()) || name.len() + 1 + VALUE_CHARS > COOKIE_BYTES_MAX {
            return Err(CookieRulesError::Name);
        }
        let promises = name.starts_with("__Host-") || name.starts_with("__Secure-");
        if promises && rules.transport == Transport::Insecure {
            return Err(CookieRulesError::NamePromisesSecure);
        }
        for time in [rules.idle_max, rules.life_max] {
            if !(AFFINITY_LEAST..=AFFINITY_MOST).contains(&time) {
                return Err(CookieRulesError::Time);
            }
        }
        let keys = rules.keys.keys().iter();
        Ok(Self {
            name: name.to_owned(),
            attributes: match rules.transport {
                Transport::Secure => "; Path=/; HttpOnly; SameSite=Lax; Secure",
                Transport::Insecure => "; Path=/; HttpOnly; SameSite=Lax",
            },
            signers: keys
                .map(|(id, key)| (*id, signer(key, &rules.scope)))
                .collect(),
            idle_max: rules.idle_max.as_secs(),
            life_max: rules.life_max.as_secs(),
        })
    }

    /// Returns the cookie's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks a request's `Cookie` fields up at `now`, in seconds since 1970.
    ///
    /// Of several cookies of our name the first valid one counts; if none is, the first says why.
    /// Of more than [`CANDIDATES_MAX`] the others are not looked at.
    pub fn look_up<'a>(&self, fields: impl Iterator<Item = &'a [u8]>, now: u64) -> Lookup {
        let name = self.name.as_bytes();
        let found = fields.flat_map(|field| values(field, name));
        let mut first = Lookup::Absent;
        for value in found.take(CANDIDATES_MAX) {
            let lookup = self.judge(value, now);
            if matches!(lookup, Lookup::Valid(_)) {
                return lookup;
            }
            if first == Lookup::Absent {
                first = lookup;
            }
        }
        first
    }

    /// Returns the `Set-Cookie` value for a response of the chosen backend, `None` if the client's cookie may stay.
    ///
    /// `pin` is what the client's valid cookie says.
    /// One that was chosen for this [once](Choice::once) changes nothing.
    /// A client that stays gets its cookie again only when it was last sent an eighth of the idle time
    /// ago, and not from a backend that is draining: its affinity is to end.
    #[must_use]
    pub fn issue(&self, pin: Option<Pin>, choice: Choice, now: u64) -> Option<String> {
        if choice.tenure() == Tenure::Once {
            return None;
        }
        let pin = pin.filter(|pin| pin.incarnation == choice.incarnation());
        let issued = match pin {
            None => now,
            Some(pin) => {
                let fresh = now.saturating_sub(pin.seen) < self.idle_max / 8;
                if fresh || choice.duty() == Duty::Draining {
                    return None;
                }
                pin.issued
            }
        };
        let pin = Pin {
            incarnation: choice.incarnation(),
            issued,
            seen: now.max(issued),
        };
        let mut cookie =
            String::with_capacity(self.name.len() + 1 + VALUE_CHARS + self.attributes.len());
        cookie.push_str(&self.name);
        cookie.push('=');
        URL_SAFE_NO_PAD.encode_string(self.sealed(pin), &mut cookie);
        cookie.push_str(self.attributes);
        Some(cookie)
    }

    fn sealed(&self, pin: Pin) -> [u8; VALUE_BYTES] {
        let (id, signer) = self.signers.first().expect("a ring has a key");
        let mut value = [0; VALUE_BYTES];
        value[0] = FORMAT;
        value[1] = *id;
        value[2..10].copy_from_slice(&pin.incarnation.number().to_be_bytes());
        // Five bytes hold the seconds of 34,000 years.
        value[10..15].copy_from_slice(&pin.issued.to_be_bytes()[3..]);
        value[15..20].copy_from_slice(&pin.seen.to_be_bytes()[3..]);
        let mac = signer.clone().chain_update(&value[..PAYLOAD_BYTES]);
        let mac = mac.finalize().into_bytes();
        value[PAYLOAD_BYTES..].copy_from_slice(&mac[..VALUE_BYTES - PAYLOAD_BYTES]);
        value
    }

    fn judge(&self, value: &[u8], now: u64) -> Lookup {
        let mut bytes = [0; VALUE_BYTES];
        if value.len() != VALUE_CHARS
            || URL_SAFE_NO_PAD.decode_slice(value, &mut bytes) != Ok(VALUE_BYTES)
            || bytes[0] != FORMAT
        {
            return Lookup::Malformed;
        }
        let Some((_, signer)) = self.signers.iter().find(|(id, _)| *id == bytes[1]) else {
            return Lookup::UnknownKey;
        };
        let mac = signer.clone().chain_update(&bytes[..PAYLOAD_BYTES]);
        let verified = mac.verify_truncated_left(&bytes[PAYLOAD_BYTES..]);
        if verified.is_err() && !crate::planted("affinity_mac_not_checked") {
            return Lookup::BadMac;
        }
        let pin = Pin {
            incarnation: Incarnation::new(number(&bytes[2..10])),
            issued: number(&bytes[10..15]),
            seen: number(&bytes[15..20]),
        };
        self.judge_again(pin, now)
    }

    /// Judges the pin of a cookie that was [`Valid`](Lookup::Valid) before, byte for byte the same, by its dates alone.
    #[must_use]
    pub fn judge_again(&self, pin: Pin, now: u64) -> Lookup {
        let ahead = now + SKEW_MAX.as_secs();
        if pin.issued > ahead || pin.seen > ahead {
            return Lookup::Future;
        }
        if now.saturating_sub(pin.issued) >= self.life_max {
            return Lookup::ExpiredLife;
        }
        if now.saturating_sub(pin.seen) >= self.idle_max {
            return Lookup::ExpiredIdle;
        }
        Lookup::Valid(pin)
    }
}

impl fmt::Debug for AffinityCookies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AffinityCookies")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An HMAC that has absorbed everything that all cookies of the pool share.
fn signer(key: &[u8; 32], scope: &str) -> Hmac<Sha256> {
    let length = u64::try_from(scope.len()).expect("a length fits 64 bits");
    Hmac::<Sha256>::new_from_slice(key)
        .expect("HMAC takes keys of any length")
        .chain_update(b"anynode affinity\0")
        .chain_update(length.to_be_bytes())
        .chain_update(scope)
}

fn number(bytes: &[u8]) -> u64 {
    let fold = |number, byte: &u8| number << 8 | u64::from(*byte);
    bytes.iter().fold(0, fold)
}

// === impl CookieRulesError ===

impl fmt::Display for CookieRulesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(
                formatter,
                "the affinity cookie's name has to be 1 to {} letters, digits, and characters such as - and _",
                COOKIE_BYTES_MAX - 1 - VALUE_CHARS
            ),
            Self::NamePromisesSecure => formatter.write_str(
                "an affinity cookie whose name begins with __Host- or __Secure- needs a secure transport",
            ),
            Self::Time => write!(
                formatter,
                "the affinity cookie's times have to be from {} s to {} days",
                AFFINITY_LEAST.as_secs(),
                AFFINITY_MOST.as_secs() / 86_400
            ),
        }
    }
}

impl Error for CookieRulesError {}

#[cfg(test)]
mod tests;
