//! How large a comparison is.

use std::time::Duration;

/// How large a comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compare) struct Size {
    /// The users of each strategy.
    pub(in crate::compare) users: u32,
    /// Requests per second, of all users together.
    pub(in crate::compare) rate: u32,
    /// Of a hundred requests, how many write.
    pub(in crate::compare) writes_percent: u8,
    /// How long nothing happens: what costs and latencies are counted in.
    pub(in crate::compare) steady: Duration,
    /// How long users are watched at least after something was done.
    pub(in crate::compare) watched: Duration,
}

/// The nodes of every fleet at first and at last.
pub(super) const NODES: usize = 3;

/// The nodes of every fleet while it is large.
pub(super) const NODES_GROWN: usize = 13;

/// How long users come before the first step: all of them have logged in by then.
pub(super) const SETTLING: Duration = Duration::from_secs(2);

/// One user of so many is revoked.
const REVOKED_SHARE: u32 = 4;

/// The part of a strategy's steady load that is also given to a node alone.
const BASELINE_SHARE: u32 = 2;

// === impl Size ===

impl Size {
    /// Some seconds for each step: for all strategies less than five minutes on two cores.
    pub(in crate::compare) const QUICK: Self = Self {
        users: 200,
        rate: 400,
        writes_percent: 50,
        steady: Duration::from_secs(8),
        watched: Duration::from_secs(3),
    };

    /// Some minutes for each strategy.
    pub(in crate::compare) const FULL: Self = Self {
        users: 1_000,
        rate: 1_000,
        writes_percent: 50,
        steady: Duration::from_secs(60),
        watched: Duration::from_secs(15),
    };

    pub(super) fn users_revoked(&self) -> u32 {
        (self.users / REVOKED_SHARE).max(1)
    }

    pub(super) fn baseline(&self) -> Duration {
        self.steady / BASELINE_SHARE
    }
}
