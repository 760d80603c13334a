//! A backend chosen for one attempt, which counts as in flight until it is dropped.

use std::net::SocketAddr;
use std::sync::Arc;

use anynode_core::balance::{Answer, Choice, ChosenAs};

use super::place::Waker;
use super::{Backends, Call, Seat, Shared};

/// A backend to try, and where it answers.
///
/// Whatever becomes of the request, its client's abort included, dropping this says that it is over.
#[derive(Debug)]
pub(crate) struct Target {
    choice: Choice,
    seat: Arc<Seat>,
    backends: Backends,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    InFlight,
    Over,
}

// === impl Target ===

impl Target {
    pub(super) fn new(choice: Choice, seat: Arc<Seat>, backends: Backends) -> Self {
        seat.counters.requests.increment(1);
        seat.counters.in_flight.increment(1);
        Self {
            choice,
            seat,
            backends,
            phase: Phase::InFlight,
        }
    }

    pub(crate) fn choice(&self) -> Choice {
        self.choice
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.seat.address
    }

    /// The backend's name, for logs.
    pub(crate) fn name(&self) -> &str {
        &self.seat.name
    }

    /// The number of the backend's seat, by which idle connections to it are kept.
    pub(crate) fn serial(&self) -> u64 {
        self.seat.serial
    }

    /// Counts that the request goes elsewhere, or here again.
    pub(crate) fn retried(&self) {
        self.seat.counters.retries.increment(1);
    }

    pub(crate) fn connected(&self) {
        let now = self.backends.inner.clock.now();
        self.backends.lock().pool.connected(self.choice, now);
    }

    pub(crate) fn connect_failed(&self) {
        let now = self.backends.inner.clock.now();
        let health = self.backends.lock().pool.connect_failed(self.choice, now);
        let Self { backends, seat, .. } = self;
        backends.learned(seat, health, "a failed connect");
    }

    pub(crate) fn connect_timed_out(&self) {
        let now = self.backends.inner.clock.now();
        let health = {
            let mut shared = self.backends.lock();
            shared.pool.connect_timed_out(self.choice, now)
        };
        let Self { backends, seat, .. } = self;
        backends.learned(seat, health, "a connect that timed out");
    }

    /// Tells whether nothing speaks against trying this backend again.
    pub(crate) fn is_sound(&self) -> bool {
        let now = self.backends.inner.clock.now();
        self.backends.lock().pool.is_sound(self.choice, now)
    }

    /// Reports an answer; cheap if it is good and nothing else was expected.
    pub(crate) fn answered(&self, answer: Answer) {
        if answer == Answer::Good && self.choice.chosen_as() == ChosenAs::Ready {
            return;
        }
        let now = self.backends.inner.clock.now();
        let health = self.backends.lock().pool.answered(self.choice, answer, now);
        let Self { backends, seat, .. } = self;
        backends.learned(seat, health, "its answers");
    }

    /// Ends the attempt, and tells whether the backend is still where it was, so that a connection to it is worth keeping.
    pub(crate) fn finish(mut self) -> bool {
        self.over()
    }

    fn over(&mut self) -> bool {
        if self.phase == Phase::Over {
            return false;
        }
        self.phase = Phase::Over;
        self.seat.counters.in_flight.decrement(1);
        let mut shared = self.backends.lock();
        let is_there = shared.pool.finish(self.choice);
        let current = shared.seats.get(&self.choice.backend());
        let is_there =
            is_there && current.is_some_and(|current| current.serial == self.seat.serial);
        let next = self.next_in_queue(&mut shared);
        drop(shared);
        // Outside the lock: if the next one has left, its target is over as well.
        if let Some((waker, target)) = next {
            let _ = waker.send(Call::Target(target));
        }
        is_there
    }

    /// Who gets the place that this one leaves.
    fn next_in_queue(&self, shared: &mut Shared) -> Option<(Waker, Target)> {
        if shared.queue.is_empty() {
            return None;
        }
        let Shared { pool, queue, .. } = shared;
        let (backend, now) = (self.choice.backend(), self.backends.now());
        let (waker, choice) = pool.hand_over(queue, backend, now)?;
        Some((waker, self.backends.target(shared, choice)))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.over();
    }
}
