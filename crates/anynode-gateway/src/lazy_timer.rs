//! Timers that are set for every request and hardly ever run out.
//!
//! tokio's own timers are put in order when they are set and taken out when they are dropped, which costs
//! more than all else a waiting request does. This one stays where it is, and is put in order anew only
//! when it ran out for a deadline that has long been met.
//!
//! It stays in another thread's runtime: a runtime with a timer in order has the kernel set one too
//! each time it waits, which costs about as much as a clock read and a lock, twice for each request.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for one deadline after the other, of which the later one is seldom the earlier.
///
/// It wakes the task that polled it last, so it belongs to one task.
#[derive(Debug)]
pub(crate) struct LazyTimer {
    /// The runtime that the timer is in.
    keeper: Handle,
    /// Made when first there was something to wait for.
    sleep: Mutex<Option<Pin<Box<Sleep>>>>,
}

/// The time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// The timer as hyper takes it, for the heads of requests.
#[derive(Clone, Debug)]
pub(crate) struct HeadTimer {
    lazy: Arc<LazyTimer>,
}

/// One deadline of hyper's.
struct HeadSleep {
    lazy: Arc<LazyTimer>,
    deadline: Instant,
}

// === impl LazyTimer ===

impl LazyTimer {
    /// Returns a timer of a runtime that has to outlive the task.
    pub(crate) fn new(keeper: Handle) -> Self {
        Self {
            keeper,
            sleep: Mutex::default(),
        }
    }

    /// Awaits `future`, but not longer than `duration`.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if it was not ready by then; it may be awaited again.
    pub(crate) async fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let deadline = Instant::now() + duration;
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            self.poll(deadline, context).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Is ready when the deadline has passed.
    fn poll(&self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.sleep.lock().expect("no holder of a timer panics");
        let sleep = sleep.get_or_insert_with(|| {
            let _entered = self.keeper.enter();
            Box::pin(sleep_until(deadline))
        });
        loop {
            if deadline < sleep.deadline() {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(context));
            if deadline <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

// === impl HeadTimer ===

impl HeadTimer {
    pub(crate) fn new(keeper: Handle) -> Self {
        Self {
            lazy: Arc::new(LazyTimer::new(keeper)),
        }
    }
}

impl rt::Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until((Instant::now() + duration).into_std())
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(HeadSleep {
            lazy: Arc::clone(&self.lazy),
            deadline: Instant::from_std(deadline),
        })
    }
}

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.lazy.poll(self.deadline, context)
    }
}

impl rt::Sleep for HeadSleep {}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    async fn elapses(timer: &LazyTimer, duration: Duration) -> Duration {
        let begun = Instant::now();
        let awaited = timer.timeout(duration, pending::<()>()).await;
        assert_eq!(awaited, Err(Elapsed));
        begun.elapsed()
    }

    #[tokio::test]
    async fn a_deadline_that_was_met_neither_shortens_nor_lengthens_the_next_one() {
        let timer = LazyTimer::new(Handle::current());
        // Not polled for a deadline at all, for a later one, and for an earlier one.
        assert_eq!(timer.timeout(LONG, ready(1)).await, Ok(1));
        for before in [LONG, SHORT / 2] {
            let yielding = timer.timeout(before, tokio::task::yield_now());
            assert_eq!(yielding.await, Ok(()));
            assert!(elapses(&timer, SHORT).await >= SHORT);
        }
    }

    #[tokio::test]
    async fn a_deadline_holds_again_after_it_ran_out() {
        let timer = LazyTimer::new(Handle::current());
        for _ in 0..3 {
            assert!(elapses(&timer, SHORT).await >= SHORT);
        }
    }
}
