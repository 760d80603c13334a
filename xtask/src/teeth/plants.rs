//! The table of planted bugs.
//!
//! To add one: write `planted("name")` at the line where the bug would be, and a row here.

mod gateway;
mod lab;
mod near;
mod near_cache;
mod near_core;
mod open;
mod postgres;
mod redis;
pub(crate) mod store;

/// A known bug, and the checks of which at least one must fail while it is in the code.
#[derive(Debug)]
pub(crate) struct Plant {
    /// The name in `planted("name")`: lower-case words with underscores.
    pub(crate) name: &'static str,
    /// What goes wrong, in one sentence.
    pub(crate) bug: &'static str,
    /// The package whose tests must catch it; the bug may be in another.
    pub(crate) package: &'static str,
    /// Which test target of the package, as `cargo test` takes it: `&["--lib"]`, `&["--test", "sqlite"]`.
    pub(crate) target: &'static [&'static str],
    /// Parts of the names of the tests that run; each matches one at least.
    pub(crate) checks: &'static [&'static str],
    /// What it means when the checks do not end in time.
    pub(crate) hang: Hang,
}

// === impl Plant ===

impl Plant {
    /// Whether the bug is in what runs on servers, so that its check has to fail on each kind.
    pub(crate) fn is_on_servers(&self) -> bool {
        self.target == store::STORES && self.checks.len() > 1
    }
}

/// What it means when the checks do not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "the table decides which of them is in use")]
pub(crate) enum Hang {
    /// The bug survives: nothing named it.
    Survives,
    /// The bug is one that hangs, so hanging is how it shows.
    Catches,
}

/// The laws of a store, run on the store in memory.
const LAWS: &[&str] = &["--features", "contract", "--test", "contract_memory"];

/// All planted bugs.
pub(crate) fn plants() -> impl Iterator<Item = &'static Plant> {
    PLANTS
        .iter()
        .chain(gateway::GATEWAY)
        .chain(lab::LAB)
        .chain(near::NEAR)
        .chain(near_cache::NEAR_CACHE)
        .chain(near_core::NEAR_CORE)
        .chain(open::OPEN)
        .chain(postgres::POSTGRES)
        .chain(redis::REDIS)
        .chain(store::STORE)
}

const PLANTS: &[Plant] = &[
    Plant {
        name: "epoch_counts_from_zero",
        bug: "the next epoch is the old one and one more, so a lost entry starts again from zero",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["the_next_epoch_exceeds_both_the_old_one_and_the_clock"],
        hang: Hang::Survives,
    },
    Plant {
        name: "rebase_across_login",
        bug: "a request admitted before a login writes into the session that was logged in",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["an_admission_ends_with_a_login_even_under_a_secret_that_is_kept"],
        hang: Hang::Survives,
    },
    Plant {
        name: "bare_version_counter",
        bug: "versions are compared by their counter alone, so a write lost in a fail-over passes for another",
        package: "anynode-core",
        target: LAWS,
        checks: &["l03_replace::the_same_counter_of_another_write_is_a_conflict"],
        hang: Hang::Survives,
    },
    Plant {
        name: "upsert_on_replace",
        bug: "a write to an absent session creates it",
        package: "anynode-core",
        target: LAWS,
        checks: &["l03_replace::an_absent_session_is_gone"],
        hang: Hang::Survives,
    },
    Plant {
        name: "touch_bumps_version",
        bug: "a touch changes the version, so it conflicts with a write",
        package: "anynode-core",
        target: LAWS,
        checks: &["l05_touch::a_touch_changes_no_version"],
        hang: Hang::Survives,
    },
    Plant {
        name: "no_tombstone",
        bug: "a revoked session is only deleted, so its handle can be created again",
        package: "anynode-core",
        target: LAWS,
        checks: &["l04_dead_stays_dead::a_revoked_handle_is_not_created_again"],
        hang: Hang::Survives,
    },
    Plant {
        name: "touch_revives",
        bug: "a touch moves the deadline of a session that is dead",
        package: "anynode-core",
        target: LAWS,
        checks: &["l05_touch::a_touch_does_not_revive_an_idle_session"],
        hang: Hang::Survives,
    },
    Plant {
        name: "revoke_by_index_only",
        bug: "revoking a user deletes the sessions in the index and moves no epoch",
        package: "anynode-core",
        target: LAWS,
        checks: &["l06_users::racing_revocations_give_different_epochs"],
        hang: Hang::Survives,
    },
    Plant {
        name: "epoch_read_from_memory_at_bind",
        bug: "a login is stamped with an epoch that the node remembers",
        package: "anynode-core",
        target: LAWS,
        checks: &["l06_revoke::a_bind_reads_the_epoch_from_the_store"],
        hang: Hang::Survives,
    },
    Plant {
        name: "sweep_takes_the_living",
        bug: "a sweep goes by a deadline that a touch has moved on",
        package: "anynode-core",
        target: LAWS,
        checks: &["l08_sweep::a_session_in_use_is_not_swept_at_its_old_deadline"],
        hang: Hang::Survives,
    },
    Plant {
        name: "sweep_forgets_epoch_deaths",
        bug: "sweeping a session whose user was revoked leaves no tombstone",
        package: "anynode-core",
        target: LAWS,
        checks: &["l04_dead_stays_dead::an_outdated_session_stays_dead_when_it_is_swept"],
        hang: Hang::Survives,
    },
    Plant {
        name: "barrier_overtakes_event",
        bug: "a barrier is passed before the events of earlier writes",
        package: "anynode-core",
        target: LAWS,
        checks: &["l12_watch::no_acknowledged_write_passes_a_barrier"],
        hang: Hang::Survives,
    },
    Plant {
        name: "identity_only_on_2xx",
        bug: "a login is committed only if the handler answers 2xx",
        package: "anynode",
        target: &["--test", "red_team"],
        checks: &["d_a_login_is_committed_whatever_the_handler_answers"],
        hang: Hang::Survives,
    },
    Plant {
        name: "key_found_twice",
        bug: "of a key that stands twice in a payload the last value is taken",
        package: "anynode",
        target: &["--lib"],
        checks: &["whatever_is_in_doubt_is_left_to_the_parser"],
        hang: Hang::Survives,
    },
    Plant {
        name: "last_of_two_cookies",
        bug: "of two session cookies the last one is believed",
        package: "anynode",
        target: &["--test", "cookies"],
        checks: &["k_03_two_cookies_of_our_name_are_no_session_and_are_cleared"],
        hang: Hang::Survives,
    },
    Plant {
        name: "write_after_failed_read",
        bug: "a session that could not be read is taken for an empty one and written",
        package: "anynode",
        target: &["--test", "red_team"],
        checks: &["i_nothing_is_written_after_a_failed_read"],
        hang: Hang::Survives,
    },
    Plant {
        name: "unknown_id_adopted",
        bug: "a session is created under the id that the client chose",
        package: "anynode",
        target: &["--test", "red_team"],
        checks: &["h_an_id_of_the_clients_choosing_is_never_adopted"],
        hang: Hang::Survives,
    },
    Plant {
        name: "cookie_cleared_by_late_response",
        bug: "a response to a request with a dead id clears the cookie, whatever it is by now",
        package: "anynode",
        target: &["--test", "cookies"],
        checks: &["k_06_a_late_response_clears_no_newer_cookie"],
        hang: Hang::Survives,
    },
    Plant {
        name: "late_request_gets_a_session",
        bug: "a request that began before a login is given a session whose cookie displaces the login's",
        package: "anynode",
        target: &["--test", "red_team"],
        checks: &["e_a_request_that_began_before_a_login_neither_writes_nor_sets_a_cookie"],
        hang: Hang::Survives,
    },
    Plant {
        name: "head_before_write",
        bug: "the head of a response leaves before its changes are written",
        package: "anynode",
        target: &["--test", "streaming"],
        checks: &["the_head_waits_for_the_writes_of_the_handler"],
        hang: Hang::Survives,
    },
    Plant {
        name: "last_byte_before_write",
        bug: "a body of announced length ends before what was recorded meanwhile is written",
        package: "anynode",
        target: &["--test", "streaming"],
        checks: &["the_last_byte_waits_for_what_was_written_while_the_body_streamed"],
        hang: Hang::Survives,
    },
    Plant {
        name: "rotation_without_secret_change",
        bug: "a login keeps the secret that was known before it",
        package: "anynode",
        target: &["--test", "identifiers"],
        checks: &["s_03_login_reauthentication_and_privilege_change_kill_the_old_id_on_every_node"],
        hang: Hang::Survives,
    },
    Plant {
        name: "csrf_origin_prefix_match",
        bug: "an origin that begins with the host's name is taken for the host's",
        package: "anynode",
        target: &["--test", "cross_site"],
        checks: &["w_01_a_change_needs_proof_that_no_other_site_caused_it"],
        hang: Hang::Survives,
    },
    Plant {
        name: "logout_only_cookie",
        bug: "a logout removes the cookie and leaves the session alive",
        package: "anynode",
        target: &["--test", "identifiers"],
        checks: &["s_06_a_cookie_replayed_after_logout_is_refused_on_every_node"],
        hang: Hang::Survives,
    },
    Plant {
        name: "touch_every_request",
        bug: "every use of a session is reported to the store",
        package: "anynode",
        target: &["--test", "identifiers"],
        checks: &["s_08_a_thousand_uses_are_one_touch"],
        hang: Hang::Survives,
    },
    Plant {
        name: "rebase_after_unknown_outcome",
        bug: "a write that may have happened is applied again to a newer record",
        package: "anynode",
        target: &["--test", "failure"],
        checks: &["an_increment_is_never_counted_twice_after_an_unknown_outcome"],
        hang: Hang::Survives,
    },
    Plant {
        name: "cookie_in_logs",
        bug: "a request's cookies are printed with its headers",
        package: "anynode",
        target: &["--test", "secrets"],
        checks: &["s_13_no_id_secret_or_data_is_ever_logged"],
        hang: Hang::Survives,
    },
    Plant {
        name: "list_scans",
        bug: "a user's list looks through the sessions of everybody",
        package: "anynode",
        target: &["--lib"],
        checks: &["a_list_reads_the_sessions_of_its_user_only_and_sorts_nothing"],
        hang: Hang::Survives,
    },
    Plant {
        name: "unchanged_without_asking",
        bug: "a value set back to what the request saw is taken for written while another stands",
        package: "anynode",
        target: &["--test", "holders"],
        checks: &["a_value_set_back_by_a_holder_is_written_although_its_own_copy_has_it"],
        hang: Hang::Survives,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn plant_names_are_distinct_and_plain() {
        let names: BTreeSet<_> = plants().map(|plant| plant.name).collect();
        assert_eq!(names.len(), plants().count());
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(names.iter().all(|name| name.bytes().all(is_plain)));
    }

    #[test]
    fn every_plant_names_its_target_and_its_checks() {
        for plant in plants() {
            assert!(!plant.target.is_empty(), "{}", plant.name);
            assert!(!plant.checks.is_empty(), "{}", plant.name);
            assert!(plant.checks.iter().all(|check| !check.is_empty()));
        }
    }
}
