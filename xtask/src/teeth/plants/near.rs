//! The planted bugs in what a node knows of revocations and of lost writes.

use super::{Hang, Plant};

pub(super) const NEAR: &[Plant] = &[
    Plant {
        name: "fence_ignored",
        bug: "a primary that took over without the last writes passes for the one before",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["a_promoted_replica_has_what_it_took_over_and_nothing_after"],
        hang: Hang::Survives,
    },
    Plant {
        name: "barrier_without_canary",
        bug: "a barrier passes by its answer alone, though pushes do not get through",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["a_barrier_passes_by_answer_and_canary_in_either_order"],
        hang: Hang::Survives,
    },
    Plant {
        name: "full_memory_evicts",
        bug: "a node that remembers as many revocations as it may forgets one without a word",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["a_full_memory_evicts_nothing_and_says_so_for_a_window"],
        hang: Hang::Survives,
    },
];
