//! Sessions that were ended: none of them is accepted afterwards.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mean;
use super::sessions::Life;
use crate::history::Kind;

/// The status of an answer to a write whose session ended after it had been read: 409 Conflict.
const ENDED_MEANWHILE: u16 = 409;

/// What became of sessions that were ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Revocations {
    /// Sessions whose end was acknowledged.
    pub ended: usize,
    /// Those that somebody wrote to while they were ended, who was told that the session had
    /// ended meanwhile: the write reached the store too late.
    pub exposed: usize,
    /// Those that somebody asked for afterwards.
    pub asked_for: usize,
    /// Requests that were made after the acknowledgement.
    pub requests: usize,
    /// Those of them that were accepted.
    pub accepted: usize,
    /// Sessions that were accepted after the acknowledgement of their end.
    pub risen: Vec<Risen>,
}

/// A session that was accepted after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risen {
    /// Whose it was.
    pub user: u32,
    /// Its number.
    pub session: u32,
    /// When its end was acknowledged. Boot clock.
    pub ended: Duration,
    /// How long after that the last accepted request was made.
    pub lasted: Duration,
}

pub(super) fn check(lives: &[Life<'_>]) -> Revocations {
    let mut sum = Revocations::default();
    for life in lives {
        let Some(end) = life.end_known else { continue };
        let uses = || life.calls.iter().filter(|call| !call.revokes());
        let afterwards = || uses().filter(|call| call.invoked > end.known);
        let accepted = || afterwards().filter(|call| call.is_accepted());
        let mut late_writers = uses().filter(|call| {
            let meets_the_end = call.invoked < end.known && call.ended > end.asked;
            // 401 says that the session was not even found: nothing was written late.
            let came_late = call.is_refused() && call.status == Some(ENDED_MEANWHILE);
            call.kind == Kind::Visit && came_late && meets_the_end
        });
        sum.ended += 1;
        sum.exposed += usize::from(late_writers.next().is_some());
        sum.asked_for += usize::from(afterwards().next().is_some());
        sum.requests += afterwards().count();
        sum.accepted += accepted().count();
        if let Some(last) = accepted().next_back() {
            sum.risen.push(Risen {
                user: life.user,
                session: life.session,
                ended: end.known,
                lasted: last.invoked.saturating_sub(end.known),
            });
        }
    }
    sum
}

// === impl Revocations ===

impl Revocations {
    /// How long ended sessions went on at most.
    #[must_use]
    pub fn lasted_max(&self) -> Duration {
        self.risen
            .iter()
            .map(|risen| risen.lasted)
            .max()
            .unwrap_or_default()
    }

    /// How long ended sessions went on on average, those that did not excepted.
    #[must_use]
    pub fn lasted_mean(&self) -> Duration {
        let sum = self.risen.iter().map(|risen| risen.lasted).sum();
        mean(sum, self.risen.len())
    }
}
