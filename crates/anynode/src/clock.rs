//! The clocks of this machine: the only place that asks it for the time.

use std::{
    future::Future,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anynode_core::{Clock, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// The wall clock of this machine.
///
/// Stores without a clock of their own judge lifetimes by it, so it has to be right to within
/// a second on every node: run a time daemon.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Time since this machine booted, suspend included.
///
/// `Instant` stops while a machine is suspended, so a copy would look younger than it is.
pub(crate) fn boot_time() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let time = match anynode_core::planted("clock_stands_still_in_suspend") {
        true => clock_gettime(ClockId::Monotonic),
        false => clock_gettime(CLOCK),
    };
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Waits for `future` at most `limit`; `None` when that was not enough.
///
/// A future that is ready at once costs no timer: that is every read from memory or SQLite.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let first = std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    });
    if let Some(output) = first.await {
        return Some(output);
    }
    tokio::time::timeout(limit, future).await.ok()
}
