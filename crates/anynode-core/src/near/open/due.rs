//! What is to be done about open connections, and when there is more to do.

use std::time::Duration;

use super::{OpenConnections, OpenId};
use crate::{
    near::{Ending, Freshness},
    session::Version,
};

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agenda {
    /// For which sessions the store is to be asked.
    pub asks: Vec<Query>,
    /// When there is more to do, if nothing is heard before; `None` while nothing is open.
    pub until: Option<Duration>,
}

/// A session for which the store is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Whose connections wait for the answer.
    pub id: OpenId,
    /// The version that is known already: a copy of another one is no answer.
    pub seen: Version,
    /// A copy is an answer under a lease that holds for a while yet.
    pub freshness: Freshness,
}

// === impl OpenConnections ===

impl OpenConnections {
    /// What is to be done now, so that at most `asks_max` questions are under way at a time.
    pub fn due(&mut self, now: Duration, asks_max: usize) -> Agenda {
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            self.doubt(id);
        }
        let is_fresh = self
            .as_of
            .is_some_and(|as_of| now < stale(self.term, as_of))
            || crate::planted("open_ignores_lost_leases");
        let freshness = match is_fresh {
            true => Freshness::Bounded,
            false => Freshness::Strict,
        };
        if self.look_at <= now {
            self.look(is_fresh, now);
        }
        let mut asks = Vec::new();
        while self.asked.len() < asks_max
            && let Some((again, id)) = self.wanted.first().copied()
            && again <= now
        {
            self.wanted.pop_first();
            if let Some(held) = self.held.get_mut(&id) {
                self.asked.insert(id);
                let seen = held.ask(now + Self::PACE);
                asks.push(Query {
                    id,
                    seen,
                    freshness,
                });
            }
        }
        let until = self.until(is_fresh, now);
        Agenda { asks, until }
    }

    /// Looks for what has to be asked for or closed because too much time has gone by. Under a
    /// lease that is only what something was heard of. There may be a hundred thousand, so that
    /// it is not done at each answer.
    fn look(&mut self, is_fresh: bool, now: Duration) {
        let in_question: Vec<_> = match is_fresh {
            true => self.doubted.iter().copied().collect(),
            false => self.held.keys().copied().collect(),
        };
        if in_question.is_empty() {
            return;
        }
        self.look_at = now + Self::PACE / 2;
        for id in in_question {
            let Some(held) = self.held.get_mut(&id) else {
                continue;
            };
            let is_stale = stale(self.term, held.known(self.as_of)) <= now;
            if held.is_settled() && !is_stale {
                continue;
            }
            if held.is_given_up(self.as_of, now) {
                self.end(id, Ending::Unknown);
            } else if held.is_settled() {
                self.doubt(id);
            }
        }
    }

    fn until(&self, is_fresh: bool, now: Duration) -> Option<Duration> {
        if self.held.is_empty() {
            return None;
        }
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let lease = self.as_of.map(|as_of| stale(self.term, as_of));
        let is_in_question = !is_fresh || !self.doubted.is_empty();
        // One that may be asked for now waits for an answer to another.
        let ask = self.wanted.first().map(|(again, _)| *again);
        let next = [
            deadline,
            lease.filter(|_| is_fresh),
            is_in_question.then_some(self.look_at),
            ask.filter(|again| now < *again),
        ];
        next.into_iter().flatten().min()
    }
}

/// When what was known then is to be asked for: after two thirds of a lease. A barrier is late by
/// then, and the answer is there before the lease has run out.
fn stale(term: Duration, known: Duration) -> Duration {
    known.saturating_add(term * 2 / 3)
}
