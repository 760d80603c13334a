//! What a cell found, and what of it is short of the promise.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use anyhow::Error;
use serde::Serialize;

use super::cell::Cell;
use super::fault::{Fault, Promise};
use super::strike::{NODE_PAUSE, PAUSE};
use crate::checker::{Failures, Verdict};
use crate::prove::frame::short_of;
use crate::prove::home::Store;

/// How long a request may take at most: a few calls of a store, each with a deadline of 5 s at
/// most, and some time for a machine that is busy.
const ANSWER_MAX: Duration = Duration::from_secs(12);

/// How long after the end of a fault the last request may fail.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// How many sessions have to be at stake: of 60 users, most have one when a fault
/// begins, and a long one leaves time for most of them to log out.
const AT_STAKE_LEAST: usize = 10;

/// Which share of them has to be used after the fault, or be seen to be gone after a flush: each
/// user looks once more at its session, unless it logs out just then, of whose session no answer
/// tells. On a slow machine, where a fault lasts longer than it is meant to, those were five of 45.
const EXPOSED_PERCENT_LEAST: usize = 75;

/// How long before a fault the last writes begin that a fail-over may lose: far longer than a
/// replica that is well is behind.
pub(super) const LAST_WRITES: Duration = Duration::from_secs(1);

/// The highest share of requests that may be refused while every round trip takes 500 ms, a
/// quarter of what a call may take: as many as a machine that is busy delays by the rest.
const SLOW_REFUSED_PERCENT_MAX: usize = 1;

/// How long a round trip to a slow store takes.
const SLOW_LEAST: Duration = Duration::from_millis(500);

/// What became of one cell.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) store: Store,
    pub(super) fault: Fault,
    pub(super) result: Ending,
}

/// How a cell ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ending {
    /// It was run.
    Run {
        /// Nothing when it passed.
        short_of: Vec<String>,
        /// The figures.
        found: Box<Found>,
    },
    /// It was to be run and could not be.
    Broken(String),
    /// The fault makes no sense for this store, for this reason.
    Senseless(&'static str),
}

/// The figures of a cell.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Found {
    pub(super) promise: Promise,
    pub(super) lasted: Duration,
    pub(super) failures: Failures,
    pub(super) recovery: Option<Duration>,
    pub(super) logouts_meanwhile: usize,
    /// Sessions that were lost and had been begun well before the fault.
    pub(super) lost_of_old: usize,
    /// Updates that were acknowledged within the last second before the fault.
    pub(super) last_updates: usize,
    pub(super) same_nodes: bool,
    pub(super) verdict: Verdict,
}

/// Something that has to hold, and what is said where it does not.
type Condition = (bool, &'static str);

// === impl Row ===

impl Row {
    pub(super) fn senseless(cell: Cell, reason: &'static str) -> Self {
        Self {
            store: cell.store,
            fault: cell.fault,
            result: Ending::Senseless(reason),
        }
    }

    pub(super) fn of(cell: Cell, result: Result<Found, Error>) -> Self {
        let result = match result {
            Ok(found) => Ending::Run {
                short_of: found.shortfalls(cell),
                found: Box::new(found),
            },
            Err(error) => Ending::Broken(format!("{error:#}")),
        };
        Self {
            store: cell.store,
            fault: cell.fault,
            result,
        }
    }

    pub(super) fn is_passed(&self) -> bool {
        matches!(&self.result, Ending::Run { short_of, .. } if short_of.is_empty())
    }

    pub(super) fn is_senseless(&self) -> bool {
        matches!(self.result, Ending::Senseless(_))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14} {:<11} ", self.store, self.fault)?;
        match &self.result {
            Ending::Senseless(reason) => write!(f, "-       {reason}"),
            Ending::Broken(error) => write!(f, "BROKEN  {error}"),
            Ending::Run { short_of, found } if short_of.is_empty() => write!(f, "passed  {found}"),
            Ending::Run { short_of, found } => {
                write!(f, "FAILED  {}; {found}", short_of.join(", "))
            }
        }
    }
}

// === impl Found ===

impl Found {
    /// What is short of what is promised.
    fn shortfalls(&self, cell: Cell) -> Vec<String> {
        let mut conditions = self.always(cell);
        if !cell.fault.is_of_the_nodes(cell.store) {
            conditions.extend([
                (self.failures.wrong == 0, "errors were of the wrong kind"),
                (self.failures.unanswered == 0, "requests were not answered"),
                (self.same_nodes, "nodes did not live through it"),
            ]);
        }
        conditions.extend(self.keeps_the_promise());
        conditions.extend(self.felt(cell));
        short_of(&conditions)
    }

    /// What holds under every fault.
    fn always(&self, cell: Cell) -> Vec<Condition> {
        let Verdict {
            requests,
            sessions,
            updates,
            revocations,
        } = &self.verdict;
        let is_in_time = self.failures.slowest <= self.answer_max(cell);
        let recovers = self.recovery.is_some_and(|took| took <= RECOVERY_MAX);
        vec![
            (requests.foreign == 0, "answers bore another user's data"),
            (
                requests.unmarked == 0,
                "answers did not say whose data they bear",
            ),
            (updates.doubled == 0, "updates were made twice"),
            (revocations.asked_for > 0, "no ended session was asked for"),
            (revocations.risen.is_empty(), "ended sessions were accepted"),
            (is_in_time, "an answer took too long"),
            (recovers, "it did not recover in time"),
            (
                sessions.at_stake >= AT_STAKE_LEAST,
                "too few sessions were at stake",
            ),
        ]
    }

    fn keeps_the_promise(&self) -> Vec<Condition> {
        let Verdict {
            sessions, updates, ..
        } = &self.verdict;
        let least = sessions.at_stake * EXPOSED_PERCENT_LEAST;
        let is_exposed = (
            sessions.exposed * 100 >= least,
            "too few sessions were used across it",
        );
        match self.promise {
            Promise::Nothing => vec![
                is_exposed,
                (sessions.lost.is_empty(), "sessions were lost"),
                (updates.lost == 0, "updates were lost"),
                (updates.stale == 0, "answers knew less than earlier ones"),
            ],
            Promise::LastWrites => vec![
                is_exposed,
                (self.lost_of_old == 0, "sessions from long before were lost"),
                (
                    usize::try_from(updates.lost).is_ok_and(|lost| lost <= self.last_updates),
                    "more than the last updates were lost",
                ),
            ],
            Promise::Everything => vec![(
                sessions.lost.len() * 100 >= least,
                "not everything was removed",
            )],
        }
    }

    /// Whether the fault was one for those who asked.
    fn felt(&self, cell: Cell) -> Vec<Condition> {
        let is_refused = (self.failures.unavailable > 0, "nothing was refused");
        match cell.fault {
            Fault::Slow => {
                let refused = self.failures.unavailable * 100;
                let is_of_use = refused <= self.verdict.requests.all * SLOW_REFUSED_PERCENT_MAX;
                vec![
                    (is_of_use, "a slow store was of no use"),
                    (self.failures.slowest >= SLOW_LEAST, "nothing was slow"),
                ]
            }
            Fault::Full => vec![
                (self.logouts_meanwhile > 0, "nobody could log out"),
                is_refused,
            ],
            Fault::Killed | Fault::Paused if cell.store != Store::Sqlite => vec![is_refused],
            Fault::HalfOpen | Fault::BlackHole => vec![is_refused],
            _ => Vec::new(),
        }
    }

    /// A request that waits in a node that stands still takes as much longer.
    fn answer_max(&self, cell: Cell) -> Duration {
        match cell.fault {
            Fault::NodePaused => ANSWER_MAX + NODE_PAUSE,
            // The node that is stopped in a write of SQLite's holds its lock.
            Fault::Paused if cell.store == Store::Sqlite => ANSWER_MAX.max(PAUSE),
            _ => ANSWER_MAX,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict {
            requests,
            sessions,
            updates,
            revocations,
        } = &self.verdict;
        write!(
            f,
            "{} requests, {} answered 503, {} otherwise, {} not, slowest {:.1} s; ",
            requests.all,
            self.failures.unavailable,
            self.failures.wrong,
            self.failures.unanswered,
            self.failures.slowest.as_secs_f64(),
        )?;
        match self.recovery {
            Some(took) => write!(f, "back after {:.1} s; ", took.as_secs_f64())?,
            None => write!(f, "not back; ")?,
        }
        write!(
            f,
            "{} sessions, {} at stake, {} exposed, {} lost; \
             {} updates: {} lost, {} doubled, {} stale; \
             {} ended: {} risen; {}",
            sessions.begun,
            sessions.at_stake,
            sessions.exposed,
            sessions.lost.len(),
            updates.acknowledged,
            updates.lost,
            updates.doubled,
            updates.stale,
            revocations.ended,
            revocations.risen.len(),
            self.promise.text(),
        )
    }
}
