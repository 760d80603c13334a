//! The pool of backends as all workers share it: core's pool, and where each backend answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use anynode_core::balance::{BackendId, BackendState, Choice, ChosenAs, Health, Pool, PoolFull};
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::Backend;

/// The pool of a running gateway, to change while it runs.
///
/// Clones are handles to the same pool.
/// Every change holds from the next request on; requests in flight finish where they are.
#[derive(Clone, Debug)]
pub struct Backends {
    // One lock for all workers: it is held for the walk over a few backends,
    // well under a microsecond, and gives one rotation instead of one per worker.
    shared: Arc<Mutex<Shared>>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Shared {
    pool: Pool,
    addresses: HashMap<BackendId, SocketAddr>,
}

/// A backend to try, and where it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) choice: Choice,
    pub(crate) address: SocketAddr,
}

// === impl Backends ===

impl Backends {
    pub(crate) fn new(backends: &[Backend], clock: Clock) -> Result<Self, PoolFull> {
        let this = Self {
            shared: Arc::default(),
            clock,
        };
        for backend in backends {
            this.insert(backend.clone())?;
        }
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
        let mut shared = self.lock();
        shared.pool.insert(backend.id(), backend.weight)?;
        shared.addresses.insert(backend.id(), backend.address);
        Ok(())
    }

    /// Takes a backend out; an unknown id changes nothing.
    pub fn remove(&self, id: BackendId) {
        let mut shared = self.lock();
        shared.pool.remove(id);
        shared.addresses.remove(&id);
    }

    /// Gives a backend no new requests until it is inserted again; an unknown id changes nothing.
    pub fn drain(&self, id: BackendId) {
        self.lock().pool.drain(id);
    }

    /// Returns every backend with its state, in the order of their first insertion.
    #[must_use]
    pub fn states(&self) -> Vec<(BackendId, BackendState)> {
        self.lock().pool.states().collect()
    }

    pub(crate) fn choose(&self, tried: &[BackendId]) -> Option<Target> {
        let now = self.clock.now();
        let mut shared = self.lock();
        let choice = shared.pool.choose(tried, now)?;
        let address = shared.addresses.get(&choice.backend()).copied();
        Some(Target {
            choice,
            address: address.expect("every backend of the pool has an address"),
        })
    }

    pub(crate) fn connect_failed(&self, target: Target) {
        let now = self.clock.now();
        let health = self.lock().pool.connect_failed(target.choice, now);
        if health == Health::WentDown {
            warn!(backend = %target.choice.backend(), address = %target.address, "backend is down");
        }
    }

    /// Reports an answer; cheap unless the backend was on trial.
    pub(crate) fn answered(&self, target: Target) {
        if target.choice.chosen_as() == ChosenAs::Ready {
            return;
        }
        let health = self.lock().pool.answered(target.choice);
        if health == Health::CameBack {
            info!(backend = %target.choice.backend(), address = %target.address, "backend is back");
        }
    }

    pub(crate) fn holds(&self, choice: Choice) -> bool {
        self.lock().pool.holds(choice)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared
            .lock()
            .expect("no holder of the pool's lock panics")
    }
}
