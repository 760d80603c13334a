//! One request of a virtual user.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One request of a virtual user, from its begin to what the user knows of its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Who asked.
    pub user: u32,
    /// Under which of the user's sessions: the number of the login that it began with, from 1.
    /// A login bears the number of the session that it begins.
    pub session: u32,
    /// What was asked for.
    pub kind: Kind,
    /// When it should have begun: as scheduled if the one before was still under way then, and
    /// otherwise when it was invoked. Boot clock.
    #[serde(with = "super::nanos")]
    pub due: Duration,
    /// When it was begun. Boot clock.
    #[serde(with = "super::nanos")]
    pub invoked: Duration,
    /// When its outcome was known. Boot clock.
    #[serde(with = "super::nanos")]
    pub ended: Duration,
    /// What the user knows of it.
    pub outcome: Outcome,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// Whether the answer said when to ask again.
    #[serde(default)]
    pub says_when: bool,
    /// The node that answered, as it named itself.
    pub node: Option<Box<str>>,
    /// Whose data the answer says that it is.
    pub owner: Option<Box<str>>,
    /// How many visits the answer says that the session has.
    pub visits: Option<u64>,
    /// The length of the `Cookie` header that was sent.
    pub cookie_bytes: u32,
    /// Whether the answer says that it was made from a copy of the session.
    #[serde(default)]
    pub from_copy: bool,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Begins a session.
    Login,
    /// Counts a visit: an update, which must be made exactly once.
    Visit,
    /// Reads who is logged in and how many visits were counted: a request that may be repeated.
    WhoAmI,
    /// Adds to the cart: an update without a number.
    Cart,
    /// Ends the session.
    Logout,
    /// Ends all sessions of the user.
    LogoutEverywhere,
}

/// What the user knows of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done, in a session that was accepted.
    Ok,
    /// It was answered as to somebody who is not logged in or whose session has just ended, and
    /// surely not done.
    Refused,
    /// It was surely not done: nothing was sent.
    Failed,
    /// It was done or not.
    Unknown,
}

/// The name under which a user logs in: the mark that answers with its data bear.
#[must_use]
pub fn name_of(user: u32) -> String {
    format!("u{user}")
}

// === impl Call ===

impl Call {
    /// How long the user waited, the time in which it could not begin included.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.due)
    }

    /// Whether a session was accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether it was answered as to somebody who is not logged in.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.outcome == Outcome::Refused
    }

    /// Whether it may have been done.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::Unknown)
    }

    /// Whether it ends the session it was made in, as far as it is done.
    #[must_use]
    pub fn revokes(&self) -> bool {
        matches!(self.kind, Kind::Logout | Kind::LogoutEverywhere)
    }
}
