//! Replacing all backends at once, as a file of them that changed says.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;

use anynode_core::balance::{BACKENDS_MAX, BackendId, Duty};

use super::{Backends, Shared};
use crate::config::Backend;

/// Why backends cannot be those of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendsError {
    /// There are more than [`BACKENDS_MAX`].
    TooMany,
    /// Two backends have this name.
    Twice(String),
}

// === impl Backends ===

impl Backends {
    /// Makes these the backends, all at once.
    ///
    /// One whose name, incarnation and address are as before keeps its health, its requests in flight and its
    /// idle connections, whatever its weight, bound and duty are now.
    /// One of which anything else changed is [inserted](Self::insert) anew, and those that are not named are removed.
    ///
    /// # Errors
    ///
    /// [`BackendsError`] if two have one name or there are too many; nothing has changed then.
    pub fn replace_all(&self, backends: Vec<Backend>) -> Result<(), BackendsError> {
        BackendsError::check(&backends)?;
        let ids: HashSet<BackendId> = backends.iter().map(Backend::id).collect();
        {
            let mut shared = self.lock();
            let gone: Vec<_> = shared.seats.keys().copied().collect();
            for id in gone.into_iter().filter(|id| !ids.contains(id)) {
                shared.remove(id);
            }
            for backend in backends {
                shared.replace(backend);
            }
        }
        self.changed();
        Ok(())
    }
}

// === impl Shared ===

impl Shared {
    fn replace(&mut self, backend: Backend) {
        let id = backend.id();
        if !self.is_same(id, &backend) {
            let inserted = self.insert(backend);
            return inserted.expect("no more backends are inserted than fit");
        }
        self.pool.reweigh(id, backend.weight);
        self.pool.bound(id, backend.in_flight_max);
        match backend.duty {
            Duty::Serving => self.pool.serve(id),
            Duty::Draining => self.pool.drain(id),
        }
    }

    fn is_same(&self, id: BackendId, backend: &Backend) -> bool {
        self.seats.get(&id).is_some_and(|seat| {
            seat.incarnation == backend.incarnation && seat.address == backend.address
        })
    }
}

// === impl BackendsError ===

impl BackendsError {
    /// Finds out whether these can be the backends of one pool.
    pub(crate) fn check(backends: &[Backend]) -> Result<(), Self> {
        if backends.len() > BACKENDS_MAX {
            return Err(Self::TooMany);
        }
        let mut ids = HashSet::new();
        match backends.iter().find(|backend| !ids.insert(backend.id())) {
            Some(backend) => Err(Self::Twice(backend.name.clone())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for BackendsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(formatter, "there are more than {BACKENDS_MAX} backends"),
            Self::Twice(name) => write!(formatter, "two backends have the name {name:?}"),
        }
    }
}

impl Error for BackendsError {}
