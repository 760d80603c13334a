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
