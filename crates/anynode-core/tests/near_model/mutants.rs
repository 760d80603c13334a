//! The protocol with one rule left out, and the check that must notice.

use crate::{
    bounds::{self, Bounds},
    checks::{Check, Sight},
};

/// A rule that is left out, or replaced by what somebody might do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// An answer is kept though its event came first.
    NoGenerationCheck,
    /// A lease counts from when the barrier's answer came.
    LeaseFromReceiveTime,
    /// A lost channel is connected again without a flush.
    NoFlush,
    /// A flush removes the copy and lets answers under way be kept.
    TokenWithoutFlush,
    /// A barrier passes before the server was told to push.
    LeaseBeforeTracking,
    /// A write counts as acknowledged when it was executed, before its events were queued.
    OrderedByExecution,
    /// An answer is kept though the lease is over.
    InsertUnderDeadLease,
    /// A load that answers `None` leaves the copy and what is under way.
    DenialLeavesCopy,
    /// A `bounded` request joins a load however long ago it was sent.
    JoinAnyLoad,
    /// A `strict` request joins a load that was already sent.
    StrictJoinsSentLoad,
    /// A request joins a load whose generation has moved on.
    JoinOutdatedLoad,
    /// An own write is in the cache before it is acknowledged.
    OwnWriteBeforeAck,
    /// An own write enters the cache on its acknowledgement, whatever events came first.
    OwnWriteWithoutToken,
    /// An own write waits for its event.
    OwnWriteLeftToItsEvent,
    /// NOLOOP: default tracking and a cache of own writes.
    NoloopDefaultTracking,
    /// A login stamps the epoch that the node knows.
    CachedEpochAtLogin,
    /// A secret that does not match a copy is refused.
    MismatchRefused,
    /// A secret that does not match a load it joined is refused.
    JoinedMismatchRefused,
    /// A stamp later than the epoch that is known is refused.
    LaterStampRefused,
    /// A hit asks for the lease of the record's shard only.
    OneLease,
    /// A lease is granted before the user entries were read.
    NoSnapshot,
    /// The second read is skipped for a lease that is over when the answer comes.
    SkipAsSent,
    /// A `strict` request does without the second read for a lease on the user's shard.
    StrictSkipsUser,
    /// The heartbeat is a PING.
    HeartbeatDoesNotWrite,
    /// A deposed primary answers loads.
    ReadWithoutProof,
    /// Loads go to another primary than the channel.
    LoadFromElsewhere,
    /// A node that met the successor follows the deposed primary again.
    GoesBackToDeposed,
    /// A replica answers loads.
    FillFromReplica,
    /// A flush forgets revocations.
    ForgetsRevocations,
    /// Nobody writes lost revocations again.
    NoReassertion,
    /// A cursor goes by sequence numbers.
    SequenceCursor,
    /// A barrier passes by its answer alone.
    BarrierWithoutCanary,
    /// A copy has no maximum age; the channel drops one event.
    NoMaximumAge,
    /// A user's epoch has no maximum age; the channel drops one event.
    EpochWithoutMaximumAge,
    /// The node's clock stands still in suspend.
    ClockStandsStill,
    /// A deadline counts from when the answer came.
    DeadlineFromReceiveTime,
    /// A touch writes a key that is tracked.
    TouchOnTrackedKey,
}

/// What notices a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Killer {
    /// An invariant that breaks.
    Broken(Check),
    /// Something that is not seen any more.
    Unseen(Sight),
}

/// A mutant, where it is run, and what kills it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) mutant: Mutant,
    pub(crate) bounds: Bounds,
    pub(crate) killer: Killer,
    /// What a client would notice, if the killer is a check of how the claim is kept.
    pub(crate) outward: Option<Check>,
}

/// Of the channel, the lease, and the clock that it counts on.
pub(crate) const CHANNEL: &[Row] = &[
    inward(
        Mutant::LeaseFromReceiveTime,
        bounds::PUSH,
        Check::LeaseFromSend,
        Check::Staleness,
    ),
    row(Mutant::NoFlush, bounds::PUSH, Check::Staleness),
    row(Mutant::LeaseBeforeTracking, bounds::PUSH, Check::Staleness),
    row(Mutant::OrderedByExecution, bounds::PUSH, Check::Staleness),
    row(
        Mutant::BarrierWithoutCanary,
        bounds::SILENCE,
        Check::Staleness,
    ),
    inward(
        Mutant::SequenceCursor,
        bounds::CURSOR,
        Check::Cursor,
        Check::Staleness,
    ),
    row(Mutant::NoSnapshot, bounds::CLUSTER, Check::Staleness),
    row(Mutant::OneLease, bounds::CLUSTER, Check::Staleness),
    row(Mutant::ClockStandsStill, bounds::SUSPEND, Check::Staleness),
    row(Mutant::TouchOnTrackedKey, bounds::EXPIRY, Check::Touch),
];

/// Of what is kept, for how long, and who may share it.
pub(crate) const COPIES: &[Row] = &[
    inward(
        Mutant::NoGenerationCheck,
        bounds::PUSH,
        Check::Insert,
        Check::Staleness,
    ),
    row(Mutant::TokenWithoutFlush, bounds::PUSH, Check::Staleness),
    // No client would notice: the token and the flush keep old answers out by themselves.
    row(Mutant::InsertUnderDeadLease, bounds::PUSH, Check::Insert),
    row(Mutant::DenialLeavesCopy, bounds::PUSH, Check::Final),
    row(Mutant::JoinAnyLoad, bounds::PUSH, Check::Staleness),
    row(
        Mutant::JoinOutdatedLoad,
        bounds::OWN_CHANGE,
        Check::OwnWrites,
    ),
    row(Mutant::StrictJoinsSentLoad, bounds::PUSH, Check::Authority),
    row(Mutant::StrictSkipsUser, bounds::CLUSTER, Check::Authority),
    row(Mutant::SkipAsSent, bounds::CLUSTER, Check::Staleness),
    row(Mutant::NoMaximumAge, bounds::LOSSY, Check::Staleness),
    row(
        Mutant::EpochWithoutMaximumAge,
        bounds::LOSSY_CLUSTER,
        Check::Staleness,
    ),
    row(
        Mutant::DeadlineFromReceiveTime,
        bounds::EXPIRY,
        Check::Deadline,
    ),
];

/// Of own writes and logins.
pub(crate) const WRITES: &[Row] = &[
    inward(
        Mutant::OwnWriteBeforeAck,
        bounds::OWN_CHANGE,
        Check::Insert,
        Check::Staleness,
    ),
    inward(
        Mutant::OwnWriteWithoutToken,
        bounds::OWN_CHANGE,
        Check::Insert,
        Check::Staleness,
    ),
    row(
        Mutant::OwnWriteLeftToItsEvent,
        bounds::OWN_CHANGE,
        Check::OwnWrites,
    ),
    row(
        Mutant::NoloopDefaultTracking,
        bounds::OWN_CHANGE,
        Check::Staleness,
    ),
    row(Mutant::CachedEpochAtLogin, bounds::LOGIN, Check::Living),
    row(Mutant::MismatchRefused, bounds::TWO_NODES, Check::Living),
    row(
        Mutant::JoinedMismatchRefused,
        bounds::TWO_NODES,
        Check::Living,
    ),
    row(Mutant::LaterStampRefused, bounds::LOGIN, Check::Living),
];

/// Of whom a node believes, and what it remembers, across a fail-over.
pub(crate) const AUTHORITY: &[Row] = &[
    row(
        Mutant::HeartbeatDoesNotWrite,
        bounds::FAIL_OVER,
        Check::Staleness,
    ),
    row(
        Mutant::ReadWithoutProof,
        bounds::FAIL_OVER,
        Check::Authority,
    ),
    inward(
        Mutant::LoadFromElsewhere,
        bounds::FAIL_OVER_CHANGE,
        Check::Insert,
        Check::Staleness,
    ),
    row(Mutant::GoesBackToDeposed, bounds::FAIL_OVER, Check::Final),
    row(Mutant::FillFromReplica, bounds::FAIL_OVER, Check::Authority),
    row(Mutant::ForgetsRevocations, bounds::FAIL_OVER, Check::Final),
    Row {
        mutant: Mutant::NoReassertion,
        bounds: bounds::FAIL_OVER_REVOKE,
        killer: Killer::Unseen(Sight::Reasserted),
        outward: None,
    },
];

const fn row(mutant: Mutant, bounds: Bounds, check: Check) -> Row {
    Row {
        mutant,
        bounds,
        killer: Killer::Broken(check),
        outward: None,
    }
}

const fn inward(mutant: Mutant, bounds: Bounds, check: Check, outward: Check) -> Row {
    Row {
        outward: Some(outward),
        ..row(mutant, bounds, check)
    }
}

// === impl Killer ===

impl Killer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broken(check) => check.name(),
            Self::Unseen(sight) => sight.name(),
        }
    }
}
