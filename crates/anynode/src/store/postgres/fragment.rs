//! What the statements have in common, as text: the rules of core in SQL among it.

/// What a server says of itself: see `fence::Seen`.
macro_rules! seen {
    () => {
        concat!(
            "pg_is_in_recovery(), (SELECT system_identifier FROM pg_control_system()), \
         CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_flush_lsn()) END, \
         CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_flush_lsn() - '0/0')::bigint END, \
         pg_postmaster_start_time()::text, ",
            standbys!()
        )
    };
}

/// What a server says of its standbys: whom a commit waits for, and how many there are, those
/// among them for whom a slot is kept. Who reads changes out of the log has a slot that says so.
macro_rules! standbys {
    () => {
        "current_setting('synchronous_standby_names'), \
         greatest((SELECT count(*) FROM pg_stat_get_wal_senders()) - (SELECT count(*) \
         FROM pg_replication_slots WHERE slot_type = 'logical' AND active), 0) \
         + (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active)"
    };
}

/// The columns that `row::kept` reads.
macro_rules! columns {
    ($now:literal) => {
        concat!(
            $now,
            ", r.handle, r.kind, r.secret, r.secret_since, r.previous, r.previous_until, \
         r.counter, r.write, r.user_id, r.stamp, r.created_at, r.authenticated_at, \
         r.idle_timeout, r.deadline, r.label, r.address, r.idle_deadline, r.payload, u.epoch, \
         u.spared, u.spared_from"
        )
    };
}

/// The time of the statement, as the only row of `c`.
macro_rules! clock {
    () => {
        "c AS MATERIALIZED (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint \
         AS now)"
    };
}

/// As [`clock!`], in a transaction whose commit waits for the disk and for the standbys that
/// the server is told to wait for, whatever is usual there; and what that is worth.
macro_rules! durable_clock {
    () => {
        concat!(
            "c AS MATERIALIZED (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint \
         AS now, CASE WHEN current_setting('synchronous_commit') IN ('on', 'remote_apply') \
         THEN 'on' ELSE set_config('synchronous_commit', 'on', true) END AS committed, \
         current_setting('fsync') = 'on' AS on_disk, s.awaited, s.standbys FROM (SELECT ",
            standbys!(),
            ") AS s (awaited, standbys))"
        )
    };
}

/// The entry `u` of the user of `r`. An entry past its time is none, whether or not it was
/// swept: so a bind never leans on one that is being removed.
macro_rules! entry {
    ($now:literal) => {
        concat!(
            "LEFT JOIN {s}.user_entry u ON u.user_id = r.user_id AND u.until > ",
            $now
        )
    };
}

/// Whether the stamp of `r` is good under the entry `u`: `UserEntry::admits`.
macro_rules! stamp_is_good {
    () => {
        "(r.user_id IS NULL OR r.stamp = coalesce(u.epoch, 0) \
         OR coalesce(r.handle = u.spared AND r.stamp >= u.spared_from, false))"
    };
}

/// Whether the stamp of `r`, which was read when it was locked, was good when that was done. The
/// entry is as it was when the statement began, and epochs only grow: a stamp of a later one is
/// of somebody who logged in since, and only a stamp of an earlier one is surely dead.
macro_rules! stamp_was_good {
    () => {
        "(r.user_id IS NULL OR r.stamp >= coalesce(u.epoch, 0) \
         OR coalesce(r.handle = u.spared AND r.stamp >= u.spared_from, false))"
    };
}

/// Whether `r` is a live record: `expiry::ended`.
macro_rules! is_alive {
    ($now:literal) => {
        concat!(
            "r.cause IS NULL AND r.deadline > ",
            $now,
            " AND r.idle_deadline > ",
            $now,
            " AND ",
            stamp_is_good!()
        )
    };
}

/// As [`is_alive!`], of a record that was read when it was locked.
macro_rules! was_alive {
    ($now:literal) => {
        concat!(
            "r.cause IS NULL AND r.deadline > ",
            $now,
            " AND r.idle_deadline > ",
            $now,
            " AND ",
            stamp_was_good!()
        )
    };
}

/// A parameter that is a moment (see `row::moment`): `Moment::settle`.
macro_rules! moment {
    ($parameter:literal) => {
        concat!(
            "CASE WHEN ",
            $parameter,
            " < 0 THEN c.now - 1 - ",
            $parameter,
            " ELSE ",
            $parameter,
            " END"
        )
    };
}

/// As [`clock!`], with the absolute deadline of a draft: `Draft::settle`.
macro_rules! clock_of_draft {
    () => {
        concat!(
            clock!(),
            ", d AS MATERIALIZED (SELECT c.now, least(",
            moment!("$13"),
            ", c.now + 34560000000) AS deadline FROM c)"
        )
    };
}

/// Whether the reserve is there, or need not be as the last parameter says, as the only row of
/// `k`: only then an ordinary write takes place. Whoever frees the reserve waits for those that
/// saw it.
macro_rules! room {
    ($waived:literal) => {
        concat!(
            "k AS MATERIALIZED (SELECT EXISTS (SELECT FROM {s}.reserve) OR ",
            $waived,
            " AS kept)"
        )
    };
}

/// The entry of the user that the draft names, as the only row of `n`, and its life prolonged
/// to that of the session, if `w` wrote one.
macro_rules! entry_of_draft {
    () => {
        "n AS MATERIALIZED (SELECT epoch, spared, spared_from FROM {s}.user_entry, c \
         WHERE user_id = $9 AND until > c.now)"
    };
}
macro_rules! prolonged {
    () => {
        "e AS (UPDATE {s}.user_entry SET until = d.deadline FROM d WHERE user_id = $9 \
         AND until > d.now AND until < d.deadline AND EXISTS (SELECT 1 FROM w)) \
         SELECT k.kept, d.now, n.epoch, n.spared, n.spared_from \
         FROM d CROSS JOIN k LEFT JOIN n ON true WHERE NOT k.kept OR EXISTS (SELECT 1 FROM w)"
    };
}

/// Makes a tombstone of `r`, or renews the one that it is.
macro_rules! bury {
    ($cause:literal, $renewed:literal) => {
        concat!(
            "cause = coalesce(r.cause, ",
            $cause,
            "), deadline = CASE WHEN r.cause IS NULL THEN r.deadline ELSE ",
            $renewed,
            " END, ended = (SELECT ",
            was_alive!("c.now"),
            " FROM c ",
            entry!("c.now"),
            "), ",
            emptied!()
        )
    };
}

/// Leaves nothing of a record but what a tombstone has.
macro_rules! emptied {
    () => {
        "sweep_at = NULL, idle_deadline = NULL, kind = NULL, stamp = NULL, counter = NULL, \
             write = NULL, secret = NULL, secret_since = NULL, previous = NULL, \
             previous_until = NULL, created_at = NULL, authenticated_at = NULL, \
             idle_timeout = NULL, user_id = NULL, label = NULL, address = NULL, payload = NULL"
    };
}

/// The types of `row::Columns`, and of what comes after them.
macro_rules! types_of_draft {
    ($($more:expr),*) => {
        &[
            Type::BYTEA, Type::INT2, Type::BYTEA, Type::INT8, Type::BYTEA, Type::INT8, Type::INT8,
            Type::BYTEA, Type::BYTEA, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::BYTEA,
            Type::BYTEA, Type::BYTEA, $($more),*
        ]
    };
}

pub(super) use {
    bury, clock, clock_of_draft, columns, durable_clock, emptied, entry, entry_of_draft, is_alive,
    moment, prolonged, room, seen, stamp_is_good, stamp_was_good, standbys, types_of_draft,
    was_alive,
};
