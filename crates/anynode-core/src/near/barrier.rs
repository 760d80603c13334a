//! When a barrier has passed on a channel that follows one primary or several.

use std::{collections::VecDeque, time::Duration};

use crate::{store::BarrierId, time::Timestamp};

/// The barriers of one channel that have begun and not passed.
///
/// A barrier passes when *every* primary has answered it and has pushed the canary, a write of
/// this very barrier that the node hears of as it hears of others' writes. The answer alone
/// would prove that requests get through, not that pushes do.
///
/// ```
/// # use anynode_core::{Timestamp, near::{Barriers, Sign}};
/// # use std::time::Duration;
/// let mut barriers = Barriers::default();
/// let id = barriers.begin(1, Duration::ZERO);
/// assert!(barriers.heard(id, 0, Sign::Answer(Timestamp::from_millis(7))).is_empty());
/// let passed = barriers.heard(id, 0, Sign::Canary);
/// assert_eq!((passed[0].id, passed[0].at), (id, Timestamp::from_millis(7)));
/// ```
#[derive(Debug, Default)]
pub struct Barriers {
    begun: VecDeque<Begun>,
    newest: u64,
    last: Timestamp,
}

/// What a primary did about a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It took the heartbeat, at this time of its clock.
    Answer(Timestamp),
    /// It pushed the canary.
    Canary,
    /// It took part, and has nothing that a canary could be written to: a primary of a cluster
    /// that serves no slot.
    Bare(Timestamp),
}

/// A barrier that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Which.
    pub id: BarrierId,
    /// The store's clock: of several primaries the slowest, and never before an earlier one.
    pub at: Timestamp,
}

#[derive(Debug)]
struct Begun {
    id: BarrierId,
    since: Duration,
    primaries: Vec<Primary>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Primary {
    answered: Option<Timestamp>,
    canary: bool,
}

// === impl Barriers ===

impl Barriers {
    /// None under way; the next one is numbered just after `newest`.
    pub fn after(newest: BarrierId) -> Self {
        Self {
            newest: newest.0,
            ..Self::default()
        }
    }

    /// Begins a barrier that so many primaries take part in. `now` is the node's boot clock.
    pub fn begin(&mut self, primaries: usize, now: Duration) -> BarrierId {
        self.newest += 1;
        let id = BarrierId(self.newest);
        self.begun.push_back(Begun {
            id,
            since: now,
            primaries: vec![Primary::default(); primaries],
        });
        id
    }

    /// Notes a sign of the primary with this number, and answers what passes by it, in the
    /// order in which it began. A sign of a barrier that is not under way is ignored.
    pub fn heard(&mut self, id: BarrierId, primary: usize, sign: Sign) -> Vec<Passed> {
        let begun = self.begun.iter_mut().find(|begun| begun.id == id);
        let Some(primary) = begun.and_then(|begun| begun.primaries.get_mut(primary)) else {
            return Vec::new();
        };
        match sign {
            Sign::Answer(at) => primary.answered = Some(at),
            Sign::Canary => primary.canary = true,
            Sign::Bare(at) => {
                *primary = Primary {
                    answered: Some(at),
                    canary: true,
                }
            }
        }
        let mut passed = Vec::new();
        while let Some(at) = self.begun.front().and_then(Begun::passed) {
            let id = self.begun.pop_front().expect("it was at the front").id;
            self.last = self.last.max(at);
            passed.push(Passed { id, at: self.last });
        }
        passed
    }

    /// Whether a barrier has not passed within `limit`: then the channel is lost, because a push
    /// that does not come is a push that may have been dropped.
    pub fn overdue(&self, limit: Duration, now: Duration) -> bool {
        let oldest = self.begun.front();
        oldest.is_some_and(|begun| now.saturating_sub(begun.since) >= limit)
    }

    /// When the oldest barrier under way began.
    pub fn oldest(&self) -> Option<Duration> {
        self.begun.front().map(|begun| begun.since)
    }
}

// === impl Begun ===

impl Begun {
    fn passed(&self) -> Option<Timestamp> {
        let proved = |primary: &Primary| match crate::planted("barrier_without_canary") {
            true => primary.answered,
            false => primary.answered.filter(|_| primary.canary),
        };
        let times: Option<Vec<_>> = self.primaries.iter().map(proved).collect();
        times?.into_iter().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_000);
    const EARLIER: Timestamp = Timestamp::from_millis(900);
    const ZERO: Duration = Duration::ZERO;

    fn begun(primaries: usize) -> (Barriers, BarrierId) {
        let mut barriers = Barriers::default();
        let id = barriers.begin(primaries, ZERO);
        (barriers, id)
    }

    #[test]
    fn a_barrier_passes_by_answer_and_canary_in_either_order() {
        for signs in [
            [Sign::Answer(AT), Sign::Canary],
            [Sign::Canary, Sign::Answer(AT)],
        ] {
            let (mut barriers, id) = begun(1);
            assert_eq!(barriers.heard(id, 0, signs[0]), []);
            assert_eq!(barriers.heard(id, 0, signs[1]), [Passed { id, at: AT }]);
            assert_eq!(barriers.oldest(), None);
        }
    }

    #[test]
    fn a_sign_that_is_repeated_proves_nothing_more() {
        let (mut barriers, id) = begun(1);
        assert_eq!(barriers.heard(id, 0, Sign::Canary), []);
        assert_eq!(barriers.heard(id, 0, Sign::Canary), []);
    }

    #[test]
    fn a_barrier_passes_when_all_primaries_have_proved_it_by_the_slowest_clock() {
        let (mut barriers, id) = begun(3);
        barriers.heard(id, 0, Sign::Answer(AT));
        barriers.heard(id, 0, Sign::Canary);
        barriers.heard(id, 2, Sign::Bare(AT));
        barriers.heard(id, 1, Sign::Canary);
        let passed = barriers.heard(id, 1, Sign::Answer(EARLIER));
        assert_eq!(passed, [Passed { id, at: EARLIER }]);
    }

    #[test]
    fn barriers_pass_in_the_order_in_which_they_began_and_time_goes_on() {
        let (mut barriers, first) = begun(1);
        let second = barriers.begin(1, ZERO);
        barriers.heard(second, 0, Sign::Bare(EARLIER));
        let passed = barriers.heard(first, 0, Sign::Bare(AT));
        let expected = [first, second].map(|id| Passed { id, at: AT });
        assert_eq!(passed, expected);
    }

    #[test]
    fn a_sign_of_nothing_under_way_is_ignored() {
        let (mut barriers, id) = begun(1);
        assert_eq!(barriers.heard(BarrierId(9), 0, Sign::Bare(AT)), []);
        assert_eq!(barriers.heard(id, 1, Sign::Bare(AT)), []);
    }

    #[test]
    fn a_barrier_that_does_not_pass_in_time_is_overdue() {
        let limit = Duration::from_secs(1);
        let (mut barriers, id) = begun(1);
        assert!(!barriers.overdue(limit, Duration::from_millis(999)));
        barriers.heard(id, 0, Sign::Answer(AT));
        assert!(barriers.overdue(limit, limit), "its canary never came");
        barriers.heard(id, 0, Sign::Canary);
        assert!(!barriers.overdue(limit, limit));
    }
}
