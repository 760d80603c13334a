//! What the suite asks of its user: stores, tasks at the same time, and time itself.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{ManualClock, Store, Timestamp};

/// Something to be run beside others.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Handles on one store that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Vec<Arc<dyn Store>>> + Send>>;

/// Runs tasks: on threads, or on the runtime that the store needs.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs the tasks at the same time and returns when all have ended. Tasks that merely take
    /// turns expose few races; laws that count exposed trials then fail.
    ///
    /// # Panics
    /// As soon as one of the tasks panics: others may be waiting for what it will not do.
    async fn parallel(&self, tasks: Vec<Task>);

    /// Completes after as much real time as one is ready to wait for what has to happen: ten
    /// seconds, say. Only failures take that long.
    async fn patience(&self);
}

/// Where the laws are tried.
#[async_trait]
pub trait World: Runner {
    /// Opens one fresh and empty store, `nodes` times: each handle is what another node of the
    /// fleet would hold, with connections of its own where the store has any.
    async fn stores(&self, nodes: usize) -> Vec<Arc<dyn Store>>;

    /// Lets at least this much time pass on the clock that the store judges by; on a clock
    /// that can be moved, exactly this much.
    async fn wait(&self, by: Duration);

    /// A span that the laws may wait for a few times over, and in which a store surely answers
    /// a handful of calls: seconds on a clock that can be moved, half a second on a real one.
    fn unit(&self) -> Duration;
}

/// A world whose clock is moved by hand, for stores that take their time from a [`Clock`].
///
/// [`Clock`]: crate::Clock
pub struct MovedClock<R, O> {
    runner: R,
    open: O,
    clock: Arc<ManualClock>,
}

// === impl MovedClock ===

impl<R, O> MovedClock<R, O>
where
    R: Runner,
    O: Fn(Arc<ManualClock>, usize) -> Opening + Send + Sync,
{
    /// A world that runs tasks by `runner` and stores that `open` opens: so many handles on one
    /// fresh store with this clock.
    pub fn new(runner: R, open: O) -> Self {
        // A date of our days, so that epochs in microseconds have the size they have in use.
        let start = Timestamp::from_millis(1_790_000_000_000);
        Self {
            runner,
            open,
            clock: Arc::new(ManualClock::new(start)),
        }
    }
}

#[async_trait]
impl<R, O> Runner for MovedClock<R, O>
where
    R: Runner,
    O: Fn(Arc<ManualClock>, usize) -> Opening + Send + Sync,
{
    async fn parallel(&self, tasks: Vec<Task>) {
        self.runner.parallel(tasks).await;
    }

    async fn patience(&self) {
        self.runner.patience().await;
    }
}

#[async_trait]
impl<R, O> World for MovedClock<R, O>
where
    R: Runner,
    O: Fn(Arc<ManualClock>, usize) -> Opening + Send + Sync,
{
    async fn stores(&self, nodes: usize) -> Vec<Arc<dyn Store>> {
        (self.open)(self.clock.clone(), nodes).await
    }

    async fn wait(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn unit(&self) -> Duration {
        Duration::from_secs(10)
    }
}

impl<R, O> fmt::Debug for MovedClock<R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MovedClock({:?})", self.clock)
    }
}
