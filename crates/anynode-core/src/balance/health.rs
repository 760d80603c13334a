//! What makes a backend unhealthy, and for how long: the operator's numbers, and how long a back-off is.

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

/// How long a backend is left alone after `failures` failures in a row.
pub(super) fn backoff(failures: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    first.saturating_mul(2_u32.pow(doublings)).min(longest)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_off_doubles_from_its_first_to_its_longest() {
        let millis = |failures| backoff(failures, BACKOFF_FIRST, BACKOFF_MAX).as_millis();
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7].map(millis),
            [100, 200, 400, 800, 1600, 2000, 2000]
        );
        assert_eq!(millis(u32::MAX), 2000);
    }
}
