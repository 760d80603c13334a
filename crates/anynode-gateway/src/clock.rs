//! The gateway's clock: the time since the gateway was started, as core's decisions want it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time from one fixed origin, shared by all workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock module")]
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub(crate) fn now(self) -> Duration {
        self.origin.elapsed()
    }
}

/// Seconds since 1970 by the wall clock, in which affinity cookies are dated: all gateways of a fleet read them.
#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 is wrong; with 0 every cookie is from the future, and a new one expires once it is right.
    now.map_or(0, |now| now.as_secs())
}
