//! What servers are asked, what they answer, and what they did.

use anynode_core::{
    Draft, Event, Live, Replace, Timestamp, Touch, UserEntry, Version, near::Assertion,
};

use crate::{
    plan::At,
    shelf::{Id, Slot},
};

/// What is asked of a server.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Load(usize),
    /// The entry of a user: for a load or a login whose record is elsewhere.
    Entry(usize),
    Create(Draft),
    /// With the user's entry, if that was read elsewhere for a login.
    Replace(Version, Draft, Option<Ended>),
    Touch(Vec<Touch>),
    Revoke(Id, usize),
    RevokeUser(Id, usize, Option<usize>),
    Assert(Id, Assertion),
    /// By hand, as an operator does: the key is removed, and nothing stays.
    Remove(Id, usize),
}

/// What a server answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Loaded(Option<Live>),
    Entry(Ended),
    Written(Replace),
    Touched,
    Revoked(Assertion),
    /// Too few replicas have it: it may be lost.
    Unconfirmed(Assertion),
    Done,
    /// It may not take writes any more, and so proves nothing.
    Refused,
}

/// A user's entry, and when the revocation that it tells of was executed: 0 before the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) entry: UserEntry,
    pub(crate) moment: At,
}

/// What the judge is told of a write.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A record was written. `since` is the revocation of its user that it knows of.
    Wrote { id: Id, live: Live, since: At },
    /// A session ended for good.
    Ended { id: Id, session: usize },
    /// Sessions of a user ended.
    EndedUser {
        id: Id,
        user: usize,
        moment: At,
        spared: Option<usize>,
    },
    /// A session lives on without being written.
    Touched { session: usize, until: Timestamp },
}

/// What a verb did.
pub(crate) struct Performed {
    pub(crate) reply: Reply,
    pub(crate) event: Option<Event>,
    pub(crate) deeds: Vec<Deed>,
    pub(crate) change: Vec<Change>,
}

/// What a replica is sent.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Slot(usize, Slot),
    User(usize, Ended),
}

// === impl Performed ===

impl Performed {
    pub(crate) fn of(reply: Reply) -> Self {
        Self {
            reply,
            event: None,
            deeds: Vec::new(),
            change: Vec::new(),
        }
    }
}

// === impl Deed ===

impl Deed {
    pub(crate) fn id(&self) -> Option<Id> {
        match self {
            Self::Wrote { id, .. } | Self::Ended { id, .. } | Self::EndedUser { id, .. } => {
                Some(*id)
            }
            Self::Touched { .. } => None,
        }
    }
}
