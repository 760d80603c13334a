//! The clock of this machine that all stamps of a history are read from.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since this machine booted, suspend included; one clock for all processes.
#[must_use]
pub(crate) fn boot_time() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
