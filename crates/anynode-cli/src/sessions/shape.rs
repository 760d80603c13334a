//! What programs read: the objects that `--json` prints, stable names included.

use std::fmt;
use std::time::{Duration, SystemTime};

use anynode::core::near::{Attendance, Proof};
use anynode::core::store::{Durability, Effect, Revoked};
use anynode::core::{Handle, NodeId, Timestamp, UserId};
use anynode::{Receipt, SessionInfo};
use serde::Serialize;

use crate::print::Line;

/// One session.
#[derive(Debug, Serialize)]
pub(super) struct Session<'a> {
    handle: String,
    user: Option<&'a str>,
    created_at: String,
    authenticated_at: Option<String>,
    idle_left_seconds: u64,
    absolute_left_seconds: u64,
    device: Option<&'a str>,
    address: Option<&'a str>,
}

/// What became of one session that was to be ended.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    handle: String,
    pub(super) outcome: Outcome,
    durability: Option<&'static str>,
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Ended,
    NotLive,
    Failed,
}

/// What became of a user's sessions.
#[derive(Debug, Serialize)]
pub(super) struct UserEnded<'a> {
    user: &'a str,
    /// How many there were; none where the store could not tell.
    sessions: Option<usize>,
    durability: &'static str,
}

/// Which nodes know what was ended.
#[derive(Debug, Serialize)]
pub(super) struct Known<'a> {
    /// None where the store did not say which nodes there are.
    confirmed: Option<Vec<&'a str>>,
    missing: Option<Vec<&'a str>>,
    proof: &'static str,
    milliseconds: u64,
}

/// The last second that RFC 3339 can write; a clock that is beyond it shows it.
const LAST_SECOND: u64 = 253_402_300_799;

/// A point in time as RFC 3339 writes it, in UTC.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let seconds = (at.as_millis() / 1_000).min(LAST_SECOND);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(at).to_string()
}

/// How safe an acknowledged revocation is, in the words of the documentation.
pub(crate) fn durability_word(durability: Durability) -> &'static str {
    match durability {
        Durability::Asynchronous => "asynchronous",
        Durability::Quorum => "quorum",
        Durability::Reasserted => "reasserted",
        Durability::Majority => "majority",
    }
}

// === impl Session ===

impl<'a> Session<'a> {
    pub(super) fn of(session: &'a SessionInfo) -> Self {
        Self {
            handle: session.handle.to_string(),
            user: session.user.as_ref().map(UserId::as_str),
            created_at: rfc3339(session.created_at),
            authenticated_at: session.authenticated_at.map(rfc3339),
            idle_left_seconds: session.idle_left.as_secs(),
            absolute_left_seconds: session.absolute_left.as_secs(),
            device: session.device.label.as_deref(),
            address: session.device.address.as_deref(),
        }
    }
}

// === impl Ended ===

impl Ended {
    pub(super) fn revoked(handle: Handle, revoked: &Revoked) -> Self {
        let (outcome, durability) = match revoked.effect {
            Effect::Nothing => (Outcome::NotLive, None),
            _ => (Outcome::Ended, Some(durability_word(revoked.durability))),
        };
        Self {
            handle: handle.to_string(),
            outcome,
            durability,
            error: None,
        }
    }

    pub(super) fn failed(handle: Handle, error: &str) -> Self {
        Self {
            handle: handle.to_string(),
            outcome: Outcome::Failed,
            durability: None,
            error: Some(error.to_owned()),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handle = &self.handle;
        match self.outcome {
            Outcome::Ended => write!(
                formatter,
                "{handle} ended, durability: {}",
                self.durability.unwrap_or_default()
            ),
            Outcome::NotLive => write!(formatter, "{handle} is no live session"),
            Outcome::Failed => write!(
                formatter,
                "{handle} may be alive: {}",
                self.error.as_deref().unwrap_or_default()
            ),
        }
    }
}

// === impl UserEnded ===

impl<'a> UserEnded<'a> {
    pub(super) fn new(user: &'a UserId, sessions: Option<usize>, durability: Durability) -> Self {
        Self {
            user: user.as_str(),
            sessions,
            durability: durability_word(durability),
        }
    }
}

impl fmt::Display for UserEnded<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = Line(self.user);
        match self.sessions {
            Some(1) => write!(formatter, "{user}: 1 session ended")?,
            Some(sessions) => write!(formatter, "{user}: {sessions} sessions ended")?,
            None => write!(formatter, "{user}: all sessions ended, not counted")?,
        }
        write!(formatter, ", durability: {}", self.durability)
    }
}

// === impl Known ===

impl<'a> Known<'a> {
    pub(super) fn of(receipt: &'a Receipt) -> Self {
        let names = |pick: fn(&Attendance) -> &Vec<NodeId>| {
            let nodes = receipt.nodes.as_ref()?;
            Some(pick(nodes).iter().map(NodeId::as_str).collect())
        };
        Self {
            confirmed: names(|nodes| &nodes.confirmed),
            missing: names(|nodes| &nodes.missing),
            proof: match receipt.proof {
                Proof::Confirmed => "confirmed",
                Proof::Validated => "validated",
                Proof::Bound(_) => "bound",
                Proof::Unbounded => "unbounded",
                Proof::Unknown => "unknown",
            },
            milliseconds: u64::try_from(receipt.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
