//! What the channel has to carry, and what it carried.
//!
//! With N nodes, W writes a second and a lease of H, of which three heartbeats fit into one:
//!
//! - a push channel (Redis) carries N·W events, and 3N/H heartbeats that come back, each to its
//!   own node;
//! - a cursor channel (PostgreSQL) carries N·W changes in the answers to polls. There are 3N/H
//!   heartbeats, which poll, and a poll of each node for each hint; there is a hint to each node
//!   for each write, as long as no node writes more than fifty times a second. The node that wrote
//!   polls once more, at once: W.

use anynode_core::near::Horizon;

use crate::relay::Count;
use crate::server::Backend;

/// What is done to the sessions meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Quiet,
    Touched,
    /// Touched as well.
    Written,
}

/// What was told in a phase of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) phase: Phase,
    pub(crate) nodes: f64,
    pub(crate) seconds: f64,
    pub(crate) writes: f64,
    pub(crate) touches: f64,
    pub(crate) count: Count,
}

/// A figure beside its formula.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) phase: Phase,
    /// What it has to be.
    pub(crate) formula: &'static str,
    pub(crate) of: fn(&Slice) -> Expected,
}

/// How many messages there were, and how many there had to be.
pub(crate) struct Expected {
    pub(crate) told: f64,
    pub(crate) due: f64,
}

const REDIS: &[Figure] = &[
    Figure {
        name: "events",
        phase: Phase::Written,
        formula: "N*W",
        of: events,
    },
    Figure {
        name: "heartbeats",
        phase: Phase::Written,
        formula: "3N/H",
        of: heartbeats,
    },
    Figure {
        name: "heartbeats, quiet",
        phase: Phase::Quiet,
        formula: "3N/H",
        of: heartbeats,
    },
];

const POSTGRES: &[Figure] = &[
    Figure {
        name: "changes",
        phase: Phase::Written,
        formula: "N*W",
        of: events,
    },
    Figure {
        name: "hints",
        phase: Phase::Written,
        formula: "N*W",
        of: |slice| Expected {
            told: number(slice.count.hints),
            due: slice.nodes * slice.writes,
        },
    },
    Figure {
        name: "polls",
        phase: Phase::Written,
        formula: "N*(3/H+W)+W",
        of: |slice| {
            let Expected { told, due } = heartbeats(slice);
            let due = due + (slice.nodes + 1.0) * slice.writes;
            Expected { told, due }
        },
    },
    Figure {
        name: "polls, quiet",
        phase: Phase::Quiet,
        formula: "3N/H",
        of: heartbeats,
    },
];

fn events(slice: &Slice) -> Expected {
    Expected {
        told: number(slice.count.events),
        due: slice.nodes * slice.writes,
    }
}

fn heartbeats(slice: &Slice) -> Expected {
    let lease = Horizon::TERM.as_secs_f64();
    Expected {
        told: number(slice.count.proofs),
        due: slice.seconds * 3.0 * slice.nodes / lease,
    }
}

/// The figures of a store.
pub(crate) fn of(backend: Backend) -> &'static [Figure] {
    match backend {
        Backend::Redis => REDIS,
        Backend::Postgres => POSTGRES,
    }
}

/// A count as a figure.
pub(crate) fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
