//! The queue of requests that wait for a place at a backend that has enough: first come, first served.

use std::collections::BTreeMap;

use super::backend::{BackendId, Incarnation};

/// Requests that wait, each with what wakes it.
///
/// A place that becomes free is [handed over](super::Pool::hand_over) to the first that may have it, so that
/// no newcomer takes it away from those who were there before.
#[derive(Debug)]
pub struct Queue<W> {
    waiting: BTreeMap<Ticket, Waiting<W>>,
    most: usize,
    /// How many tickets were given; the number of the last one.
    given: u64,
}

/// A request's place in the queue: those who came earlier have a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// For whom a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// For any backend.
    Anyone,
    /// For the backend its cookie names, draining or not.
    Client(Incarnation),
    /// For the backend its address belongs to.
    Source(Incarnation),
}

/// Whether a request may wait any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It may.
    Left,
    /// It has waited for as long as it may, or there are too many who wait.
    Over,
}

#[derive(Debug)]
struct Waiting<W> {
    want: Want,
    tried: Vec<BackendId>,
    waker: W,
}

// === impl Queue ===

impl<W> Queue<W> {
    /// Returns a queue for at most this many requests.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            most,
            given: 0,
        }
    }

    /// Returns how many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Tells whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Lets a request wait that has tried these backends, `None` if there are too many who wait.
    ///
    /// One that has a ticket from before stands where it stood, whoever came since.
    pub fn join(
        &mut self,
        ticket: Option<Ticket>,
        want: Want,
        tried: &[BackendId],
        waker: W,
    ) -> Option<Ticket> {
        if self.waiting.len() >= self.most {
            return None;
        }
        let ticket = ticket.unwrap_or_else(|| {
            self.given += 1;
            Ticket(self.given)
        });
        let tried = tried.to_vec();
        let waiting = Waiting { want, tried, waker };
        self.waiting.insert(ticket, waiting);
        Some(ticket)
    }

    /// Takes out a request that waits no more; an unknown ticket changes nothing.
    pub fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// Takes everybody out, in their order, because what they wait for may have changed.
    pub fn dismiss(&mut self) -> impl Iterator<Item = W> + use<W> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().map(|waiting| waiting.waker)
    }

    /// Takes out the first whose want and tried backends are such.
    pub(super) fn call(&mut self, is_for: impl Fn(Want, &[BackendId]) -> bool) -> Option<W> {
        let mut all = self.waiting.iter();
        let (ticket, _) = all.find(|(_, waiting)| is_for(waiting.want, &waiting.tried))?;
        let ticket = *ticket;
        self.waiting.remove(&ticket).map(|waiting| waiting.waker)
    }
}
