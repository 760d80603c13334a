//! What a cell found, and what of it is short of the promise.

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

/// How many sessions have to be used before and after the fault.
const EXPOSED_LEAST: usize = 5;

/// The highest share of requests that may be refused while every round trip takes 500 ms: the
/// load waits for too few connections then.
const SLOW_REFUSED_PERCENT_MAX: usize = 50;

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
    pub(super) same_nodes: bool,
    pub(super) verdict: Verdict,
}

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
        let Verdict {
            requests,
            sessions,
            updates,
            revocations,
        } = &self.verdict;
        let is_exposed = sessions.exposed >= EXPOSED_LEAST;
        let recovers = self.recovery.is_some_and(|took| took <= RECOVERY_MAX);
        let mut conditions = vec![
            (requests.foreign == 0, "answers bore another user's data"),
            (
                requests.unmarked == 0,
                "answers did not say whose data they bear",
            ),
            (updates.doubled == 0, "updates were made twice"),
            (revocations.ended > 0, "no session was ended"),
            (revocations.risen.is_empty(), "ended sessions were accepted"),
            (
                self.failures.slowest <= self.answer_max(cell),
                "an answer took too long",
            ),
            (recovers, "it did not recover in time"),
        ];
        if !cell.fault.is_of_the_nodes(cell.store) {
            conditions.extend([
                (self.failures.wrong == 0, "errors were of the wrong kind"),
                (self.failures.unanswered == 0, "requests were not answered"),
                (self.same_nodes, "nodes did not live through it"),
            ]);
        }
        if self.promise == Promise::Nothing {
            conditions.extend([
                (sessions.lost.is_empty(), "sessions were lost"),
                (updates.lost == 0, "updates were lost"),
                (updates.stale == 0, "answers knew less than earlier ones"),
            ]);
        }
        if self.promise != Promise::Everything {
            conditions.push((is_exposed, "too few sessions were used across it"));
        }
        match cell.fault {
            Fault::Slow => {
                let refused = self.failures.unavailable * 100;
                let is_of_use = refused <= requests.all * SLOW_REFUSED_PERCENT_MAX;
                conditions.push((is_of_use, "a slow store was of no use"));
            }
            Fault::Full => {
                conditions.push((self.logouts_meanwhile > 0, "nobody could log out"));
                conditions.push((self.failures.unavailable > 0, "nothing was refused"));
            }
            Fault::Killed | Fault::Paused if cell.store != Store::Sqlite => {
                conditions.push((self.failures.unavailable > 0, "nothing was refused"));
            }
            Fault::Flush => {
                conditions.push((!sessions.lost.is_empty(), "nothing was removed"));
            }
            _ => {}
        }
        short_of(&conditions)
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
            "{} of {} sessions exposed, {} lost; {} updates: {} lost, {} doubled, {} stale; \
             {} ended: {} risen; {}",
            sessions.exposed,
            sessions.begun,
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
