//! Where a request goes whose client may belong to a backend.

use std::time::Duration;

use super::{Lookup, Pin, WhenGone};
use crate::balance::pool::{Choice, Gone, Pool};
use crate::balance::queue::{Patience, Want};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the backend its client belongs to.
    Pinned(Choice),
    /// To any backend.
    Balance,
    /// To any backend this [once](Choice::once): its client's own is full and waiting is over.
    Spill,
    /// Into the queue for the backend its client belongs to, which is full.
    Queue(Want),
    /// Nowhere: its client is to wait for its backend.
    Refuse,
}

/// What became of a client's affinity, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AffinityOutcome {
    /// There was no cookie.
    Absent,
    /// The cookie was none of ours.
    Malformed,
    /// The cookie names a key that is not in the ring.
    UnknownKey,
    /// The cookie's signature is wrong.
    BadMac,
    /// The cookie is from the future.
    Future,
    /// The cookie was not used for too long.
    ExpiredIdle,
    /// The client was on one backend for long enough.
    ExpiredLife,
    /// The client went to its backend.
    Kept,
    /// The client's backend is no longer in the pool.
    UnknownNode,
    /// The client's backend is down.
    Down,
    /// The client's backend is ejected.
    Ejected,
    /// The checks of the client's backend fail.
    Failing,
    /// The client's backend was chosen and could not be reached.
    Unreachable,
    /// The client's backend was full, and its request was served by another this once.
    Spilled,
    /// The client's backend was full for too long, and its request was not served.
    Full,
}

/// Decides where a request goes at `now` whose cookies say `lookup`.
///
/// Whatever is wrong with a cookie itself, its request is balanced like that of a new client.
/// A backend that drains keeps its clients.
/// One that is full is waited for while there is `patience`, and afterwards the request goes elsewhere or
/// is refused as `when_gone` says, but its client stays a client of that backend.
pub fn decide(
    lookup: Lookup,
    pool: &mut Pool,
    when_gone: WhenGone,
    patience: Patience,
    now: Duration,
) -> (Route, AffinityOutcome) {
    let Lookup::Valid(pin) = lookup else {
        return (Route::Balance, AffinityOutcome::of(lookup));
    };
    match pool.choose_pinned(pin.incarnation, now) {
        Ok(choice) => (Route::Pinned(choice), AffinityOutcome::Kept),
        Err(Gone::Full) => match (patience, when_gone) {
            (Patience::Left, _) => {
                let want = Want::Client(pin.incarnation);
                (Route::Queue(want), AffinityOutcome::Full)
            }
            (Patience::Over, WhenGone::Rebalance) => (Route::Spill, AffinityOutcome::Spilled),
            (Patience::Over, WhenGone::Refuse) => (Route::Refuse, AffinityOutcome::Full),
        },
        Err(gone) => (when_gone.route(), AffinityOutcome::broken(gone)),
    }
}

// === impl Lookup ===

impl Lookup {
    /// Returns what the cookie says if it counts.
    #[must_use]
    pub const fn pin(self) -> Option<Pin> {
        match self {
            Self::Valid(pin) => Some(pin),
            _ => None,
        }
    }
}

// === impl WhenGone ===

impl WhenGone {
    fn route(self) -> Route {
        match self {
            Self::Rebalance => Route::Balance,
            Self::Refuse => Route::Refuse,
        }
    }
}

// === impl AffinityOutcome ===

impl AffinityOutcome {
    /// Every outcome, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::Absent,
        Self::Malformed,
        Self::UnknownKey,
        Self::BadMac,
        Self::Future,
        Self::ExpiredIdle,
        Self::ExpiredLife,
        Self::Kept,
        Self::UnknownNode,
        Self::Down,
        Self::Ejected,
        Self::Failing,
        Self::Unreachable,
        Self::Spilled,
        Self::Full,
    ];

    /// Returns its name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::BadMac => "bad_mac",
            Self::Future => "future",
            Self::ExpiredIdle => "expired_idle",
            Self::ExpiredLife => "expired_life",
            Self::Kept => "kept",
            Self::UnknownNode => "unknown_node",
            Self::Down => "down",
            Self::Ejected => "ejected",
            Self::Failing => "failing",
            Self::Unreachable => "unreachable",
            Self::Spilled => "spilled",
            Self::Full => "full",
        }
    }

    /// Returns the outcome when nobody could be chosen after all.
    #[must_use]
    pub fn unserved(self) -> Self {
        match self {
            Self::Spilled => Self::Full,
            outcome => outcome,
        }
    }

    fn of(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Absent => Self::Absent,
            Lookup::Malformed => Self::Malformed,
            Lookup::UnknownKey => Self::UnknownKey,
            Lookup::BadMac => Self::BadMac,
            Lookup::Future => Self::Future,
            Lookup::ExpiredIdle => Self::ExpiredIdle,
            Lookup::ExpiredLife => Self::ExpiredLife,
            Lookup::Valid(_) => Self::Kept,
        }
    }

    fn broken(gone: Gone) -> Self {
        match gone {
            Gone::Unknown => Self::UnknownNode,
            Gone::Down => Self::Down,
            Gone::Ejected => Self::Ejected,
            Gone::Failing => Self::Failing,
            Gone::Full => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests;
