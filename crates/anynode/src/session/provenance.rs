//! Where what a request knows of its session comes from, and how old it is.

use std::time::Duration;

use super::{Session, state::Base};
use crate::clock::boot_time;

impl Session {
    /// How often this request has called the store so far: for its session, and for the list
    /// of its user's sessions.
    ///
    /// Every call is a round trip, whatever became of it; calls that were repeated are counted
    /// each time. Zero while the session is unused. What a handler recorded and did not
    /// [`save`](Session::save) is written after it returned, and counted only then.
    pub fn store_calls(&self) -> u32 {
        let active = self.inner.active.get();
        active.map_or(0, |active| active.tally.calls())
    }

    /// How long ago the store was asked for what this request knows of its session.
    ///
    /// `None` while it was not asked, and when there is no session. Under
    /// [`FailurePolicy::ReadOnlyStale`](crate::FailurePolicy::ReadOnlyStale) the one who asked
    /// may have been an earlier request.
    pub fn staleness(&self) -> Option<Duration> {
        let active = self.inner.active.get()?;
        let is_known = matches!(self.state().base, Base::Loaded(_));
        is_known.then(|| boot_time().saturating_sub(active.tally.known_at()))
    }

    /// Whether the request brought what may be a session id, whatever it opens.
    ///
    /// A login page tells by it a visitor whose browser does not send the cookie back from one
    /// whose session has ended.
    pub fn was_presented(&self) -> bool {
        self.inner.arrival.candidate.is_some()
    }
}
