//! The configurations: what each bounds, and what it looks at.

use crate::{
    checks::{Check, Sight},
    faults::Fault,
    mutants::Mutant,
    store::Write,
};

/// How events reach a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server pushes them (Redis, Valkey). A lost channel flushes.
    Push,
    /// The node reads a table of changes (PostgreSQL). A lost channel goes on where it was.
    Cursor,
}

/// A configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) nodes: usize,
    /// 2: the user's entry is on another shard than the record (a cluster).
    pub(crate) shards: usize,
    /// The last tick.
    pub(crate) ticks: u8,
    /// H, in ticks.
    pub(crate) lease: u8,
    /// D, in ticks.
    pub(crate) deposed: u8,
    /// The maximum age of a copy, where the configuration looks at it.
    pub(crate) age_max: Option<u8>,
    /// The tick in which the session ends by itself, where the configuration looks at it.
    pub(crate) expires: Option<u8>,
    pub(crate) touches: bool,
    /// Whether the session is nobody's at the start.
    pub(crate) anonymous: bool,
    /// Whether executing and acknowledging are two steps: the server works in cycles.
    pub(crate) batching: bool,
    /// Whether a barrier needs its canary to come back.
    pub(crate) canary: bool,
    /// Whether there is a replica, which is behind.
    pub(crate) replica: bool,
    /// Loads under way at a time at each node.
    pub(crate) loads: usize,
    /// Writes of others, each once, in any order.
    pub(crate) others: &'static [Write],
    /// Writes of the nodes themselves, each once, by any node, in any order.
    pub(crate) own: &'static [Write],
    /// Each once, in any order, or never.
    pub(crate) faults: &'static [Fault],
    pub(crate) checks: &'static [Check],
    pub(crate) sights: &'static [Sight],
    pub(crate) mutant: Option<Mutant>,
}

/// One node and one server, H of two ticks, one load at a time, and nothing happens.
const PLAIN: Bounds = Bounds {
    name: "",
    kind: Kind::Push,
    nodes: 1,
    shards: 1,
    ticks: 3,
    lease: 2,
    deposed: 0,
    age_max: None,
    expires: None,
    touches: false,
    anonymous: false,
    batching: false,
    canary: false,
    replica: false,
    loads: 1,
    others: &[],
    own: &[],
    faults: &[],
    checks: Check::ALL,
    sights: &[Sight::Hit, Sight::Wall],
    mutant: None,
};

/// A server that works in cycles, where an answer may overtake the events of writes that were
/// executed and not acknowledged; a channel that dies in silence.
pub(crate) const PUSH: Bounds = Bounds {
    name: "push",
    batching: true,
    others: &[Write::Change, Write::Revoke],
    faults: &[Fault::Cut],
    sights: &[Sight::Hit, Sight::Wall, Sight::Early, Sight::Refill],
    ..PLAIN
};

/// Two loads at a time, which overtake each other.
pub(crate) const OVERTAKING: Bounds = Bounds {
    name: "overtaking loads",
    loads: 2,
    others: &[Write::Change, Write::Revoke],
    sights: &[Sight::Hit, Sight::Wall, Sight::Early],
    ..PLAIN
};

/// The node changes the record while somebody else does; an answer to a write is lost.
pub(crate) const OWN_CHANGE: Bounds = Bounds {
    name: "own change",
    others: &[Write::Change],
    own: &[Write::Change],
    faults: &[Fault::LoseAck],
    ..PLAIN
};

/// The node revokes the session, and all of its user.
pub(crate) const OWN_REVOKE: Bounds = Bounds {
    name: "own revocation",
    ticks: 2,
    others: &[],
    own: &[Write::Revoke, Write::RevokeUser],
    ..OWN_CHANGE
};

/// A visitor logs in here or elsewhere while all of the user's sessions are revoked.
pub(crate) const LOGIN: Bounds = Bounds {
    name: "login",
    anonymous: true,
    ticks: 2,
    others: &[Write::RevokeUser, Write::Login],
    own: &[Write::Login],
    sights: &[Sight::Hit, Sight::Wall, Sight::Early],
    ..PLAIN
};

/// The same on a cluster, where the epoch is read before the record is written.
pub(crate) const LOGIN_CLUSTER: Bounds = Bounds {
    name: "login on a cluster",
    shards: 2,
    ticks: 1,
    others: &[Write::RevokeUser],
    sights: &[Sight::Hit, Sight::Wall],
    ..LOGIN
};

/// Two nodes: a login on one, while the other has a copy.
pub(crate) const TWO_NODES: Bounds = Bounds {
    name: "two nodes",
    nodes: 2,
    lease: 1,
    ticks: 1,
    own: &[Write::Login],
    ..PLAIN
};

/// The record on one shard and its user on another, each with a channel of its own.
pub(crate) const CLUSTER: Bounds = Bounds {
    name: "cluster",
    shards: 2,
    ticks: 2,
    others: &[Write::RevokeUser, Write::Login],
    faults: &[Fault::Cut],
    sights: &[Sight::Hit, Sight::Wall, Sight::Early, Sight::Refill],
    ..PLAIN
};

/// A replica that is behind becomes primary, and the old primary answers on: writes for D, and
/// whatever does not write for ever.
pub(crate) const FAIL_OVER: Bounds = Bounds {
    name: "fail-over",
    deposed: 1,
    replica: true,
    others: &[Write::Change, Write::Revoke],
    faults: &[Fault::FailOver],
    sights: &[
        Sight::Hit,
        Sight::Wall,
        Sight::Early,
        Sight::Refill,
        Sight::Reasserted,
    ],
    ..PLAIN
};

/// The same of one write, for a mutant that a revocation would kill by I3 first.
pub(crate) const FAIL_OVER_CHANGE: Bounds = Bounds {
    name: "fail-over, change",
    others: &[Write::Change],
    sights: &[Sight::Hit, Sight::Wall, Sight::Refill],
    ..FAIL_OVER
};

/// The same of a revocation that the replica may lack.
pub(crate) const FAIL_OVER_REVOKE: Bounds = Bounds {
    name: "fail-over, revoke",
    ticks: 2,
    others: &[Write::Revoke],
    sights: &[Sight::Hit, Sight::Early, Sight::Reasserted],
    ..FAIL_OVER
};

/// The server starts again with what was on its disk.
pub(crate) const RESTART: Bounds = Bounds {
    name: "restart",
    faults: &[Fault::Restart],
    ticks: 2,
    deposed: 0,
    ..FAIL_OVER
};

/// The same with two nodes, of which one was told of the revocation that the restart loses. What
/// is told and what is brought back does not depend on time, so that there is little of it.
pub(crate) const TWO_NODES_RESTART: Bounds = Bounds {
    name: "two nodes, restart",
    nodes: 2,
    lease: 1,
    ticks: 0,
    others: &[Write::Revoke],
    sights: &[Sight::Hit, Sight::Reasserted],
    ..RESTART
};

/// A table of changes that the node polls; transactions that end in another order than they
/// began; a connection that dies, and a table that forgets.
pub(crate) const CURSOR: Bounds = Bounds {
    name: "cursor",
    kind: Kind::Cursor,
    ticks: 2,
    others: &[Write::Change, Write::RevokeUser],
    faults: &[Fault::Cut, Fault::Trim],
    sights: &[Sight::Hit, Sight::Wall, Sight::Early, Sight::Refill],
    ..PLAIN
};

/// A server, or a proxy before it, that stops to push and answers on.
pub(crate) const SILENCE: Bounds = Bounds {
    name: "silence",
    canary: true,
    others: &[Write::Change, Write::Revoke],
    faults: &[Fault::Untrack],
    sights: &[Sight::Hit, Sight::Wall, Sight::Refill],
    ..PLAIN
};

/// A channel that drops one event: what a thousandth is like when it comes. Only the maximum
/// age bounds this, so here the bound is that and no longer L: the wall stands beyond L.
pub(crate) const LOSSY: Bounds = Bounds {
    name: "lossy",
    ticks: 4,
    age_max: Some(3),
    others: &[Write::Change, Write::Revoke],
    faults: &[Fault::Drop],
    sights: &[Sight::Hit, Sight::Wall],
    ..PLAIN
};

/// The same of the channel that brings the user's epoch.
pub(crate) const LOSSY_CLUSTER: Bounds = Bounds {
    name: "lossy cluster",
    shards: 2,
    others: &[Write::RevokeUser],
    ..LOSSY
};

/// A machine that is suspended while its channel dies.
pub(crate) const SUSPEND: Bounds = Bounds {
    name: "suspend",
    others: &[Write::Change, Write::Revoke],
    faults: &[Fault::Suspend, Fault::Cut],
    ..PLAIN
};

/// A session that ends by itself, and is touched.
pub(crate) const EXPIRY: Bounds = Bounds {
    name: "expiry",
    ticks: 5,
    expires: Some(3),
    touches: true,
    others: &[Write::Change],
    sights: &[Sight::Hit, Sight::Wall, Sight::HitPastTouch],
    ..PLAIN
};

// === impl Bounds ===

impl Bounds {
    /// One tick more in a build that is optimised (`cargo xtask model`), which has the time.
    pub(crate) fn of_this_build(self) -> Self {
        let ticks = self.ticks + u8::from(!cfg!(debug_assertions));
        Self { ticks, ..self }
    }

    /// After how many ticks an acknowledged write is in every answer: L + D, or the maximum age
    /// where the channel may drop events.
    pub(crate) fn bound(&self) -> u8 {
        self.age_max.unwrap_or(self.lease + self.deposed)
    }

    /// The node's time at which what was read at this time of its clock is too old.
    pub(crate) fn too_old(&self, sent: u8) -> u8 {
        self.age_max.map_or(u8::MAX, |age| sent + age)
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
