//! One backend of the pool: what it may be chosen for, and how loaded it is.

use std::cmp::Ordering;
use std::num::NonZeroU16;
use std::time::Duration;

use super::{BackendState, Choice, Duty, Gone, Tenure};
use crate::balance::backend::{BackendId, Incarnation};
use crate::balance::condition::Condition;
use crate::balance::round_robin::Turn;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: BackendId,
    pub(super) incarnation: Incarnation,
    pub(super) duty: Duty,
    pub(super) condition: Condition,
    pub(super) turn: Turn,
    pub(super) in_flight: u32,
    /// The largest number there is where there is no bound, so that choosing asks one question.
    pub(super) in_flight_max: u32,
}

/// Who is a candidate in one walk over the pool.
#[derive(Clone, Copy)]
pub(super) enum Among {
    /// Those that are ready, and those whose back-off is over.
    Sound,
    /// Those that are out before their time.
    Out,
}

/// Requests in flight for a weight, compared as the fraction that it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    in_flight: u32,
    weight: NonZeroU16,
}

// === impl Member ===

impl Member {
    pub(super) fn new(id: BackendId, incarnation: Incarnation, weight: NonZeroU16) -> Self {
        Self {
            id,
            incarnation,
            duty: Duty::Serving,
            condition: Condition::default(),
            turn: Turn::new(weight),
            in_flight: 0,
            in_flight_max: u32::MAX,
        }
    }

    pub(super) fn state(&self) -> BackendState {
        match self.duty {
            Duty::Serving => match self.condition.state() {
                BackendState::Ready if !self.has_room() => BackendState::Full,
                state => state,
            },
            Duty::Draining => BackendState::Draining,
        }
    }

    pub(super) fn is_among(&self, among: Among, now: Duration) -> bool {
        let sound = self.condition.is_sound(now);
        match (self.duty, among) {
            (Duty::Draining, _) => false,
            (Duty::Serving, Among::Sound) => sound,
            (Duty::Serving, Among::Out) => !sound,
        }
    }

    /// Tells whether it takes one more request.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight < self.in_flight_max || crate::planted("full_ignored")
    }

    /// Notes that a request is sent here.
    pub(super) fn chosen(&mut self, now: Duration) -> Choice {
        self.in_flight = self.in_flight.saturating_add(1);
        Choice {
            backend: self.id,
            incarnation: self.incarnation,
            duty: self.duty,
            chosen_at: now,
            chosen_as: self.condition.chosen(now),
            tenure: Tenure::Lasting,
        }
    }

    /// Why the clients that belong here had better go elsewhere; nothing if they need not.
    pub(super) fn gone(&self, now: Duration) -> Option<Gone> {
        if self.condition.is_sound(now) || crate::planted("dead_backend_pinned") {
            return None;
        }
        Some(match self.condition.state() {
            BackendState::Failing => Gone::Failing,
            BackendState::Ejected { .. } => Gone::Ejected,
            _ => Gone::Down,
        })
    }

    pub(super) fn load(&self) -> Load {
        Load {
            in_flight: self.in_flight,
            weight: self.turn.weight(),
        }
    }
}

// === impl Load ===

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let this = u64::from(self.in_flight) * u64::from(other.weight.get());
        let that = u64::from(other.in_flight) * u64::from(self.weight.get());
        this.cmp(&that)
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Load {}
