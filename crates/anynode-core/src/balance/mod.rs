//! Which backend answers next: the pool, its health as seen from failed connects, and the turn each backend takes.
//!
//! Nothing here opens a socket or reads a clock.
//! Every call that depends on time takes `now`, the time since any fixed origin of the caller.
//!
//! ```
//! use anynode_core::balance::{BackendId, Pool};
//! use std::num::NonZeroU16;
//! use std::time::Duration;
//!
//! let mut pool = Pool::new();
//! for id in 1..=3 {
//!     pool.insert(BackendId::new(id), NonZeroU16::MIN)?;
//! }
//!
//! let now = Duration::ZERO;
//! let first = pool.choose(&[], now).expect("three backends are ready");
//! pool.connect_failed(first, now);
//! let second = pool.choose(&[first.backend()], now).expect("two are left");
//! assert_ne!(first.backend(), second.backend());
//! # Ok::<(), anynode_core::balance::PoolFull>(())
//! ```

mod backend;
mod health;
mod pool;
mod round_robin;

mod affinity;
mod prefix;

pub use self::affinity::{
    CookieAffinity, KEYS_MAX, KeyRing, KeyRingError, SourceAffinity, Transport, WhenGone,
};
pub use self::backend::{BackendId, Incarnation};
pub use self::health::{BACKOFF_FIRST, BACKOFF_MAX, EJECTED_PERCENT_MAX, Ejection, Thresholds};
pub use self::pool::{
    BACKENDS_MAX, BackendState, Balance, Choice, ChosenAs, Health, Pool, PoolFull,
};
pub use self::prefix::{AddressPrefix, PrefixError};
