//! The table of planted bugs.
//!
//! To add one: write `cfg!(planted = "name")` at the line where the bug would be, and a row here.

/// A known bug, and the checks of which at least one must fail while it is in the code.
#[derive(Debug)]
pub(crate) struct Plant {
    /// The name in `cfg(planted = "name")`: lower-case words with underscores.
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

pub(crate) const PLANTS: &[Plant] = &[
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
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn plant_names_are_distinct_and_plain() {
        let names: BTreeSet<_> = PLANTS.iter().map(|plant| plant.name).collect();
        assert_eq!(names.len(), PLANTS.len());
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(names.iter().all(|name| name.bytes().all(is_plain)));
    }

    #[test]
    fn every_plant_names_its_target_and_its_checks() {
        for plant in PLANTS {
            assert!(!plant.target.is_empty(), "{}", plant.name);
            assert!(!plant.checks.is_empty(), "{}", plant.name);
            assert!(plant.checks.iter().all(|check| !check.is_empty()));
        }
    }
}
