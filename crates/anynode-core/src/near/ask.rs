//! What a request asks of a near cache, and what it may be answered with.

use std::{fmt, time::Duration};

use super::{Horizon, Reassert, StoreShard, Token, copies::Nanos, packed::Packed};
use crate::session::{Handle, Live, SecretHash, Version};

/// How old the knowledge may be that a route is answered by, from the strictest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// Not older than the request: the store is asked, after the request came in. For changes
    /// of passwords and for payments.
    Strict,
    /// Under a lease: what was revoked is refused once the staleness bound has gone by, and
    /// mostly within milliseconds.
    #[default]
    Bounded,
    /// Up to this old if there is no lease: for pages that are better shown late than not at
    /// all. What the node knows to be revoked is refused all the same.
    StaleOk(Duration),
}

/// One request for a session. Times are a [`Duration`] on the node's boot clock.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The session.
    pub handle: Handle,
    /// The shard of the store that its record is on.
    pub shard: StoreShard,
    /// The hash of the secret that was presented; `None` leaves it to the caller to judge.
    pub secret: Option<&'a SecretHash>,
    /// The version that this client is known to have seen: a copy of another one is not for them.
    pub seen: Option<Version>,
    /// How old the knowledge may be.
    pub freshness: Freshness,
    /// When the request came in.
    pub arrived: Duration,
    /// What the clock says as it is decided: read after the request came in.
    pub now: Duration,
}

/// What a shard finds.
#[derive(Debug)]
pub enum Look {
    /// A copy that may be used.
    Hit(Hit),
    /// None: the store has to be asked, if [`through`] allows it.
    Miss(Miss),
}

/// A copy that may be used for the request that asked, and by nobody later.
#[derive(Clone)]
pub struct Hit {
    pub(super) handle: Handle,
    pub(super) packed: Packed,
    pub(super) sent: Nanos,
    pub(super) ends: Nanos,
    pub(super) as_of: Duration,
}

/// There is no copy for this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Why not.
    pub why: Why,
    /// What the answer of the load may be kept under.
    pub token: Token,
    /// The load is not to be sent before. Those who ask meanwhile share it.
    pub not_before: Duration,
}

/// Why there is no copy for a request: for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// There is none.
    Absent,
    /// The route is strict.
    Strict,
    /// There is no lease on the record's shard or its user's.
    Untrusted,
    /// A flush or a revocation of its user came since.
    Outdated,
    /// It has reached its maximum age.
    Aged,
    /// It ended by what this node knows; another may have touched it.
    Ended,
    /// The client has seen a later one.
    Unseen,
    /// The secret does not match. The login may just have happened on another node.
    Secret,
}

/// Whether a miss may be answered by the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// Ask it.
    Read,
    /// No need: the session is known to be revoked.
    Dead,
    /// No: it refused a heartbeat, so that its answers prove nothing. The request is answered
    /// `Unavailable`.
    Refused,
}

/// Whether a request that missed may be answered by the store.
///
/// What is known to be revoked stays dead whatever the store says and without asking it.
pub fn through(ask: &Ask<'_>, horizon: &Horizon, memory: &Reassert) -> Through {
    if memory.refuses(&ask.handle) {
        return Through::Dead;
    }
    match horizon.is_refused(ask.shard) {
        true => Through::Refused,
        false => Through::Read,
    }
}

// === impl Hit ===

impl Hit {
    /// The live record, with the store's clock as it may be at most `now`.
    pub fn live(&self, now: Duration) -> Live {
        let mut live = self.packed.live(self.handle);
        live.now = live.now + now.saturating_sub(self.sent.time());
        // The node's own touches moved its end on, and were not told to the record.
        let touched = live.now + self.ends.time().saturating_sub(now);
        let deadline = live.record.deadline;
        live.idle_deadline = live.idle_deadline.max(touched.min(deadline));
        live
    }

    /// Which version of the record it is.
    pub fn version(&self) -> Version {
        self.packed.version()
    }

    /// As of when this node knows that the session was alive.
    pub fn as_of(&self) -> Duration {
        self.as_of
    }
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hit")
            .field("handle", &self.handle)
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

// === impl Why ===

impl Why {
    /// One lower-case word, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Strict => "strict",
            Self::Untrusted => "untrusted",
            Self::Outdated => "outdated",
            Self::Aged => "aged",
            Self::Ended => "ended",
            Self::Unseen => "unseen",
            Self::Secret => "secret",
        }
    }
}
