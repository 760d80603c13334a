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

mod pool;
mod round_robin;

pub use self::pool::{
    BACKENDS_MAX, BACKOFF_FIRST, BACKOFF_MAX, BackendId, BackendState, Choice, ChosenAs, Health,
    Pool, PoolFull,
};
