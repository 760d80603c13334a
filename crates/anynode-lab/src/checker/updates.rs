//! Updates: each that was acknowledged is counted once, each of unknown outcome at most once.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Last, sessions::Life};
use crate::history::{Call, Kind, Outcome};

/// What became of updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updates {
    /// Updates that were acknowledged.
    pub acknowledged: u64,
    /// Those that were under way at the same time as another of their session.
    pub exposed: u64,
    /// Updates that were acknowledged, and that the store may have taken back nevertheless: see
    /// [`What::Fault`](crate::history::What). They are none of those above.
    pub at_the_last: u64,
    /// Updates that may have been made or not.
    pub unknown: u64,
    /// Acknowledged updates that are missing in a session that lives.
    pub lost: u64,
    /// Acknowledged updates of sessions that were lost.
    pub lost_with_sessions: u64,
    /// Updates that were made more often than they were asked for.
    pub doubled: u64,
    /// Answers that knew less than an earlier one.
    pub stale: u64,
}

/// The updates of one session, in the orders in which they are asked for.
struct Counter<'a> {
    /// When each was known that was acknowledged for good, in order.
    known: Vec<Duration>,
    /// When each that may have been made was begun, in order.
    begun: Vec<Duration>,
    /// Every answer with a number that stands, by its end.
    answers: Vec<(&'a Call, u64)>,
}

pub(super) fn check(lives: &[Life<'_>], last: &Last) -> Updates {
    let mut sum = Updates::default();
    for life in lives {
        let visits = || life.calls.iter().filter(|call| call.kind == Kind::Visit);
        let counter = Counter::of(life, last);
        let acknowledged = length(&counter.known);
        sum.acknowledged += acknowledged;
        sum.unknown += count(visits().filter(|call| call.outcome == Outcome::Unknown));
        let is_last = |call: &&&Call| call.is_accepted() && last.has(call);
        sum.at_the_last += count(visits().filter(is_last));
        let visits_for_sure = visits().filter(|call| call.may_be_done() && !last.has(call));
        sum.exposed += overlapping(visits_for_sure);
        sum.lost += counter.missing().max(counter.repeated());
        sum.doubled += counter.excess();
        sum.stale += counter.stale();
        if life.loss().is_some() {
            sum.lost_with_sessions += acknowledged;
        }
    }
    sum
}

/// How many acknowledged ones meet another. They come by the time of their begin.
fn overlapping<'a, 'b: 'a>(visits: impl Iterator<Item = &'a &'b Call>) -> u64 {
    let visits: Vec<_> = visits.collect();
    let mut latest_end = Duration::ZERO;
    let mut met = 0;
    for (index, visit) in visits.iter().enumerate() {
        let meets_earlier = visit.invoked < latest_end;
        let next = visits.get(index + 1);
        let meets_next = next.is_some_and(|next| next.invoked < visit.ended);
        met += u64::from(visit.is_accepted() && (meets_earlier || meets_next));
        latest_end = latest_end.max(visit.ended);
    }
    met
}

fn length<T>(slice: &[T]) -> u64 {
    u64::try_from(slice.len()).expect("a length fits")
}

fn count(iterator: impl Iterator) -> u64 {
    u64::try_from(iterator.count()).expect("a count fits")
}

// === impl Counter ===

impl<'a> Counter<'a> {
    fn of(life: &Life<'a>, last: &Last) -> Self {
        let mut counter = Self {
            known: Vec::new(),
            begun: Vec::new(),
            answers: Vec::new(),
        };
        for call in &life.calls {
            if call.kind == Kind::Visit && call.may_be_done() {
                counter.begun.push(call.invoked);
                if call.is_accepted() && !last.has(call) {
                    counter.known.push(call.ended);
                }
            }
            let is_for_good = call.is_accepted() && !last.has(call);
            if let Some(visits) = call.visits.filter(|_| is_for_good) {
                counter.answers.push((call, visits));
            }
        }
        counter.known.sort_unstable();
        counter.begun.sort_unstable();
        counter.answers.sort_by_key(|(call, _)| call.ended);
        counter
    }

    /// How many updates an answer must know of: those acknowledged before it was asked for, and
    /// itself.
    fn least(&self, call: &Call) -> u64 {
        let before = self.known.partition_point(|known| *known <= call.invoked);
        length(&self.known[..before]) + u64::from(call.kind == Kind::Visit)
    }

    /// How many updates an answer can know of: those begun before it came.
    fn most(&self, call: &Call) -> u64 {
        let before = self.begun.partition_point(|begun| *begun < call.ended);
        length(&self.begun[..before])
    }

    /// What the answer that was asked for last does not know of.
    fn missing(&self) -> u64 {
        let last = self.answers.iter().max_by_key(|(call, _)| call.invoked);
        last.map_or(0, |(call, visits)| self.least(call).saturating_sub(*visits))
    }

    /// Two updates that were given the same number are one in the end.
    fn repeated(&self) -> u64 {
        let visits = || {
            self.answers
                .iter()
                .filter(|(call, _)| call.kind == Kind::Visit)
        };
        let numbers: HashSet<u64> = visits().map(|(_, number)| *number).collect();
        count(visits()) - count(numbers.iter())
    }

    fn excess(&self) -> u64 {
        let answers = self.answers.iter();
        let excesses = answers.map(|(call, visits)| visits.saturating_sub(self.most(call)));
        excesses.max().unwrap_or(0)
    }

    fn stale(&self) -> u64 {
        // The greatest number that was known by the end of each answer.
        let mut greatest = 0;
        let known: Vec<_> = self
            .answers
            .iter()
            .map(|(_, visits)| {
                greatest = greatest.max(*visits);
                greatest
            })
            .collect();
        count(self.answers.iter().filter(|(call, visits)| {
            let before = self
                .answers
                .partition_point(|(earlier, _)| earlier.ended <= call.invoked);
            before > 0 && *visits < known[before - 1]
        }))
    }
}
