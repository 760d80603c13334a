//! Affinity: a client stays on one backend, by a signed cookie or by its address.

mod cookie;
mod decide;
mod header;
mod key;

use std::time::Duration;

pub use self::cookie::{
    AFFINITY_LEAST, AFFINITY_MOST, AffinityCookies, CANDIDATES_MAX, COOKIE_BYTES_MAX,
    CookieRulesError, Lookup, Pin, SKEW_MAX,
};
pub use self::decide::{AffinityOutcome, Route, decide};
pub use self::header::without_cookie;
pub use self::key::{KEYS_MAX, KeyRing, KeyRingError};

/// Affinity by a cookie that names an [`Incarnation`](super::Incarnation) and is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CookieAffinity {
    /// The cookie's name; by default `__Host-anynode-affinity`, or `anynode-affinity` where
    /// [`transport`](Self::transport) is [`Insecure`](Transport::Insecure).
    ///
    /// A name that begins with `__Host-` or `__Secure-` needs [`Transport::Secure`].
    pub name: Option<String>,
    /// What the cookie's signature is bound to besides its content; empty by default.
    ///
    /// Two pools that share keys need different scopes, or a client could carry its place in one to the other.
    pub scope: String,
    /// The keys it is signed and verified with; every gateway of a fleet needs the same.
    pub keys: KeyRing,
    /// How long an unused cookie counts; 24 h by default, because it has to outlive the session
    /// that the backend keeps for its client.
    ///
    /// A cookie in use is sent again when it was last sent an eighth of this ago, so it may end up to
    /// an eighth early, and never late.
    pub idle_max: Duration,
    /// How long a client stays on one backend, however much it is used; 30 days by default.
    pub life_max: Duration,
    /// What happens when the backend is gone, or full for too long; [`WhenGone::Rebalance`] by default.
    pub when_gone: WhenGone,
    /// Whether clients come over TLS; [`Transport::Secure`] by default.
    pub transport: Transport,
}

/// What happens to a request whose cookie names a backend that is unknown, down, or cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WhenGone {
    /// It goes to another backend, and the client stays there from then on.
    ///
    /// If its own is only full, another serves this one request, and the client keeps its cookie.
    #[default]
    Rebalance,
    /// It is answered 503 with `Retry-After`, and the client keeps its cookie.
    ///
    /// For backends whose state is worth waiting for, because it comes back with them.
    Refuse,
}

/// Over what clients come to the site, which decides what protects the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Transport {
    /// TLS, ended by the gateway or by a proxy before it: the cookie is `Secure`.
    #[default]
    Secure,
    /// Plain HTTP, as on a developer's machine: the cookie has no `Secure`.
    Insecure,
}

/// Affinity by the client's address: the same prefix goes to the same backend.
///
/// Clients behind one address share a backend, and a client that changes its address
/// changes its backend: the affinity of last resort, for clients without cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "written with struct update syntax"
)]
pub struct SourceAffinity {
    /// How many bits of an IPv4 address count, at most 32; 32 by default.
    pub prefix_v4: u8,
    /// How many bits of an IPv6 address count, at most 128; 64 by default, because one host
    /// may use any address of its /64 and changes it daily.
    pub prefix_v6: u8,
}

// === impl CookieAffinity ===

impl CookieAffinity {
    /// Returns the defaults with these keys.
    #[must_use]
    pub fn new(keys: KeyRing) -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            name: None,
            scope: String::new(),
            keys,
            idle_max: DAY,
            life_max: DAY * 30,
            when_gone: WhenGone::default(),
            transport: Transport::default(),
        }
    }
}

// === impl SourceAffinity ===

impl Default for SourceAffinity {
    fn default() -> Self {
        Self {
            prefix_v4: 32,
            prefix_v6: 64,
        }
    }
}
