//! What the pool learns: from attempts, from their answers, and from checks.

use std::time::Duration;

use super::{Choice, Pool};
use crate::balance::backend::{BackendId, Incarnation};
use crate::balance::health::{Answer, Check};

/// What an outcome changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The backend was well and is out now.
    WentDown,
    /// The backend was out and is well now.
    CameBack,
    /// It is as it was, or the outcome was about a backend that is no longer in the pool.
    Unchanged,
}

// === impl Pool ===

impl Pool {
    /// Reports that the chosen backend could not be connected to: it is down for a while.
    ///
    /// Attempts begun before the last failure was noticed belong to it and do not count again.
    pub fn connect_failed(&mut self, choice: Choice, now: Duration) -> Health {
        let Some(member) = self.chosen_mut(choice) else {
            return Health::Unchanged;
        };
        member.condition.connect_failed(choice.chosen_at, now)
    }

    /// Reports that the chosen backend took a connection, before it is asked anything over it.
    pub fn connected(&mut self, choice: Choice, now: Duration) {
        if let Some(member) = self.chosen_mut(choice) {
            member.condition.connected(now);
        }
    }

    /// Reports that a connect to the chosen backend was not answered in time.
    ///
    /// It is a failed connect like any other unless the backend took another connection meanwhile: then its
    /// queue was full, or a packet was lost, and it is well.
    /// A burst of connects would otherwise take out every backend and send all their clients elsewhere.
    pub fn connect_timed_out(&mut self, choice: Choice, now: Duration) -> Health {
        let Some(member) = self.chosen_mut(choice) else {
            return Health::Unchanged;
        };
        member.condition.connect_timed_out(choice.chosen_at, now)
    }

    /// Tells whether the chosen backend may be chosen at `now` while others are left.
    #[must_use]
    pub fn is_sound(&self, choice: Choice, now: Duration) -> bool {
        let mut members = self.members.iter();
        members.any(|member| {
            member.incarnation == choice.incarnation && member.condition.is_sound(now)
        })
    }

    /// Reports how the chosen backend answered.
    ///
    /// An accepted connection is not enough: the kernel accepts for a process that hangs.
    /// A backend that was out for what was seen of its requests is ready again after a good answer, and its
    /// next back-off starts short.
    /// A good answer is news only if it was not chosen as [`Ready`](super::ChosenAs::Ready).
    pub fn answered(&mut self, choice: Choice, answer: Answer, now: Duration) -> Health {
        let ejection = match answer {
            Answer::Good => None,
            Answer::Bad | Answer::Missing => self.rules.ejection,
        };
        let ejection = ejection.map(|ejection| (ejection, self.room()));
        let Some(member) = self.chosen_mut(choice) else {
            return Health::Unchanged;
        };
        member
            .condition
            .answered(answer, choice.chosen_at, now, ejection)
    }

    /// Reports what became of a check of this incarnation.
    pub fn checked(&mut self, id: BackendId, incarnation: Incarnation, check: Check) -> Health {
        let thresholds = self.rules.thresholds;
        let member = self.member_mut(id);
        match member.filter(|member| member.incarnation == incarnation) {
            Some(member) => member.condition.checked(check, thresholds),
            None => Health::Unchanged,
        }
    }

    /// Reports that the request of this choice is over, however it ended.
    ///
    /// Returns whether the chosen incarnation is still in the pool, so that its connection is worth keeping.
    pub fn finish(&mut self, choice: Choice) -> bool {
        let Some(member) = self.chosen_mut(choice) else {
            return false;
        };
        member.in_flight = member.in_flight.saturating_sub(1);
        true
    }
}
