//! The boot clock of a node, which may be fast, slow, or stand still.

use std::time::Duration;

use crate::{
    draws::Draws,
    plan::{At, Odd, Plan},
};

/// A boot clock: so many parts of a million of true time, since some time before.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    ahead: u64,
    rate: u64,
    /// When it stood still, from and until, in order.
    stood: Vec<(At, At)>,
}

const EXACT: u64 = 1_000_000;

/// What is tolerated.
const SLOWEST: u64 = 990_000;

// === impl Clock ===

impl Clock {
    pub(crate) fn drawn(plan: &Plan, node: usize, draws: &mut Draws) -> Self {
        let rate = match (plan.odd, node) {
            (Odd::SlowClock, 0) => draws.between(850_000, 930_000),
            _ => draws.one_of(&[EXACT, EXACT, SLOWEST, 995_000, 1_009_000]),
        };
        Self {
            ahead: draws.below(1 << 40),
            rate,
            stood: Vec::new(),
        }
    }

    /// What it says.
    pub(crate) fn at(&self, now: At) -> Duration {
        let stood: u64 = self
            .stood
            .iter()
            .map(|(from, until)| now.min(*until) - from.min(&now))
            .sum();
        let nanos = (now - stood) * self.rate / 1_000;
        Duration::from_nanos(self.ahead + nanos)
    }

    /// The first time at which it says this.
    pub(crate) fn when(&self, says: Duration) -> At {
        let nanos = u64::try_from(says.as_nanos())
            .unwrap()
            .saturating_sub(self.ahead);
        let mut now = nanos * 1_000 / self.rate;
        for (from, until) in &self.stood {
            if *from < now {
                now += until - from;
            }
        }
        now
    }

    pub(crate) fn stand_still(&mut self, from: At, until: At) {
        if self.stood.last().is_none_or(|(_, last)| *last <= from) {
            self.stood.push((from, until));
        }
    }

    /// Whether it keeps time within what is tolerated.
    pub(crate) fn is_good(&self) -> bool {
        self.rate >= SLOWEST && self.stood.is_empty()
    }

    /// Whether it is slower than is tolerated, always.
    pub(crate) fn is_slow(&self) -> bool {
        self.rate < SLOWEST
    }
}
