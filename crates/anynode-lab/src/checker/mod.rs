//! What a history of clients says of the fleet that they used.
//!
//! The checker knows calls and their times, and nothing of how a fleet works: from this program
//! it uses the history alone, and a test sees to that. Times are judged in the client's favour
//! of doubt: only what one call saw after another had ended is compared.

mod ends;
mod failures;
mod requests;
mod revocations;
mod sessions;
mod spread;
mod staleness;
mod updates;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::{Call, History, Incident, What};

pub use self::ends::{Ends, Late, ends};
pub use self::failures::{Failures, failures, recovery};
pub use self::requests::Requests;
pub use self::revocations::{Revocations, Risen};
pub use self::sessions::{Loss, Sessions};
pub use self::spread::Spread;
pub use self::staleness::{Staleness, staleness};
pub use self::updates::Updates;

/// What a history says of the fleet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// How requests ended.
    pub requests: Requests,
    /// What became of sessions.
    pub sessions: Sessions,
    /// What became of updates.
    pub updates: Updates,
    /// What became of sessions that were ended.
    pub revocations: Revocations,
}

/// Judges a history.
#[must_use]
pub fn check(history: &History) -> Verdict {
    let mut lives = sessions::lives_of(&history.calls);
    let last = Last::of(&history.incidents);
    lives.retain(|life| !last.has(life.login));
    Verdict {
        requests: requests::check(&history.calls),
        sessions: sessions::check(&lives, &history.incidents),
        updates: updates::check(&lives, &last),
        revocations: revocations::check(&lives),
    }
}

/// When writes were acknowledged that a store may have taken back.
struct Last(Vec<(Duration, Duration)>);

// === impl Last ===

impl Last {
    /// How long before a fault the last writes begin: far longer than a replica that is well is
    /// behind.
    const BEFORE: Duration = Duration::from_secs(1);

    fn of(incidents: &[Incident]) -> Self {
        let takes_back = |of: &&Incident| {
            matches!(
                of.what,
                What::Fault {
                    takes_back: true,
                    ..
                }
            )
        };
        let incidents = incidents.iter().filter(takes_back);
        let window = |of: &Incident| (of.begun.saturating_sub(Self::BEFORE), of.ended);
        Self(incidents.map(window).collect())
    }

    /// Whether this call was answered then, or asked then.
    fn has(&self, call: &Call) -> bool {
        let mut windows = self.0.iter();
        windows.any(|(from, to)| *from <= call.ended && call.invoked <= *to)
    }
}

/// A count as a duration, for what is averaged.
fn mean(sum: Duration, count: usize) -> Duration {
    u32::try_from(count.max(1)).map_or(Duration::ZERO, |count| sum / count)
}

#[cfg(test)]
mod tests;
