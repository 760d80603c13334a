//! The planted bugs in the near cache of a node, and in what the session layer asks of it.

use super::{Hang, Plant};

const fn plant(name: &'static str, bug: &'static str, checks: &'static [&'static str]) -> Plant {
    Plant {
        name,
        bug,
        package: "anynode",
        target: &["--test", "near_cache"],
        checks,
        hang: Hang::Survives,
    }
}

pub(super) const NEAR_CACHE: &[Plant] = &[
    plant(
        "clock_stands_still_in_suspend",
        "leases and copies are as old after a suspend as before it",
        &["copies_age_while_the_machine_is_suspended"],
    ),
    plant(
        "near_unknown_outcome_kept",
        "a copy stays although a write of its session may have happened",
        &[
            "after_a_write_with_an_unknown_outcome_the_store_is_asked",
            "after_a_write_that_was_cut_off_the_store_is_asked",
        ],
    ),
    plant(
        "near_own_revocation_waits_for_its_event",
        "a node goes on serving a session that was revoked on it until the channel tells of it",
        &["an_own_revocation_is_refused_by_the_next_request_whatever_the_channel_does"],
    ),
    plant(
        "near_refused_reads_through",
        "a store that refused the heartbeat, and may have been deposed, is believed",
        &["a_node_whose_heartbeat_is_refused_does_not_even_read"],
    ),
    plant(
        "near_leaves_with_its_lease",
        "a node is waited for by no receipt any more and goes on answering from copies",
        &["a_node_that_was_closed_uses_no_copy_and_is_registered_no_more"],
    ),
    plant(
        "near_lost_channel_keeps_lease",
        "copies are used for the rest of the lease although the channel is known to be lost",
        &["a_node_whose_channel_is_lost_reads_through_and_recovers"],
    ),
    plant(
        "near_sqlite_not_asked",
        "a copy is used without asking whether another process has committed since",
        &["what_another_process_acknowledged_is_known_to_the_next_read"],
    ),
    plant(
        "near_shared_load_refuses",
        "a request is turned away by a load that was sent before its session was created",
        &["nobody_is_turned_away_by_a_load_that_was_sent_before_they_came"],
    ),
    plant(
        "near_herd_unbounded",
        "all copies that were lost at once are asked for at once",
        &["no_more_loads_are_under_way_than_there_may_be"],
    ),
    Plant {
        package: "anynode-lab",
        ..plant(
            "near_order_untried",
            "copies are used behind a proxy that breaks the order of the channel",
            &["a_node_behind_a_proxy_that_breaks_the_order_uses_no_copy"],
        )
    },
    plant(
        "near_listens_for_ever",
        "a near cache that nobody has any more keeps its channel",
        &["a_cache_that_is_dropped_closes_its_channel"],
    ),
    plant(
        "route_demands_nothing",
        "a route that is strict is answered from a copy",
        &["a_strict_route_is_answered_by_the_store"],
    ),
    plant(
        "companion_not_believed",
        "a client does not see its own write on the node that its next request comes to",
        &["a_client_sees_its_own_writes_on_every_node"],
    ),
    Plant {
        package: "anynode-cli",
        target: &["--test", "up"],
        ..plant(
            "hit_is_counted_as_a_call",
            "a session that was read from a copy is counted as a call of the store",
            &["the_strip_tells_who_answered_and_every_call_of_the_store"],
        )
    },
    plant(
        "near_answers_when_it_hears",
        "a node confirms as soon as it is asked, before its barrier has passed",
        &["a_node_confirms_nothing_before_its_barrier_has_passed"],
    ),
    Plant {
        name: "repeated_logout_asks_nobody",
        bug: "a logout that may not have been done is answered as done when it is repeated",
        package: "anynode",
        target: &["--test", "endings"],
        checks: &["a_logout_that_is_repeated_asks_the_store_again"],
        hang: Hang::Survives,
    },
];
