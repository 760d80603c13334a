//! Whether the node's boot clock runs as fast as the store's.

use std::time::Duration;

use crate::time::Timestamp;

/// The comparison of two clocks, over barrier after barrier.
///
/// A lease is counted on the node's clock. If that runs slower than real time, as in a virtual
/// machine that stood still, the lease lasts longer than it says. The store's time comes with
/// every barrier, and what went by there may exceed what went by here by [`Rate::ERROR`] and
/// what the way of the barriers may explain. The barrier before is compared with, for a clock that
/// stood still; and one some ten seconds ago, for a clock that is a little slow, since their way
/// explains ever less of a longer time. A store's clock that is set forward
/// looks the same, and costs the lease for as long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    last: Option<Sample>,
    base: Option<Sample>,
    next: Option<Sample>,
    distrust: Option<Duration>,
}

/// A barrier that passed: the store's clock said `at` some time between `sent` and `heard`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) sent: Duration,
    pub(super) heard: Duration,
    pub(super) at: Timestamp,
}

/// How far back the comparison goes before its base is moved up, twice that at most.
const SPAN: Duration = Duration::from_secs(10);

/// For how long a clock that ran slow is not believed again.
const PROBATION: Duration = Duration::from_secs(10);

// === impl Rate ===

impl Rate {
    /// One hundredth of the store's time: rho.
    pub(super) const ERROR: u32 = 100;

    /// Notes a barrier, and answers whether the clock is believed by it.
    pub(super) fn holds(&mut self, sample: Sample) -> bool {
        let earlier = [self.last.replace(sample), self.base];
        let mut earlier = earlier.into_iter().flatten();
        let is_slow = earlier.any(|earlier| earlier.is_slow_until(sample));
        // What the way of the base explains is never told apart from a slow clock.
        let is_better = |base: Sample| sample.way() < base.way() / 2;
        if is_slow || self.base.is_none_or(is_better) {
            (self.base, self.next) = (Some(sample), None);
        }
        if is_slow {
            self.distrust = Some(sample.heard + PROBATION);
        }
        self.roll(sample);
        self.distrust.is_none_or(|until| until <= sample.heard)
    }

    /// Forgets the store's clock: another server may answer next, and its clock is another. That
    /// a clock ran slow is not forgotten.
    pub(super) fn restart(&mut self) {
        let distrust = self.distrust;
        *self = Self {
            distrust,
            ..Self::default()
        };
    }

    /// Whether the clock ran slow not long ago.
    pub(super) fn is_distrusted(&self, now: Duration) -> bool {
        self.distrust.is_some_and(|until| now < until)
    }

    fn roll(&mut self, sample: Sample) {
        let Some(base) = self.base else { return };
        let age = sample.sent.saturating_sub(base.sent);
        if age >= SPAN && self.next.is_none() {
            self.next = Some(sample);
        }
        if age >= SPAN * 2 {
            (self.base, self.next) = (self.next, Some(sample));
        }
    }
}

impl Sample {
    /// For how long the barrier and its answer were under way.
    fn way(self) -> Duration {
        self.heard.saturating_sub(self.sent)
    }

    /// Whether more went by in the store than here, whatever the way of the two barriers took.
    fn is_slow_until(self, later: Self) -> bool {
        let here = later.heard.saturating_sub(self.sent) + Timestamp::GRAIN;
        let there = later.at.since(self.at);
        here < there - there / Rate::ERROR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: u64 = 4;

    /// A barrier every 300 ms of the store's clock, while the node's runs at `percent` of it.
    fn first_doubt(percent: u64, barriers: u64) -> Option<u64> {
        let mut rate = Rate::default();
        (0..barriers).find(|barrier| !rate.holds(sample(barrier * 300, percent)))
    }

    fn sample(at: u64, percent: u64) -> Sample {
        let here = Duration::from_millis(at) * u32::try_from(percent).expect("small") / 100;
        Sample {
            sent: here,
            heard: here + Duration::from_millis(WAY),
            at: Timestamp::from_millis(at + WAY / 2),
        }
    }

    #[test]
    fn a_clock_that_keeps_time_or_runs_fast_is_believed() {
        assert_eq!(first_doubt(100, 1_000), None);
        assert_eq!(first_doubt(101, 1_000), None);
        assert_eq!(first_doubt(150, 1_000), None);
    }

    /// The first barrier waited for 300 ms in the way, which hid a slow clock for ten seconds.
    #[test]
    fn a_barrier_that_was_long_under_way_is_compared_with_only_until_a_better_one() {
        let mut rate = Rate::default();
        let first = Sample {
            at: Timestamp::from_millis(302),
            heard: Duration::from_millis(304),
            ..sample(0, 93)
        };
        assert!(rate.holds(first));
        let doubted = (1..30).find(|barrier| !rate.holds(sample(barrier * 300 + 300, 93)));
        assert!(doubted.is_some_and(|barrier| barrier < 5), "{doubted:?}");
    }

    #[test]
    fn a_clock_that_stood_still_is_found_at_the_next_barrier() {
        let mut rate = Rate::default();
        assert!(rate.holds(sample(0, 100)));
        let late = Sample {
            at: Timestamp::from_millis(5_300),
            ..sample(300, 100)
        };
        assert!(!rate.holds(late));
        assert!(rate.is_distrusted(late.heard));
    }

    #[test]
    fn a_clock_that_stood_still_is_found_however_long_it_kept_time() {
        for stood in [20, 1_000] {
            let mut rate = Rate::default();
            assert!((0..12_000).all(|barrier| rate.holds(sample(barrier * 300, 100))));
            let after = sample(12_000 * 300, 100);
            let late = Sample {
                at: after.at + Duration::from_millis(stood),
                ..after
            };
            assert!(!rate.holds(late), "{stood} ms");
        }
    }

    #[test]
    fn a_clock_that_becomes_slow_is_found_however_long_it_kept_time() {
        let mut rate = Rate::default();
        assert!((0..12_000).all(|barrier| rate.holds(sample(barrier * 300, 100))));
        let slow = |barrier: u64| {
            let (before, after) = (sample(12_000 * 300, 100), sample(barrier * 300, 98));
            Sample {
                sent: before.sent + after.sent,
                heard: before.heard + after.sent,
                at: before.at + after.at.since(Timestamp::from_millis(0)),
            }
        };
        assert!((1..100).any(|barrier| !rate.holds(slow(barrier))));
    }

    #[test]
    fn a_clock_that_is_two_percent_slow_is_found_within_a_few_seconds() {
        let found = first_doubt(98, 1_000).expect("it is found");
        assert!(found * 300 <= 3_000, "after {} ms", found * 300);
    }

    #[test]
    fn a_clock_that_stays_slow_is_not_believed_again_and_one_that_recovers_is() {
        let mut rate = Rate::default();
        let doubts = (0..1_000).filter(|barrier| !rate.holds(sample(barrier * 300, 95)));
        assert!(doubts.count() > 990);
        let mut rate = Rate::default();
        rate.holds(sample(0, 100));
        let jumped = |at: u64| Sample {
            at: Timestamp::from_millis(at + 5_000),
            ..sample(at, 100)
        };
        let believed: Vec<_> = (1..60)
            .map(|barrier| rate.holds(jumped(barrier * 300)))
            .collect();
        assert!(!believed[0] && !believed[30], "on probation");
        assert!(believed[40], "after ten seconds");
    }

    #[test]
    fn another_store_has_another_clock_and_no_probation_ends_by_that() {
        let mut rate = Rate::default();
        assert!(rate.holds(sample(0, 100)));
        rate.restart();
        let ahead = Sample {
            at: Timestamp::from_millis(9_000_000),
            ..sample(300, 100)
        };
        assert!(rate.holds(ahead));
        let stood_still = Sample {
            at: Timestamp::from_millis(9_009_000),
            ..sample(600, 100)
        };
        assert!(!rate.holds(stood_still));
        rate.restart();
        assert!(!rate.holds(sample(900, 100)));
    }
}
