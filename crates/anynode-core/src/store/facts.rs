//! What a store says of itself: the raw material of `anynode doctor`.

use std::time::Duration;

/// What a store is and what it can promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The store, such as `sqlite`.
    pub store: &'static str,
    /// The version of its software.
    pub version: String,
    /// Whose clock judges lifetimes (L11).
    pub clock: ClockKind,
    /// How safe an acknowledged revocation is.
    pub durability: Durability,
    /// How long a primary that was deposed may still answer.
    pub deposed: Deposed,
    /// Every point that was looked at.
    pub notes: Vec<Note>,
}

/// Whose clock judges lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockKind {
    /// The store's own.
    Store,
    /// The wall clock of the node that asks; it must be right to within a second.
    Node,
}

/// How safe an acknowledged revocation is against the loss of the store's primary, from the
/// weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// R0: acknowledged before any copy of it exists.
    Asynchronous,
    /// R1: acknowledged by a quorum of replicas.
    Quorum,
    /// R2: as R1, and the nodes assert it again after a fail-over.
    Reasserted,
    /// R3: committed by a majority, or on disk where there is a single server.
    Majority,
}

/// How long a primary that was deposed, and does not know it, may still answer: the D of the
/// bound T + L + D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deposed {
    /// Not at all: there is one server, or a majority answers.
    Never,
    /// At most this long after another was promoted.
    Within(Duration),
    /// As long as it likes: nothing in the store's settings ends it.
    Unbounded,
}

/// One point about a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was looked at.
    pub point: &'static str,
    /// What was found.
    pub found: String,
    /// Whether that is safe.
    pub verdict: Verdict,
}

/// Whether what was found is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Safe,
    /// It is a weakness that the store's users have to know of, and may have chosen.
    Caution {
        /// What it means for them.
        why: &'static str,
        /// What to change to be rid of it.
        change: &'static str,
    },
    /// It is not: sessions can be lost, read or revived that should not be.
    Unsafe {
        /// Why it matters.
        why: &'static str,
        /// What to change.
        change: &'static str,
    },
}

// === impl Deposed ===

impl Deposed {
    /// How long a primary may answer that refuses to while fewer than `wanted` of its replicas
    /// were heard within `lag`, where replicas are promoted by somebody who does not ask it and
    /// need as many to write.
    ///
    /// One of them is promoted, and each of the others follows one primary at a time. Where
    /// they are too few for two primaries to have `wanted` each, the new one writes only with
    /// replicas that the old one lost, so that it refuses when those have been silent for `lag`.
    /// Where they are enough, on either side of a partition, nothing bounds it.
    pub fn by_replicas(replicas: u64, wanted: u64, lag: Duration) -> Self {
        let others = replicas.saturating_sub(1);
        if wanted == 0 || others >= wanted.saturating_mul(2) || lag.is_zero() {
            return Self::Unbounded;
        }
        Self::Within(lag)
    }
}

// === impl Durability ===

impl Durability {
    /// What is left of it where a primary has this many replicas and needs a `quorum` of them
    /// to acknowledge.
    #[must_use]
    pub fn with_replicas(self, connected: usize, quorum: usize) -> Self {
        match self {
            Self::Quorum | Self::Reasserted if connected < quorum => Self::Asynchronous,
            possible => possible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG: Duration = Duration::from_secs(3);

    #[test]
    fn two_primaries_that_cannot_both_have_their_replicas_do_not_both_answer() {
        for (replicas, wanted) in [(1, 1), (2, 1), (2, 2), (2, 3), (3, 2), (4, 2), (0, 1)] {
            let bound = Deposed::by_replicas(replicas, wanted, LAG);
            assert_eq!(bound, Deposed::Within(LAG), "{replicas} {wanted}");
        }
    }

    #[test]
    fn a_primary_that_may_keep_as_many_replicas_as_it_needs_notices_nothing() {
        let none = Duration::ZERO;
        for (replicas, wanted, lag) in [(3, 1, LAG), (5, 2, LAG), (1, 0, LAG), (1, 1, none)] {
            let bound = Deposed::by_replicas(replicas, wanted, lag);
            assert_eq!(bound, Deposed::Unbounded, "{replicas} {wanted} {lag:?}");
        }
    }

    #[test]
    fn what_waits_for_replicas_that_are_not_there_is_not_promised() {
        let wanted = Durability::Reasserted;
        assert_eq!(wanted.with_replicas(0, 1), Durability::Asynchronous);
        assert_eq!(wanted.with_replicas(1, 1), wanted);
        let on_disk = Durability::Majority;
        assert_eq!(on_disk.with_replicas(0, 1), on_disk);
    }
}
