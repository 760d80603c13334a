//! What makes a backend unhealthy, and for how long: the numbers.

use std::num::NonZeroU32;
use std::time::Duration;

/// The largest part of a pool that may be away before ejection stops, in percent.
///
/// An error that all backends share, such as a broken database, is not cured by
/// sending everybody to the last one left.
pub const EJECTED_PERCENT_MAX: usize = 50;

/// How long a backend is left alone after its first failed connect.
///
/// Short, because a node that restarts is back in well under a second.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// The longest a backend is left alone, however often its connects failed.
///
/// It bounds how late a backend that came back gets its first request.
pub const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// How many checks in a row change what is believed of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "written with struct update syntax"
)]
pub struct Thresholds {
    /// How many checks in a row must succeed until a failing backend is ready again; 2 by default.
    pub rise: NonZeroU32,
    /// How many checks in a row must fail until a ready backend is failing; 3 by default,
    /// so that one lost packet ends nobody's affinity.
    pub fall: NonZeroU32,
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The backend answered as a sound one does, in time.
    Passed,
    /// It did not.
    Failed,
}

/// How a backend answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As a sound backend does.
    Good,
    /// With an error of its own, see [`Ejection`].
    Bad,
    /// Not at all, though the request was written.
    Missing,
}

/// When a backend that can be connected to is left alone for what it answers.
///
/// Bad is an answer of 500 or above, but for 501 and 505, which are about the request, and no answer at all.
/// Never more than [`EJECTED_PERCENT_MAX`] of the pool is away because of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "written with struct update syntax"
)]
pub struct Ejection {
    /// How many bad answers in a row eject a backend; 5 by default.
    pub failures: NonZeroU32,
    /// How long the first ejection lasts; 1 s by default. Each further one in a row lasts twice as long.
    pub first: Duration,
    /// The longest an ejection lasts; 30 s by default.
    pub longest: Duration,
}

// === impl Answer ===

impl Answer {
    /// Returns what an answer of this status says about its backend.
    ///
    /// Statuses below 500 are about the request, and so are 501 (Not Implemented) and
    /// 505 (HTTP Version Not Supported).
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            501 | 505 => Self::Good,
            500.. => Self::Bad,
            _ => Self::Good,
        }
    }
}

// === impl Thresholds ===

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            rise: NonZeroU32::new(2).expect("2 is not 0"),
            fall: NonZeroU32::new(3).expect("3 is not 0"),
        }
    }
}

// === impl Ejection ===

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::new(5).expect("5 is not 0"),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}
