//! Requests that failed: whether the client was told so in a way it can work with, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::{Call, Outcome};

/// The status of an answer that says that nothing can be said now: 503 Service Unavailable.
const UNAVAILABLE: u16 = 503;

/// How requests failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Those that were answered that they cannot be answered now, and when to ask again.
    pub unavailable: usize,
    /// Those that were answered otherwise.
    pub wrong: usize,
    /// Those that were not answered.
    pub unanswered: usize,
    /// How long the slowest request took, one that succeeded included.
    pub slowest: Duration,
}

/// Judges how requests failed.
#[must_use]
pub fn failures<'a>(calls: impl IntoIterator<Item = &'a Call>) -> Failures {
    let mut sum = Failures::default();
    for call in calls {
        sum.slowest = sum.slowest.max(call.ended.saturating_sub(call.invoked));
        if !is_failed(call) {
            continue;
        }
        match (call.status, call.says_when) {
            (Some(UNAVAILABLE), true) => sum.unavailable += 1,
            (Some(_), _) => sum.wrong += 1,
            (None, _) => sum.unanswered += 1,
        }
    }
    sum
}

/// How long after `whole` requests that were begun after it still failed; if none did, how long
/// the first took to succeed. None when nothing succeeded.
#[must_use]
pub fn recovery(calls: &[Call], whole: Duration) -> Option<Duration> {
    let later = || calls.iter().filter(|call| call.invoked >= whole);
    let failed = later().filter(|call| is_failed(call));
    let last = failed.map(|call| call.ended).max();
    let answered = later().filter(|call| !is_failed(call));
    let first = answered
        .map(|call| call.ended)
        .filter(|ended| last.is_none_or(|last| *ended > last))
        .min()?;
    Some(last.unwrap_or(first).saturating_sub(whole))
}

fn is_failed(call: &Call) -> bool {
    matches!(call.outcome, Outcome::Failed | Outcome::Unknown)
}
