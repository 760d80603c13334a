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
        name: "revoked_user_keeps_copies",
        bug: "copies of a user's sessions stay in use after all of them were revoked elsewhere",
        package: "anynode-lab",
        target: &["--test", "prove"],
        checks: &["no_revoked_session_is_accepted_after_the_bound"],
        hang: Hang::Survives,
    },
    Plant {
        name: "copy_says_it_is_new",
        bug: "an answer from a copy says that it is as new as one from the store",
        package: "anynode-lab",
        target: &["--test", "prove"],
        checks: &["answers_are_never_behind_by_more_than_the_bound_and_the_wall_is_drawn"],
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
