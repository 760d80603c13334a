//! Which backend answers next: the pool, its health, the turn each backend takes, and the clients that stay on one.
//!
//! Nothing here opens a socket or reads a clock.
//! Every call that depends on time takes `now`, the time since any fixed origin of the caller.
//!
//! ```
//! use anynode_core::balance::{BackendId, Incarnation, Pool, Rules};
//! use std::num::NonZeroU16;
//! use std::time::Duration;
//!
//! let mut pool = Pool::new(Rules::default());
//! for id in 1..=3 {
//!     pool.insert(BackendId::new(id), Incarnation::new(id), NonZeroU16::MIN)?;
//! }
//!
//! let now = Duration::ZERO;
//! let first = pool.choose(&[], now).expect("three backends are ready");
//! pool.connect_failed(first, now);
//! let second = pool.choose(&[first.backend()], now).expect("two are left");
//! assert_ne!(first.backend(), second.backend());
//! # Ok::<(), anynode_core::balance::PoolFull>(())
//! ```

mod pool;

mod backend;
mod condition;
mod health;
mod queue;
mod round_robin;

mod affinity;
mod prefix;
mod source;

pub use self::affinity::{
    AFFINITY_LEAST, AFFINITY_MOST, AffinityCookies, AffinityOutcome, CANDIDATES_MAX,
    COOKIE_BYTES_MAX, CookieAffinity, CookieRulesError, KEYS_MAX, KeyRing, KeyRingError, Lookup,
    Pin, Route, SKEW_MAX, SourceAffinity, Transport, WhenGone, decide, without_cookie,
};
pub use self::backend::{BackendId, Incarnation};
pub use self::health::{
    Answer, BACKOFF_FIRST, BACKOFF_MAX, Check, EJECTED_PERCENT_MAX, Ejection, Thresholds,
};
pub use self::pool::{
    BACKENDS_MAX, BackendState, Balance, Choice, ChosenAs, Duty, Gone, Health, Pool, PoolFull,
    Rules, Tenure,
};
pub use self::prefix::{AddressPrefix, PrefixError};
pub use self::queue::{Patience, Queue, Ticket, Want};
pub use self::source::Source;
