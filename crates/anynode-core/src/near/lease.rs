//! Until when the copies of one shard of the store may be trusted.

use std::{collections::VecDeque, time::Duration};

use super::rate::{Rate, Sample};
use crate::{store::BarrierId, time::Timestamp};

/// The lease that a node holds on one shard of the store: what it knows is complete as of when
/// the last barrier that passed was *sent*, and good for one term from then.
///
/// Counted from when its answer came, it would outlast a revocation that was acknowledged while
/// the answer was on its way. Time is a [`Duration`] on the node's boot clock.
///
/// ```
/// # use anynode_core::{BarrierId, Timestamp, near::Lease};
/// # use std::time::Duration;
/// let (mut lease, millis) = (Lease::default(), Duration::from_millis);
/// lease.began(BarrierId(1), millis(100));
/// lease.passed(BarrierId(1), Timestamp::from_millis(7), millis(130));
/// assert_eq!(lease.as_of(), Some(millis(100)));
/// lease.lost();
/// assert_eq!(lease.as_of(), None);
/// ```
#[derive(Debug, Default)]
pub struct Lease {
    standing: Standing,
    begun: VecDeque<(BarrierId, Duration)>,
    rate: Rate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// No barrier has passed since the channel was opened or lost.
    #[default]
    Nothing,
    Held {
        as_of: Duration,
    },
    /// The store refused a heartbeat: it may have been deposed.
    Refused,
}

/// Barriers under way at once; more are begun only by a channel that passes none, and then the
/// oldest says that it is overdue.
const BEGUN_MAX: usize = 64;

// === impl Lease ===

impl Lease {
    /// Notes that a barrier was begun. `sent` is what the clock said *before* the channel was
    /// asked for it.
    pub fn began(&mut self, id: BarrierId, sent: Duration) {
        if self.begun.len() < BEGUN_MAX {
            self.begun.push_back((id, sent));
        }
    }

    /// Notes that a barrier has passed, and with it all before it: the lease is counted from when
    /// it was sent, unless the clock ran slower than the store's. One that is not under way
    /// proves nothing.
    pub fn passed(&mut self, id: BarrierId, at: Timestamp, now: Duration) {
        let Some(place) = self.begun.iter().position(|(begun, _)| *begun == id) else {
            return;
        };
        let mut passed = self.begun.drain(..=place);
        let (_, mut sent) = passed.next_back().expect("it was found");
        drop(passed);
        if crate::planted("lease_from_receive_time") {
            sent = now;
        }
        let heard = now;
        self.standing = match self.rate.holds(Sample { sent, heard, at }) {
            true => Standing::Held { as_of: sent },
            false => Standing::Nothing,
        };
    }

    /// Notes that everything is known as of `at`, because the store was just asked: for channels
    /// that are validated at every read.
    pub fn validated(&mut self, at: Duration) {
        self.standing = Standing::Held { as_of: at };
    }

    /// Drops the lease: the channel was lost, or anything may have happened.
    ///
    /// Barriers under way prove nothing any more, since those after a gap know nothing of it.
    pub fn lost(&mut self) {
        self.begun.clear();
        self.rate.restart();
        // A store that refused is not to be read before it has taken a heartbeat.
        if self.standing != Standing::Refused {
            self.standing = Standing::Nothing;
        }
    }

    /// Drops the lease because the store *refused* a heartbeat: it is there, and must not be
    /// read. One that merely was not answered is [`Lease::lost`].
    pub fn refused(&mut self) {
        self.lost();
        self.standing = Standing::Refused;
    }

    /// As of when everything is known; `None` without a lease. Whether that suffices `now` is
    /// for [`Horizon::suffices`](super::Horizon::suffices).
    pub fn as_of(&self) -> Option<Duration> {
        match self.standing {
            Standing::Held { as_of } => Some(as_of),
            Standing::Nothing | Standing::Refused => None,
        }
    }

    /// Whether a heartbeat was refused and no barrier has passed since.
    pub fn is_refused(&self) -> bool {
        self.standing == Standing::Refused
    }

    /// Whether a barrier has not passed within `limit`. Then the channel is lost.
    pub fn is_overdue(&self, limit: Duration, now: Duration) -> bool {
        let oldest = self.begun.front();
        oldest.is_some_and(|(_, sent)| now.saturating_sub(*sent) >= limit)
    }

    /// Whether there is no lease because the node's clock ran slower than the store's.
    pub fn is_clock_slow(&self, now: Duration) -> bool {
        self.rate.is_distrusted(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn begun(sent: &[u64]) -> Lease {
        let mut lease = Lease::default();
        for (id, sent) in (1..).zip(sent) {
            lease.began(BarrierId(id), millis(*sent));
        }
        lease
    }

    #[test]
    fn a_lease_counts_from_when_the_barrier_was_sent() {
        let mut lease = begun(&[100]);
        lease.passed(BarrierId(1), AT, millis(900));
        assert_eq!(lease.as_of(), Some(millis(100)));
    }

    #[test]
    fn a_barrier_that_passes_ends_those_before_it_and_no_later_one() {
        let mut lease = begun(&[100, 200, 300]);
        lease.passed(BarrierId(2), AT, millis(310));
        assert_eq!(lease.as_of(), Some(millis(200)));
        assert!(!lease.is_overdue(millis(50), millis(349)));
        assert!(lease.is_overdue(millis(50), millis(350)));
        lease.passed(BarrierId(1), AT, millis(320));
        assert_eq!(lease.as_of(), Some(millis(200)), "not under way");
    }

    #[test]
    fn a_loss_drops_the_lease_and_the_barriers_under_way() {
        let mut lease = begun(&[100, 200]);
        lease.passed(BarrierId(1), AT, millis(110));
        lease.lost();
        assert_eq!(lease.as_of(), None);
        lease.passed(BarrierId(2), AT, millis(210));
        assert_eq!(lease.as_of(), None);
    }

    #[test]
    fn a_refused_heartbeat_is_told_from_a_loss_until_a_barrier_passes() {
        let mut lease = begun(&[100]);
        lease.passed(BarrierId(1), AT, millis(110));
        lease.refused();
        assert_eq!((lease.as_of(), lease.is_refused()), (None, true));
        lease.lost();
        assert!(lease.is_refused(), "a loss is no authority");
        lease.began(BarrierId(2), millis(200));
        lease.passed(BarrierId(2), AT + millis(100), millis(210));
        assert_eq!(
            (lease.as_of(), lease.is_refused()),
            (Some(millis(200)), false)
        );
    }

    #[test]
    fn a_clock_that_ran_slower_than_the_stores_has_no_lease() {
        let mut lease = begun(&[100, 400]);
        lease.passed(BarrierId(1), AT, millis(101));
        lease.passed(BarrierId(2), AT + millis(5_000), millis(401));
        assert_eq!(lease.as_of(), None);
        assert!(lease.is_clock_slow(millis(401)));
    }
}
