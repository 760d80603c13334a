//! The pool of backends as all workers share it: core's pool, and where each backend answers.

mod find;
mod place;
mod replace;
mod target;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anynode_core::balance::{
    AffinityOutcome, BackendId, BackendState, Check, Choice, Duty, Health, Incarnation, Patience,
    Pool, PoolFull, Queue, Rules, Ticket, Want,
};
use tokio::sync::{oneshot, watch};
use tracing::{info, warn};

use self::find::{Found, find};
use self::place::Waker;
pub(crate) use self::place::{Call, Place};
pub use self::replace::BackendsError;
pub(crate) use self::target::Target;
use crate::affinity::Claim;
use crate::clock::Clock;
use crate::config::Backend;
use crate::counters::{BackendCounters, QueueCounters};

/// The pool of a running gateway, to change while it runs.
///
/// Clones are handles to the same pool.
/// Every change holds from the next request on; requests in flight finish where they are.
#[derive(Clone, Debug)]
pub struct Backends {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // One lock for all workers: it is held for the walk over a few backends,
    // well under a microsecond, and gives one rotation instead of one per worker.
    shared: Mutex<Shared>,
    /// Tells the checkers that backends came or went.
    changes: watch::Sender<()>,
    counters: QueueCounters,
    clock: Clock,
}

#[derive(Debug)]
struct Shared {
    pool: Pool,
    queue: Queue<Waker>,
    seats: BTreeMap<BackendId, Arc<Seat>>,
    /// How many seats there were; the number of the last one.
    serial: u64,
}

/// A backend at one address.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Tells it from every other seat there was: connections to one are worthless to the next.
    pub(crate) serial: u64,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) incarnation: Incarnation,
    counters: BackendCounters,
}

/// What the pool says to a request.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// Try this one.
    Target(Target),
    /// There is nobody to try.
    Nobody,
    /// Its client is to wait for its backend.
    Wait,
    /// Wait for one here.
    Queued(Place),
    /// All are full, and too many wait already.
    QueueFull,
    /// All are full, and waiting is over.
    Full,
}

// === impl Backends ===

impl Backends {
    pub(crate) fn new(
        backends: Vec<Backend>,
        rules: Rules,
        queue_max: usize,
        clock: Clock,
    ) -> Result<Self, BackendsError> {
        let shared = Shared {
            pool: Pool::new(rules),
            queue: Queue::new(queue_max),
            seats: BTreeMap::new(),
            serial: 0,
        };
        let inner = Inner {
            shared: Mutex::new(shared),
            changes: watch::Sender::new(()),
            counters: QueueCounters::new(),
            clock,
        };
        let this = Self {
            inner: Arc::new(inner),
        };
        this.replace_all(backends)?;
        Ok(this)
    }

    /// Adds a backend, or replaces the one of the same name, which is how a restarted node comes back on a new port.
    ///
    /// It is ready at once, and idle connections to the one it replaces are not used again.
    ///
    /// # Errors
    ///
    /// [`PoolFull`] if the pool holds as many others as it can.
    pub fn insert(&self, backend: Backend) -> Result<(), PoolFull> {
        self.lock().insert(backend)?;
        self.changed();
        Ok(())
    }

    /// Takes a backend out; an unknown id changes nothing.
    pub fn remove(&self, id: BackendId) {
        self.lock().remove(id);
        self.changed();
    }

    /// Gives a backend no new clients until it [serves](Self::serve) again or is inserted anew; an unknown id changes nothing.
    ///
    /// Clients whose affinity cookie names it still go there.
    pub fn drain(&self, id: BackendId) {
        self.lock().pool.drain(id);
        self.look_again();
    }

    /// Ends draining; an unknown id changes nothing.
    pub fn serve(&self, id: BackendId) {
        self.lock().pool.serve(id);
        self.look_again();
    }

    /// Returns every backend with its state, in the order of their first insertion.
    #[must_use]
    pub fn states(&self) -> Vec<(BackendId, BackendState)> {
        self.lock().pool.states().collect()
    }

    /// Returns how many requests are in flight at a backend; none at an unknown one.
    #[must_use]
    pub fn in_flight(&self, id: BackendId) -> u32 {
        self.lock().pool.in_flight(id)
    }

    /// Chooses for a request, or lets it wait while there is patience.
    ///
    /// Also returns what became of its client's affinity.
    /// `ticket` is of the last time that it waited.
    pub(crate) fn choose(
        &self,
        claim: Claim,
        tried: &[BackendId],
        patience: Patience,
        ticket: Option<Ticket>,
    ) -> (Chosen, Option<AffinityOutcome>) {
        let now = self.inner.clock.now();
        let mut shared = self.lock();
        let (found, outcome) = find(&mut shared.pool, claim, tried, patience, now);
        let chosen = match (found, patience) {
            (Found::Choice(choice), _) => Chosen::Target(self.target(&shared, choice)),
            (Found::Nobody, _) => Chosen::Nobody,
            (Found::Refuse, _) => Chosen::Wait,
            (Found::Full(want), Patience::Left) => self.wait(&mut shared, want, tried, ticket),
            (Found::Full(_), Patience::Over) => Chosen::Full,
        };
        (chosen, outcome)
    }

    fn target(&self, shared: &Shared, choice: Choice) -> Target {
        let seat = shared.seats.get(&choice.backend()).map(Arc::clone);
        let seat = seat.expect("every backend of the pool has a seat");
        Target::new(choice, seat, self.clone())
    }

    fn wait(
        &self,
        shared: &mut Shared,
        want: Want,
        tried: &[BackendId],
        ticket: Option<Ticket>,
    ) -> Chosen {
        let (waker, called) = oneshot::channel();
        match shared.queue.join(ticket, want, tried, waker) {
            Some(ticket) => Chosen::Queued(Place::new(ticket, called, self.clone())),
            None => Chosen::QueueFull,
        }
    }

    /// Tells everybody who waits that backends have changed.
    fn look_again(&self) {
        // Outside the lock: whoever has left drops what it is sent.
        let waiting = self.lock().queue.dismiss();
        for waker in waiting {
            let _ = waker.send(Call::LookAgain);
        }
    }

    fn changed(&self) {
        self.inner.changes.send_replace(());
        self.look_again();
    }

    fn learned(&self, seat: &Seat, health: Health, because_of: &str) {
        seat.log(health, because_of);
        if health != Health::Unchanged {
            self.look_again();
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.inner.clock.now()
    }

    pub(crate) fn counters(&self) -> &QueueCounters {
        &self.inner.counters
    }

    /// Every backend there is, for checks.
    pub(crate) fn seats(&self) -> Vec<(BackendId, Arc<Seat>)> {
        let shared = self.lock();
        let seats = shared.seats.iter();
        seats.map(|(id, seat)| (*id, Arc::clone(seat))).collect()
    }

    /// Tells when backends come or go.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.inner.changes.subscribe()
    }

    pub(crate) fn checked(&self, id: BackendId, seat: &Seat, check: Check) {
        let health = self.lock().pool.checked(id, seat.incarnation, check);
        self.learned(seat, health, "its checks");
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.inner
            .shared
            .lock()
            .expect("no holder of the pool's lock panics")
    }
}

// === impl Shared ===

impl Shared {
    fn insert(&mut self, backend: Backend) -> Result<(), PoolFull> {
        let id = backend.id();
        self.pool.insert(id, backend.incarnation, backend.weight)?;
        if backend.duty == Duty::Draining {
            self.pool.drain(id);
        }
        self.pool.bound(id, backend.in_flight_max);
        self.serial += 1;
        let seat = Seat {
            serial: self.serial,
            counters: BackendCounters::of(&backend.name),
            name: backend.name,
            address: backend.address,
            incarnation: backend.incarnation,
        };
        self.seats.insert(id, Arc::new(seat));
        Ok(())
    }

    fn remove(&mut self, id: BackendId) {
        self.pool.remove(id);
        self.seats.remove(&id);
    }
}

// === impl Seat ===

impl Seat {
    fn log(&self, health: Health, because_of: &str) {
        let Self { name, address, .. } = self;
        match health {
            Health::WentDown => warn!(backend = %name, %address, because_of, "backend is down"),
            Health::CameBack => info!(backend = %name, %address, because_of, "backend is back"),
            Health::Unchanged => {}
        }
    }
}
