//! A request's place in the queue for a backend that has enough.

use anynode_core::balance::Ticket;
use tokio::sync::oneshot::{self, Receiver};

use super::{Backends, Target};

/// What a request waits for.
#[derive(Debug)]
pub(crate) enum Call {
    /// This backend has room for it.
    Target(Target),
    /// Backends have changed: what it waits for may be gone, or there may be something better.
    LookAgain,
}

/// Wakes a request that waits.
pub(super) type Waker = oneshot::Sender<Call>;

/// A place in the queue, which is left when this is dropped, for instance because its client went away.
#[derive(Debug)]
pub(crate) struct Place {
    ticket: Ticket,
    called: Receiver<Call>,
    backends: Backends,
}

// === impl Place ===

impl Place {
    pub(super) fn new(ticket: Ticket, called: Receiver<Call>, backends: Backends) -> Self {
        backends.inner.counters.waiting.increment(1);
        Self {
            ticket,
            called,
            backends,
        }
    }

    /// The ticket with which its request stands where it stood if it has to wait again.
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Waits for a backend.
    pub(crate) async fn called(&mut self) -> Call {
        (&mut self.called).await.unwrap_or(Call::LookAgain)
    }

    /// Leaves the queue, and returns the backend that it was given at that very moment.
    pub(crate) fn leave(mut self) -> Option<Target> {
        self.called.close();
        match self.called.try_recv() {
            Ok(Call::Target(target)) => Some(target),
            _ => None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A target that was already sent goes to the next one when the receiver is dropped.
        self.backends.lock().queue.leave(self.ticket);
        self.backends.inner.counters.waiting.decrement(1);
    }
}
