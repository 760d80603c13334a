//! The planted bugs that only a fleet shows, caught by the proofs of the lab.

use super::{Hang, Plant};

pub(super) const LAB: &[Plant] = &[
    Plant {
        name: "node_keeps_sessions_to_itself",
        bug: "a node that was given a store keeps its sessions in its own memory",
        package: "anynode-lab",
        target: &["--test", "prove"],
        checks: &["no_session_is_lost_when_nodes_are_killed_added_and_taken_away"],
        hang: Hang::Survives,
    },
    Plant {
        name: "conflict_taken_for_written",
        bug: "an update that met another is acknowledged and not written",
        package: "anynode-lab",
        target: &["--test", "prove"],
        checks: &["no_update_is_lost_or_doubled_when_nodes_are_killed"],
        hang: Hang::Survives,
    },
    Plant {
        name: "postgres_write_is_told_before_it_is_kept",
        bug: "a write is acknowledged before the server has it on disk, and lost when that is killed",
        package: "anynode-lab",
        target: &["--test", "faults"],
        checks: &["servers_that_are_killed_cut_off_and_garbled_pass"],
        hang: Hang::Survives,
    },
];
