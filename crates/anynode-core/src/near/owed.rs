//! When a node has proved what whoever called the roll wants to know.

use crate::store::{BarrierId, RollId};

/// What one node owes to those who called the roll, over one channel.
///
/// A call is answered when a barrier has passed that *began after the call was heard*: then
/// everything that was acknowledged before the call was applied here. A barrier that was under
/// way already proves less: it may have begun before what is to be confirmed was acknowledged.
///
/// However many calls are heard while one is being proved, they cost one barrier more, and one
/// answer, because the answer to a call stands for all before it.
///
/// ```
/// # use anynode_core::{BarrierId, RollId, near::Owed};
/// let mut owed = Owed::default();
/// owed.heard(RollId(7));
/// assert!(owed.is_due());
/// owed.began(BarrierId(2));
/// assert_eq!(owed.passed(BarrierId(1)), None);
/// assert_eq!(owed.passed(BarrierId(2)), Some(RollId(7)));
/// ```
#[derive(Debug, Default)]
pub struct Owed {
    /// The newest call that no barrier was begun for.
    heard: Option<RollId>,
    /// The barrier that proves a call when it passes.
    proving: Option<(BarrierId, RollId)>,
}

// === impl Owed ===

impl Owed {
    /// Notes that the roll was called.
    pub fn heard(&mut self, roll: RollId) {
        self.heard = self.heard.max(Some(roll));
    }

    /// Whether a barrier is to be begun now, without waiting for the next heartbeat.
    pub fn is_due(&self) -> bool {
        self.heard.is_some() && self.proving.is_none()
    }

    /// Notes that a barrier was begun, for this or as a heartbeat.
    pub fn began(&mut self, barrier: BarrierId) {
        if self.proving.is_none() {
            self.proving = self.heard.take().map(|roll| (barrier, roll));
        }
    }

    /// Notes that a barrier has passed, and tells which call is to be answered now. Barriers pass
    /// in the order in which they began, so that a later one proves as much.
    pub fn passed(&mut self, barrier: BarrierId) -> Option<RollId> {
        if crate::planted("roll_answered_by_any_barrier") {
            let proved = self.proving.take().map(|(_, roll)| roll);
            return proved.max(self.heard.take());
        }
        let (_, roll) = self.proving.take_if(|(begun, _)| *begun <= barrier)?;
        Some(roll)
    }

    /// Notes that the channel was lost, or that anything may have happened: what was heard before
    /// is answered no more. Whoever still waits calls again.
    pub fn lost(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: RollId = RollId(5);
    const SECOND: RollId = RollId(6);

    fn heard(roll: RollId) -> Owed {
        let mut owed = Owed::default();
        owed.heard(roll);
        owed
    }

    #[test]
    fn nothing_is_owed_before_the_roll_was_called() {
        let mut owed = Owed::default();
        owed.began(BarrierId(1));
        assert!(!owed.is_due());
        assert_eq!(owed.passed(BarrierId(1)), None);
    }

    #[test]
    fn a_call_is_answered_by_a_barrier_that_began_after_it_was_heard() {
        let mut owed = Owed::default();
        owed.began(BarrierId(1));
        owed.heard(FIRST);
        assert!(owed.is_due());
        assert_eq!(owed.passed(BarrierId(1)), None, "it was under way before");
        owed.began(BarrierId(2));
        assert!(!owed.is_due());
        assert_eq!(owed.passed(BarrierId(2)), Some(FIRST));
        assert_eq!(owed.passed(BarrierId(2)), None, "once");
    }

    #[test]
    fn a_barrier_between_does_not_prove_what_a_later_one_is_to_prove() {
        let mut owed = heard(FIRST);
        owed.began(BarrierId(2));
        assert_eq!(owed.passed(BarrierId(1)), None);
        assert_eq!(owed.passed(BarrierId(3)), Some(FIRST), "in order");
    }

    #[test]
    fn calls_that_come_while_one_is_proved_cost_one_barrier_more() {
        let mut owed = heard(FIRST);
        owed.began(BarrierId(1));
        for roll in 6..100 {
            owed.heard(RollId(roll));
            owed.began(BarrierId(roll));
        }
        assert!(!owed.is_due(), "the first is not proved yet");
        assert_eq!(owed.passed(BarrierId(1)), Some(FIRST));
        assert!(owed.is_due());
        owed.began(BarrierId(100));
        assert_eq!(owed.passed(BarrierId(100)), Some(RollId(99)));
        assert!(!owed.is_due());
    }

    #[test]
    fn a_call_that_is_heard_late_takes_no_newer_one_back() {
        let mut owed = heard(SECOND);
        owed.heard(FIRST);
        owed.began(BarrierId(1));
        assert_eq!(owed.passed(BarrierId(1)), Some(SECOND));
    }

    #[test]
    fn a_loss_forgets_what_was_heard_and_what_was_to_prove_it() {
        let mut owed = heard(FIRST);
        owed.began(BarrierId(1));
        owed.heard(SECOND);
        owed.lost();
        assert!(!owed.is_due());
        assert_eq!(owed.passed(BarrierId(1)), None);
    }
}
