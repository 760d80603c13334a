//! The planted bugs in what closes open connections.

use super::{Hang, Plant};

pub(super) const OPEN: &[Plant] = &[
    Plant {
        name: "open_ignores_user_entries",
        bug: "connections stay open though all sessions of their user were revoked",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["all_of_a_user_are_closed_but_the_spared_one_and_those_of_others"],
        hang: Hang::Survives,
    },
    Plant {
        name: "open_ignores_lost_leases",
        bug: "connections stay open on a node that hears nothing any more",
        package: "anynode-core",
        target: &["--lib"],
        checks: &[
            "before_a_lease_runs_out_the_store_is_asked_for_every_session_a_few_at_a_time",
            "what_nothing_is_known_of_for_its_patience_is_closed_and_nothing_passes_it",
        ],
        hang: Hang::Survives,
    },
    Plant {
        name: "open_settled_from_elsewhere",
        bug: "what a deposed primary said of an open connection is never asked for again",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["what_a_server_says_that_no_channel_follows_is_asked_for_again_under_a_lease"],
        hang: Hang::Survives,
    },
    Plant {
        name: "open_passes_after_its_bound",
        bug: "a node that stood still goes on sending to whom it ought to have cut off",
        package: "anynode",
        target: &["--test", "near_cache"],
        checks: &["nothing_passes_on_a_node_that_stood_still_while_the_session_ended"],
        hang: Hang::Survives,
    },
];
