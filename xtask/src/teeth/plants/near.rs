//! The planted bugs in what a node knows of revocations and of lost writes.

use super::{Hang, Plant};

/// What a channel and a vigil do, without a server.
const UNITS: &[&str] = &["--features", "redis", "--lib"];

/// The same on real servers.
const FAULTS: &[&str] = &["--test", "redis_faults"];

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
    Plant {
        name: "flush_push_ignored",
        bug: "a channel takes no notice when all keys of the server were removed",
        package: "anynode",
        target: UNITS,
        checks: &["a_push_without_names_is_a_flush"],
        hang: Hang::Catches,
    },
    Plant {
        name: "loss_told_last",
        bug: "a lost channel is reported after what was heard before, while copies are trusted",
        package: "anynode",
        target: UNITS,
        checks: &["a_loss_is_told_before_anything_that_was_heard"],
        hang: Hang::Survives,
    },
    Plant {
        name: "gap_without_flush",
        bug: "a channel that was lost goes on as if there were no gap",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["a_killed_connection_is_told_before_anything_after_it"],
        hang: Hang::Survives,
    },
    Plant {
        name: "heartbeat_only_asks",
        bug: "a primary that no longer takes writes goes on renewing leases",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["a_primary_that_was_cut_off_silently_is_not_believed"],
        hang: Hang::Survives,
    },
    Plant {
        name: "heartbeat_refused_when_full",
        bug: "a full server refuses heartbeats, so that every node loses its lease",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["a_full_redis_still_revokes_and_watches"],
        hang: Hang::Survives,
    },
    Plant {
        name: "takeover_is_read_at_once",
        bug: "a node reads a primary that took over before others wrote again what it lost",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["a_primary_that_took_over_is_read_when_all_nodes_have_written_again"],
        hang: Hang::Survives,
    },
    Plant {
        name: "musters_before_it_wrote",
        bug: "a node says that all it remembers is on the new primary before it is",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["a_node_tells_no_other_that_it_has_written_before_it_has"],
        hang: Hang::Survives,
    },
    Plant {
        name: "late_acknowledgement_counts",
        bug: "a revocation counts that was acknowledged by a primary after another was followed",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["what_a_former_primary_acknowledges_late_is_not_done_before_the_new_one_has_it"],
        hang: Hang::Survives,
    },
    Plant {
        name: "replicas_not_counted",
        bug: "a revocation is acknowledged though no replica has it",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["under_r1_the_revocation_is_indeterminate_and_the_session_refused"],
        hang: Hang::Survives,
    },
    Plant {
        name: "redis_answer_from_anywhere",
        bug: "what a deposed primary answers is kept by a node that follows the new one",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["what_a_deposed_primary_answers_is_not_kept"],
        hang: Hang::Survives,
    },
    Plant {
        name: "memory_not_asked",
        bug: "a node accepts a session that it knows to be revoked because the store brought it back",
        package: "anynode-lab",
        target: FAULTS,
        checks: &["under_r2_an_acknowledged_revocation_that_was_lost_is_written_again"],
        hang: Hang::Survives,
    },
];
