//! Time as the rules see it: points on a store's clock, handed in by whoever asks.

use std::{
    fmt,
    ops::Add,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A point in time: milliseconds since the Unix epoch, on the clock that the store judges by.
///
/// Points of two different clocks are never compared; an answer of a store carries that
/// store's own `now` beside every deadline, so a node only ever subtracts one from the other.
///
/// ```
/// # use anynode_core::Timestamp;
/// # use std::time::Duration;
/// let now = Timestamp::from_millis(1_000);
/// let deadline = now + Duration::from_secs(2);
/// assert_eq!(deadline.since(now), Duration::from_secs(2));
/// assert_eq!(now.since(deadline), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// What a store without a clock of its own asks for the time.
///
/// The rules never call it: stores do, once per operation, and hand the answer on.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock's time now.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is told to move: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

// === impl Timestamp ===

impl Timestamp {
    /// What a clock of whole milliseconds leaves out: it may be up to this further on than it says.
    pub const GRAIN: Duration = Duration::from_millis(1);

    /// The point `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Microseconds since the Unix epoch, saturating: the unit of epochs.
    pub const fn as_micros(self) -> u64 {
        self.0.saturating_mul(1_000)
    }

    /// How long after `earlier` this point is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The point `by` before this one; the epoch when that would be earlier than it.
    pub fn back(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of time, so that no arithmetic on lifetimes can wrap around.
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

// === impl ManualClock ===

impl ManualClock {
    /// A clock that says `now` until it is moved.
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Whole milliseconds of a duration, saturating: 584 million years are enough.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
