//! What a node knows of one session that has open connections.

use std::time::Duration;

use super::OpenConnections;
use crate::{
    near::shard::ends,
    session::{Cause, Epoch, Handle, Live, Origin, UserEntry, UserId, Version},
    time::Timestamp,
};

/// A session, as all connections that were opened in one login of it know it.
pub(super) struct Held {
    pub(super) connections: usize,
    pub(super) login: Login,
    pub(super) patience: Duration,
    version: Version,
    stamp: Epoch,
    /// As of when it is known to have lived, apart from the lease.
    known: Duration,
    /// When it ends unless it is used before, and by what.
    ends: (Duration, Cause),
    stage: Stage,
    /// It is not asked for again before.
    again: Duration,
    /// Since when it is in question.
    noticed: Option<Duration>,
    /// By what it has ended, if it has.
    suspected: Option<Cause>,
}

/// Who is on the other side of a connection.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<UserId>,
    at: Option<Timestamp>,
}

/// What a user entry says of a session.
pub(super) enum Verdict {
    Spared,
    Outdated,
    /// It says no more than that the store is to be asked.
    Open,
}

/// Whether nothing has to be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was heard of it that is not known: it lives as of what the lease says.
    Settled,
    /// The store is to be asked.
    Doubted,
    /// The store is being asked.
    Asked,
    /// The store is being asked, and something was heard since.
    AskedTooEarly,
}

/// What a server said whose writes are not told here is asked for again after so long: well within
/// every patience.
const ELSEWHERE_AGAIN: Duration = Duration::from_millis(500);

// === impl Held ===

impl Held {
    /// The first connection of a session that was so as of `known`. It is in doubt, because
    /// something may have been heard since then.
    pub(super) fn new(live: &Live, known: Duration, patience: Duration) -> Self {
        Self {
            connections: 1,
            login: Login::of(live),
            patience,
            version: live.record.version,
            stamp: stamp(live),
            known,
            ends: ends_by(live, known),
            stage: Stage::Doubted,
            again: Duration::ZERO,
            noticed: None,
            suspected: None,
        }
    }

    /// As of when it is known to have lived.
    pub(super) fn known(&self, as_of: Option<Duration>) -> Duration {
        match self.stage {
            Stage::Settled => self.known.max(as_of.unwrap_or_default()),
            Stage::Doubted | Stage::Asked | Stage::AskedTooEarly => self.known,
        }
    }

    /// When the store is to be asked because it may have ended by then.
    pub(super) fn deadline(&self) -> Duration {
        self.ends.0
    }

    /// By what it had ended at that time, if that is known.
    pub(super) fn cause_of_death(&self, at: Duration) -> Option<Cause> {
        let (deadline, cause) = self.ends;
        self.suspected.or((deadline <= at).then_some(cause))
    }

    /// When nothing may pass its connections any more.
    pub(super) fn over(&self, as_of: Option<Duration>) -> Duration {
        self.known(as_of).saturating_add(self.patience)
    }

    /// Whether it is to be given up: nothing has been known of it for its patience, and the store
    /// has had its time to answer since the node noticed. A node that stood still asks before it
    /// closes what may well live.
    pub(super) fn is_given_up(&mut self, as_of: Option<Duration>, now: Duration) -> bool {
        let noticed = *self.noticed.get_or_insert(now);
        self.over(as_of) <= now && noticed + OpenConnections::GRACE <= now
    }

    pub(super) fn is_settled(&self) -> bool {
        self.stage == Stage::Settled
    }

    /// The store is not asked for it before.
    pub(super) fn again(&self) -> Duration {
        self.again
    }

    /// What is known up to now is all that the lease will say.
    pub(super) fn remember(&mut self, as_of: Option<Duration>) {
        self.known = self.known(as_of);
    }

    /// Something was heard of it, or nothing for too long; whether it was settled before.
    pub(super) fn doubt(&mut self, as_of: Option<Duration>) -> Settled {
        self.remember(as_of);
        let before = self.stage;
        self.stage = match before {
            Stage::Settled | Stage::Doubted => Stage::Doubted,
            Stage::Asked | Stage::AskedTooEarly => Stage::AskedTooEarly,
        };
        Settled::of(before)
    }

    /// The store is asked, by whoever has this version at least.
    pub(super) fn ask(&mut self, again: Duration) -> Version {
        self.stage = Stage::Asked;
        self.again = again;
        self.version
    }

    /// The store could not be asked.
    pub(super) fn unanswered(&mut self) {
        self.stage = Stage::Doubted;
    }

    /// The store said that it lived then, and how it was; whether that settles it.
    pub(super) fn alive(&mut self, live: &Live, at: Duration) -> Settled {
        self.known = self.known.max(at);
        self.ends = ends_by(live, at);
        self.stamp = stamp(live);
        self.version = live.record.version;
        (self.suspected, self.noticed) = (None, None);
        let is_told =
            live.origin == Origin::Followed || crate::planted("open_settled_from_elsewhere");
        if !is_told {
            self.again = at + ELSEWHERE_AGAIN;
        }
        self.stage = match self.stage {
            // Nobody tells of what comes after it.
            _ if !is_told => Stage::Doubted,
            Stage::AskedTooEarly | Stage::Doubted => Stage::Doubted,
            Stage::Settled | Stage::Asked => Stage::Settled,
        };
        Settled::of(self.stage)
    }

    /// Whether an entry of its user ends it. While it is in doubt its stamp may be a later one.
    pub(super) fn judge(&mut self, handle: &Handle, entry: &UserEntry) -> Verdict {
        match (entry.outdates(handle, self.stamp), self.stage) {
            (false, _) => Verdict::Spared,
            (true, Stage::Settled) => Verdict::Outdated,
            (true, _) => {
                self.suspected = Some(Cause::Epoch);
                Verdict::Open
            }
        }
    }
}

fn stamp(live: &Live) -> Epoch {
    let binding = live.record.binding.as_ref();
    binding.map_or(Epoch::ZERO, |binding| binding.stamp)
}

/// When a session ends that was so as of `known`, and by which of its deadlines.
fn ends_by(live: &Live, known: Duration) -> (Duration, Cause) {
    let is_idle = live.idle_deadline < live.record.deadline;
    let cause = if is_idle {
        Cause::Idle
    } else {
        Cause::Absolute
    };
    (ends(live, known), cause)
}

// === impl Settled ===

impl Settled {
    fn of(stage: Stage) -> Self {
        match stage {
            Stage::Settled => Self::Yes,
            Stage::Doubted | Stage::Asked | Stage::AskedTooEarly => Self::No,
        }
    }
}

// === impl Login ===

impl Login {
    pub(super) fn of(live: &Live) -> Self {
        Self {
            user: live.record.user().cloned(),
            at: live.record.authenticated_at,
        }
    }
}
