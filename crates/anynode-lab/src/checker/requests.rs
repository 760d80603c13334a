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
    /// Answers that bear data and do not say whose.
    pub unmarked: usize,
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
        let bears_data = call.is_accepted() && matches!(call.kind, Kind::Visit | Kind::WhoAmI);
        match &call.owner {
            Some(owner) => sum.foreign += usize::from(**owner != *name_of(call.user)),
            None => sum.unmarked += usize::from(bears_data),
        }
    }
    sum
}
