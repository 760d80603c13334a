//! The planted bugs in the rules of the near cache.

use super::{Hang, Plant};

/// What catches each of them beside its own check: fleets of the same code, from a seed.
const SIMULATION: &str = "no_seed_breaks_a_promise";

const fn plant(name: &'static str, bug: &'static str, checks: &'static [&'static str]) -> Plant {
    Plant {
        name,
        bug,
        package: "anynode-core",
        target: &["--lib", "--test", "near_simulation"],
        checks,
        hang: Hang::Survives,
    }
}

pub(super) const NEAR_CORE: &[Plant] = &[
    plant(
        "no_generation_check",
        "a load lands in the cache after the event that outdates it",
        &[
            "a_load_that_was_overtaken_by_an_event_does_not_get_in",
            SIMULATION,
        ],
    ),
    plant(
        "greater_version_passes_for_later",
        "a client that wrote after a fail-over is shown a lost write of before it",
        &["a_client_is_shown_what_it_has_seen_or_the_store_is_asked"],
    ),
    plant(
        "kept_from_elsewhere",
        "what a server answered that no channel follows is kept as a copy",
        &["nothing_is_kept_that_comes_from_a_server_which_no_channel_follows"],
    ),
    plant(
        "lease_from_receive_time",
        "a lease is counted from when the answer to its barrier came",
        &["a_lease_counts_from_when_the_barrier_was_sent", SIMULATION],
    ),
    plant(
        "no_flush_after_reconnect",
        "copies from before a gap in the channel are trusted after it",
        &[
            "a_channel_that_is_opened_again_flushes_and_starts_over",
            SIMULATION,
        ],
    ),
    plant(
        "own_write_before_its_acknowledgement",
        "a write is shown to others before the store has taken it",
        &[
            "an_own_write_enters_only_after_it_was_acknowledged",
            SIMULATION,
        ],
    ),
    plant(
        "one_lease_for_two_shards",
        "a bound session is trusted without the lease of the shard that its user is on",
        &[
            "a_bound_session_needs_the_lease_of_its_users_shard_as_well",
            SIMULATION,
        ],
    ),
    plant(
        "secret_mismatch_refused",
        "a copy from before a login decides that the new secret is wrong",
        &[
            "a_secret_that_does_not_match_a_copy_is_a_miss_at_a_pace",
            SIMULATION,
        ],
    ),
    plant(
        "join_any_load",
        "a request is answered by a load that was sent before it came in, however long ago",
        &["a_strict_request_joins_no_load_that_was_sent", SIMULATION],
    ),
    plant(
        "load_joined_after_its_event",
        "a client that wrote its session is shown it as a load found it before",
        &[
            "a_load_is_joined_by_nobody_once_something_was_heard_of_its_handle",
            SIMULATION,
        ],
    ),
    plant(
        "later_entry_replaces",
        "a revocation of all but one, from a deposed primary, undoes one of all",
        &[
            "what_is_spared_in_one_history_stays_dead_if_another_ended_it",
            SIMULATION,
        ],
    ),
    plant(
        "copy_without_maximum_age",
        "a copy stays for ever when the channel drops its event without a word",
        &[
            "no_copy_outlives_its_maximum_age_whatever_the_channel_says",
            SIMULATION,
        ],
    ),
    plant(
        "roll_answered_by_any_barrier",
        "a node confirms by a barrier that began before it was asked to",
        &["a_call_is_answered_by_a_barrier_that_began_after_it_was_heard"],
    ),
    plant(
        "receipt_takes_any_answer",
        "an answer to an earlier call passes for one to this",
        &["an_answer_to_an_earlier_call_confirms_nothing"],
    ),
    plant(
        "receipt_bound_without_d",
        "a receipt claims the bound while a deposed primary may still renew a lease",
        &["the_bound_counts_how_long_a_deposed_primary_answers"],
    ),
];
