//! The gateway's clock: the time since the gateway was started, as core's decisions want it.

use std::time::{Duration, Instant};

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
