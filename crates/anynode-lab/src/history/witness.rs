//! What clients saw who asked each node by itself for sessions that were written and ended
//! elsewhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What was done to some sessions, and what was answered to who asked for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnessed {
    /// Requests for sessions, those of one client at one node in their order.
    pub asks: Vec<Ask>,
    /// Writes, those of one session in their order.
    pub writes: Vec<Write>,
    /// Revocations.
    pub ends: Vec<End>,
}

/// One request that asks a node for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The number of the session.
    pub session: u32,
    /// The number of the node, which the client chose.
    pub node: u8,
    /// When it was about to be sent. Boot clock.
    #[serde(with = "super::nanos")]
    pub sent: Duration,
    /// When the whole answer was there. Boot clock.
    #[serde(with = "super::nanos")]
    pub heard: Duration,
    /// What was answered.
    pub told: Told,
}

/// What a node answers to who asks for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// The session is alive.
    Accepted {
        /// How many visits it has.
        visits: u64,
        /// How old the node says that its knowledge is.
        age: Option<Age>,
    },
    /// Nobody is logged in.
    Refused,
    /// Somebody else's session.
    Foreign,
    /// It cannot be said now.
    Unavailable,
    /// Nothing.
    Unanswered,
}

/// How old a node says that its knowledge is when it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Age {
    /// How old.
    #[serde(with = "super::nanos")]
    pub old: Duration,
    /// Where it comes from.
    pub from: Source,
}

/// Where a node's knowledge of a session comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// From its own copy.
    Copy,
    /// From the store, which was asked.
    Store,
}

/// One more visit of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The number of the session.
    pub session: u32,
    /// How many visits it has then; of a write that was not acknowledged, nobody knows.
    pub visits: Option<u64>,
    /// When it was acknowledged, if it was. Boot clock.
    pub acknowledged: Option<Duration>,
}

/// A revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// What was revoked.
    pub kind: EndKind,
    /// The sessions that it ends.
    pub sessions: Vec<u32>,
    /// The node that was asked for it; none where it was done by hand.
    pub by: Option<u8>,
    /// The session that it spares.
    pub spared: Option<u32>,
    /// When it was first asked for. Boot clock.
    #[serde(with = "super::nanos")]
    pub asked: Duration,
    /// When it was acknowledged, if it was. Boot clock.
    pub acknowledged: Option<Duration>,
}

/// What was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndKind {
    /// One session.
    Session,
    /// All sessions of a user.
    User,
    /// All of a user but one.
    UserButOne,
    /// One session, removed from the store by hand.
    ByHand,
}

// === impl Witnessed ===

impl Witnessed {
    /// Adds what somebody else saw.
    pub fn extend(&mut self, other: Self) {
        self.asks.extend(other.asks);
        self.writes.extend(other.writes);
        self.ends.extend(other.ends);
    }
}

// === impl Ask ===

impl Ask {
    /// Whether the session was accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self.told, Told::Accepted { .. })
    }

    /// Whether it was said that the session is alive, or that it is not.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.is_accepted() || self.told == Told::Refused
    }

    /// How old the node said that its knowledge was, if it accepted the session and said so.
    #[must_use]
    pub fn age(&self) -> Option<Age> {
        match self.told {
            Told::Accepted { age, .. } => age,
            _ => None,
        }
    }

    /// Whether it was answered from a copy.
    #[must_use]
    pub fn is_from_copy(&self) -> bool {
        self.age().is_some_and(|age| age.from == Source::Copy)
    }
}
