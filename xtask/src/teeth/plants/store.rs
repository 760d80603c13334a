//! Bugs in what runs on the servers that sessions live in: the functions of Redis and the
//! statements of PostgreSQL. Each is caught by a law on every kind of server that runs them.

use super::{Hang, Plant};

/// The laws of a store, on real servers.
pub(crate) const STORES: &[&str] = &["--test", "stores"];

/// A law on every kind that runs the functions of Redis.
macro_rules! on_redis {
    ($law:literal) => {
        &[
            concat!("on_server::redis::", $law),
            concat!("on_server::valkey_8::", $law),
            concat!("on_server::valkey_9::", $law),
            concat!("on_server::redis_cluster::", $law),
            concat!("on_server::redis_sentinel::", $law),
            concat!("on_server::redis_tls::", $law),
        ]
    };
}

/// A law on every kind that runs the statements of PostgreSQL.
macro_rules! on_postgres {
    ($law:literal) => {
        &[
            concat!("on_server::postgres::", $law),
            concat!("on_server::pgbouncer::", $law),
        ]
    };
}

/// A bug that a test on real servers has to catch.
const fn plant(name: &'static str, bug: &'static str, checks: &'static [&'static str]) -> Plant {
    Plant {
        name,
        bug,
        package: "anynode-lab",
        target: STORES,
        checks,
        hang: Hang::Survives,
    }
}

pub(super) const STORE: &[Plant] = &[
    plant(
        "redis_revoke_only_deletes",
        "a revocation deletes the record and leaves no tombstone",
        on_redis!("l04_dead_stays_dead::a_revoked_handle_is_not_created_again"),
    ),
    plant(
        "redis_revocation_is_not_told",
        "a revocation is seen as a record that is gone, and not told as what it is",
        on_redis!("l12_watch::a_revocation_comes_before_the_barrier"),
    ),
    plant(
        "redis_replace_ignores_the_version",
        "a write goes over whatever version is there",
        on_redis!("l03_replace::an_older_version_is_a_conflict"),
    ),
    plant(
        "redis_touch_revives",
        "a touch moves the deadline of a session that went idle",
        on_redis!("l05_touch::a_touch_does_not_revive_an_idle_session"),
    ),
    plant(
        "redis_touch_is_told",
        "a touch changes the key that all nodes watch",
        on_redis!("l12_watch::a_touch_is_told_to_nobody"),
    ),
    plant(
        "redis_epoch_counts_from_zero",
        "the next epoch of a user is the last and one more, whatever the clock says",
        on_redis!("l06_users::an_epoch_is_never_below_the_clock"),
    ),
    plant(
        "redis_sweep_forgets_epoch_deaths",
        "sweeping a session whose user was revoked leaves no tombstone",
        on_redis!("l04_dead_stays_dead::an_outdated_and_idle_session_stays_dead_when_it_is_swept"),
    ),
    plant(
        "redis_replica_answers_load",
        "a load is answered by whoever is asked, also by a server that is no primary",
        &["a_server_that_is_no_primary_answers_no_load"],
    ),
    plant(
        "redis_revoke_needs_memory",
        "a full store revokes no session",
        &["a_full_redis_still_revokes"],
    ),
    plant(
        "postgres_replace_ignores_the_version",
        "a write goes over whatever version is there",
        on_postgres!("l03_replace::an_older_version_is_a_conflict"),
    ),
    plant(
        "postgres_epoch_counts_from_zero",
        "the first epoch of a user is one, whatever the clock says",
        on_postgres!("l06_users::an_epoch_is_never_below_the_clock"),
    ),
    plant(
        "postgres_touch_goes_back",
        "a touch that arrives late moves the deadline back",
        on_postgres!("l05_touch::a_touch_never_moves_the_deadline_back"),
    ),
    plant(
        "postgres_sweep_forgets_epoch_deaths",
        "sweeping a session whose user was revoked leaves no tombstone",
        on_postgres!(
            "l04_dead_stays_dead::an_outdated_and_idle_session_stays_dead_when_it_is_swept"
        ),
    ),
];
