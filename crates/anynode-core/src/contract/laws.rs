//! The one list of all laws, from which tests and tables are made.

/// Calls another macro with the laws; one that is missing here is found by the test below.
#[doc(hidden)]
#[macro_export]
macro_rules! laws_of_a_store {
    ($emit:ident $with:tt any) => {
        $crate::$emit! { $with
            l01_create {
                a_free_handle_is_created
                a_live_handle_is_a_duplicate
                a_create_sent_twice_is_a_duplicate
                a_handle_taken_on_one_node_is_taken_on_all
                a_tombstoned_handle_is_a_duplicate
                an_outdated_handle_is_a_duplicate
                an_expired_handle_is_taken_or_wholly_new
                of_racing_creators_exactly_one_succeeds
                creators_of_different_handles_do_not_disturb_each_other
                the_first_and_the_last_handle_are_handles
                the_version_is_the_one_of_the_draft
            }
            l02_load {
                an_absent_session_is_none
                an_idle_session_is_none
                a_session_past_its_absolute_deadline_is_none
                a_revoked_session_is_none
                an_outdated_session_is_none
                a_spared_session_is_loaded
                loading_moves_no_deadline
                a_write_on_one_node_is_loaded_on_all
                every_kind_of_record_is_loaded
                the_entry_of_the_user_comes_with_the_record
                a_session_in_use_does_not_go_idle
            }
            l03_replace {
                the_version_it_names_is_replaced
                an_older_version_is_a_conflict
                the_same_counter_of_another_write_is_a_conflict
                the_same_write_under_another_counter_is_a_conflict
                a_replace_sent_twice_finds_itself
                an_absent_session_is_gone
                an_expired_session_is_gone
                an_outdated_session_is_gone
                of_racing_replaces_exactly_one_succeeds
                no_increment_is_lost_or_counted_twice
                replacing_is_using
                a_new_idle_timeout_holds_at_once
                relative_moments_are_counted_from_the_write
                no_deadline_lies_beyond_the_longest_lifetime
                everything_but_the_handle_may_change
                an_unbound_session_belongs_to_nobody
                replacing_stamps_anew
                writers_of_different_sessions_all_succeed
            }
            l04_dead_stays_dead {
                a_revoked_session_is_not_loaded
                a_revoked_session_is_not_revived_by_replace
                a_revoked_session_is_not_revived_by_rotation
                a_revoked_session_is_not_revived_by_a_login
                a_revoked_session_is_not_revived_by_touch
                a_revoked_handle_is_not_created_again
                a_handle_revoked_before_it_was_seen_is_dead
                a_revoked_session_stays_dead_when_it_is_swept
                a_revocation_outlives_the_idle_timeout
                an_outdated_session_stays_dead_when_it_is_swept
                an_outdated_and_idle_session_stays_dead_when_it_is_swept
                nothing_but_a_tombstone_is_left
            }
            l04_races {
                no_interleaving_revives_a_revoked_session
                no_interleaving_revives_an_outdated_session
                a_create_racing_with_its_revocation_ends_dead
            }
            l05_touch {
                a_touch_moves_the_idle_deadline_forward
                the_age_of_a_use_is_counted
                a_touch_never_moves_the_deadline_back
                a_touch_never_passes_the_absolute_deadline
                a_touch_does_not_revive_an_idle_session
                a_touch_does_not_extend_the_absolute_deadline
                a_touch_does_not_revive_a_revoked_session
                a_spared_session_is_touched
                a_touch_changes_no_version
                a_touch_conflicts_with_no_writer
                unknown_handles_are_passed_over
                an_empty_batch_is_touched
                the_latest_use_of_a_batch_counts
                a_large_batch_is_touched_whole
                touches_and_writes_do_not_lose_each_other
            }
            l06_bind_races {
                creating_is_wholly_before_or_after_a_revocation
                binding_is_wholly_before_or_after_a_revocation
                a_spared_session_lives_through_racing_writes
                a_new_login_of_the_same_user_does_not_undo_a_revocation
            }
            l06_revoke {
                revoking_twice_is_revoking_once
                revoking_the_absent_and_the_expired_ends_nothing
                of_racing_revocations_one_ends_the_session
                one_session_of_a_user_is_revoked_alone
                the_owner_revokes_their_session
                nobody_revokes_a_session_that_is_not_theirs
                a_former_owner_revokes_nothing
                a_user_wide_revocation_divides_before_from_after
                a_bind_reads_the_epoch_from_the_store
                a_user_without_sessions_is_revoked
            }
            l06_spare {
                one_session_is_spared
                a_spared_session_dies_by_the_next_revocation
                a_session_is_spared_again_and_again
                a_dead_session_cannot_be_spared
                sparing_a_strangers_session_spares_nobody
            }
            l06_users {
                users_whose_names_look_alike_are_different
                the_longest_user_names_are_kept_whole
                an_epoch_is_never_below_the_clock
                racing_revocations_give_different_epochs
                users_are_independent
            }
            l07_list {
                an_unknown_user_has_no_sessions
                a_list_is_exact_and_in_order
                pages_join_to_the_whole_list
                a_page_has_at_least_one_and_at_most_the_limit
                pages_stay_whole_while_sessions_are_revoked
                the_dead_are_not_listed
                a_list_follows_the_binding
                a_list_is_whole_under_traffic
                a_scan_gives_everything
                the_longest_user_name_is_listed
            }
            l08_sweep {
                nothing_live_is_swept
                the_expired_are_finally_swept
                a_sweep_keeps_to_its_limit
                a_sweep_says_whether_there_is_more
                tombstones_go_after_their_deadline
                the_outdated_go_after_their_deadline
                sweepers_and_traffic_do_not_disturb_each_other
                a_session_in_use_is_not_swept_at_its_old_deadline
                a_swept_handle_is_free
            }
            l09_bytes {
                every_field_survives
                what_is_missing_stays_missing
                empty_text_is_not_missing_text
                what_is_taken_away_is_gone
                the_largest_record_is_kept
                a_create_that_is_too_large_writes_nothing
                a_replace_that_is_too_large_writes_nothing
                an_idle_timeout_of_zero_is_refused
                nothing_printed_holds_data_or_secrets
                no_error_holds_data_or_secrets
            }
            l10_errors {
                a_write_that_was_given_up_is_whole_or_absent
                calls_that_were_given_up_disturb_no_other
                a_revocation_that_was_given_up_is_repeated
                an_error_names_store_and_verb
            }
            l11_clock {
                the_time_in_the_answers_goes_on
                a_new_session_counts_from_now
                a_revocation_says_when_it_was
                a_revocation_is_as_durable_as_the_store_says
                a_list_is_of_one_time
            }
            l12_nodes {
                a_watching_node_is_registered
                a_barrier_is_a_heartbeat
                a_node_that_leaves_is_registered_no_more
                a_registered_node_is_no_session
            }
            l12_roll {
                the_roll_is_called_where_nodes_hold_leases
                a_call_is_heard_on_every_channel
                a_later_call_has_a_greater_number
                an_answer_is_told_to_every_node
            }
            l12_snapshot {
                the_snapshot_of_an_empty_store_is_empty
                the_snapshot_has_every_live_revocation
                no_revocation_falls_between_opening_and_snapshot
                the_snapshot_is_read_again
                the_snapshot_has_no_tombstone_past_its_deadline
            }
            l12_watch {
                a_revocation_comes_before_the_barrier
                a_user_wide_revocation_comes_before_the_barrier
                a_write_comes_before_the_barrier
                no_acknowledged_write_passes_a_barrier
                barriers_pass_in_order
                a_write_between_two_barriers_comes_before_the_second
                a_touch_is_told_to_nobody
                channels_are_independent
                a_dropped_next_loses_no_event
                a_waiting_next_is_woken
            }
            l13_full {
                the_largest_records_are_revoked
                a_refused_write_holds_up_no_revocation
            }
        }
    };
    ($emit:ident $with:tt moved) => {
        $crate::$emit! { $with
            moved {
                the_idle_deadline_is_the_first_dead_instant
                the_absolute_deadline_is_the_first_dead_instant
                the_last_millisecond_is_in_time
                a_new_authentication_begins_a_new_lifetime
                an_unseen_handle_stays_dead_for_an_hour
                revoking_an_unseen_handle_again_renews_its_hour
                a_revocation_is_kept_to_the_last_millisecond
                an_entry_outlives_what_it_outdates
                an_entry_outlives_what_bears_its_epoch
                an_epoch_after_the_entry_was_swept_is_not_from_zero
                an_entry_is_finally_swept
                a_silent_node_is_forgotten
            }
        }
    };
}

/// The names of the laws that every store obeys, as `law::name`.
pub const LAWS: &[&str] = laws_of_a_store! { contract_names_emit {} any };

/// The names of the laws that need a clock that can be moved.
pub const LAWS_OF_A_MOVED_CLOCK: &[&str] = laws_of_a_store! { contract_names_emit {} moved };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_law_is_in_the_list() {
        let files = [
            ("l01_create", include_str!("l01_create.rs")),
            ("l02_load", include_str!("l02_load.rs")),
            ("l03_replace", include_str!("l03_replace.rs")),
            (
                "l04_dead_stays_dead",
                include_str!("l04_dead_stays_dead.rs"),
            ),
            ("l04_races", include_str!("l04_races.rs")),
            ("l05_touch", include_str!("l05_touch.rs")),
            ("l06_bind_races", include_str!("l06_bind_races.rs")),
            ("l06_revoke", include_str!("l06_revoke.rs")),
            ("l06_spare", include_str!("l06_spare.rs")),
            ("l06_users", include_str!("l06_users.rs")),
            ("l07_list", include_str!("l07_list.rs")),
            ("l08_sweep", include_str!("l08_sweep.rs")),
            ("l09_bytes", include_str!("l09_bytes.rs")),
            ("l10_errors", include_str!("l10_errors.rs")),
            ("l11_clock", include_str!("l11_clock.rs")),
            ("l12_nodes", include_str!("l12_nodes.rs")),
            ("l12_roll", include_str!("l12_roll.rs")),
            ("l12_snapshot", include_str!("l12_snapshot.rs")),
            ("l12_watch", include_str!("l12_watch.rs")),
            ("l13_full", include_str!("l13_full.rs")),
            ("moved", include_str!("moved.rs")),
        ];
        let mut laws = 0;
        for (law, source) in files {
            for line in source.lines() {
                let Some(rest) = line.strip_prefix("pub async fn ") else {
                    continue;
                };
                let name = rest.split('(').next().expect("split gives one part");
                let name = format!("{law}::{name}");
                let mut all = LAWS.iter().chain(LAWS_OF_A_MOVED_CLOCK);
                assert!(all.any(|listed| **listed == name), "{name} is not listed");
                laws += 1;
            }
        }
        assert_eq!(laws, LAWS.len() + LAWS_OF_A_MOVED_CLOCK.len());
    }
}
