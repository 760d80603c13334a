//! Requests: how they ended, and whether an answer bore another user's data.

use serde::{Deserialize, Serialize};

use crate::history::{Call, Kind, Outcome, name_of};

/// How requests ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All of them.
    pub all: usize,
    /// Those that may be repeated, and so may not fail.
    pub idempotent: usize,
    /// Those of them that were not answered by a node in order.
    pub idempotent_failed: usize,
    /// All that were not answered by a node in order.
    pub failed: usize,
    /// Answers that name another user than the one who asked.
    pub foreign: usize,
    /// Answers that name the user who asked.
    pub marked: usize,
}

pub(super) fn check(calls: &[Call]) -> Requests {
    let mut sum = Requests::default();
    for call in calls {
        let failed = matches!(call.outcome, Outcome::Failed | Outcome::Unknown);
        let idempotent = call.kind == Kind::WhoAmI;
        sum.all += 1;
        sum.idempotent += usize::from(idempotent);
        sum.idempotent_failed += usize::from(idempotent && failed);
        sum.failed += usize::from(failed);
        if let Some(owner) = &call.owner {
            let is_own = **owner == *name_of(call.user);
            sum.marked += usize::from(is_own);
            sum.foreign += usize::from(!is_own);
        }
    }
    sum
}
