//! The pool of backends as all workers share it: core's pool, and where each backend answers.

mod replace;
mod target;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use anynode_core::balance::{
    AffinityOutcome, BackendId, BackendState, Check, Choice, Duty, Health, Incarnation, Pool,
    PoolFull, Route, Rules, decide,
};
use tokio::sync::watch;
use tracing::{info, warn};

pub use self::replace::BackendsError;
pub(crate) use self::target::Target;
use crate::affinity::Claim;
use crate::clock::Clock;
use crate::config::Backend;
use crate::counters::BackendCounters;

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
    clock: Clock,
}

#[derive(Debug)]
struct Shared {
    pool: Pool,
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
}

// === impl Backends ===

impl Backends {
    pub(crate) fn new(
        backends: Vec<Backend>,
        rules: Rules,
        clock: Clock,
    ) -> Result<Self, BackendsError> {
        let shared = Shared {
            pool: Pool::new(rules),
            seats: BTreeMap::new(),
            serial: 0,
        };
        let inner = Inner {
            shared: Mutex::new(shared),
            changes: watch::Sender::new(()),
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
        self.inner.changes.send_replace(());
        Ok(())
    }

    /// Takes a backend out; an unknown id changes nothing.
    pub fn remove(&self, id: BackendId) {
        self.lock().remove(id);
        self.inner.changes.send_replace(());
    }

    /// Gives a backend no new clients until it [serves](Self::serve) again or is inserted anew; an unknown id changes nothing.
    ///
    /// Clients whose affinity cookie names it still go there.
    pub fn drain(&self, id: BackendId) {
        self.lock().pool.drain(id);
    }

    /// Ends draining; an unknown id changes nothing.
    pub fn serve(&self, id: BackendId) {
        self.lock().pool.serve(id);
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

    /// Chooses for a request that no backend was tried for, or whose backend closed the connection it had.
    ///
    /// Also returns what became of its client's affinity.
    pub(crate) fn choose(
        &self,
        claim: Claim,
        tried: &[BackendId],
    ) -> (Chosen, Option<AffinityOutcome>) {
        let now = self.inner.clock.now();
        let mut shared = self.lock();
        let (choice, outcome) = match claim {
            Claim::None => (shared.pool.choose(tried, now), None),
            Claim::Source(source) => (shared.pool.choose_by_source(source, tried, now), None),
            Claim::Cookie {
                lookup, when_gone, ..
            } => {
                let (route, outcome) = decide(lookup, &mut shared.pool, when_gone, now);
                let choice = match route {
                    Route::Pinned(choice) => Some(choice),
                    Route::Balance => shared.pool.choose(tried, now),
                    Route::Refuse => return (Chosen::Wait, Some(outcome)),
                };
                (choice, Some(outcome))
            }
        };
        (self.target(&shared, choice), outcome)
    }

    /// Chooses for a request whose client's backend was tried and could not be reached.
    pub(crate) fn choose_another(&self, tried: &[BackendId]) -> Chosen {
        let now = self.inner.clock.now();
        let mut shared = self.lock();
        let choice = shared.pool.choose(tried, now);
        self.target(&shared, choice)
    }

    fn target(&self, shared: &Shared, choice: Option<Choice>) -> Chosen {
        let Some(choice) = choice else {
            return Chosen::Nobody;
        };
        let seat = shared.seats.get(&choice.backend()).map(Arc::clone);
        let seat = seat.expect("every backend of the pool has a seat");
        Chosen::Target(Target::new(choice, seat, self.clone()))
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
        seat.log(health, "its checks");
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
