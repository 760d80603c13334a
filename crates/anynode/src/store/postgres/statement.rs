//! The statements on records and users: one for each verb, so that each is one round trip and
//! a transaction of its own.
//!
//! All run under READ COMMITTED, where a statement reads by the snapshot it began with, and a
//! row that another transaction changed meanwhile is waited for, read again and judged again
//! (`EvalPlanQual`); what it is joined with is not read again. So the entry of another user may
//! stand beside a record that was bound anew, and whoever ends a session judges what it locked
//! by the entries of its snapshot in a way that errs to life only (`stamp_was_good`). That this
//! is enough:
//!
//! - One row stands for a handle, live or dead, so its unique index decides between `create`
//!   and `revoke` (L1, L4): whichever comes second meets the row of the first, seen by its
//!   snapshot or not.
//! - `replace` names the whole version in its condition, which is judged again on the row that
//!   it finally locks (L3). Whoever else changes a record without its version moves the idle
//!   deadline only. A tombstone has no version, so nothing is written over it (L4).
//! - A session is judged and stamped by one read of its user's entry (L6). If a revocation
//!   commits after that read, the write comes before it: the stamp is of the epoch before, and
//!   dead. If it committed, and so was acknowledged, before the statement began, the snapshot
//!   has it. So an old snapshot can write a stamp that is dead, never one that revives.
//! - A session that is bound to another user is judged by the entry of the user before as that
//!   read found it. A revocation of that user that commits between the read and the write is
//!   overlapped by the write and comes after it in effect: the session is the other user's, who
//!   proved who they are, under a secret that nobody had before. A load between the two commits
//!   finds it ended, and a later one alive.
//! - Two revocations of a user wait for each other at the row of the entry, and the later reads
//!   the epoch that the earlier wrote.
//! - No statement waits for a second row while it holds a first, but for two: `touch` locks in
//!   the order of handles, and whoever extends the life of an entry holds a record for which
//!   nobody waits who holds an entry; the sweeps lock no row that is locked.
//!
//! Time is the server's `clock_timestamp()`, read once for a statement: a transaction's `now()`
//! stands still while it waits for a lock, and a second reading could judge by one time and
//! write by another.

use tokio_postgres::types::Type;

use super::{
    fragment::{
        bury, clock, clock_of_draft, columns, durable_clock, emptied, entry, entry_of_draft,
        is_alive, moment, prolonged, room, stamp_is_good, stamp_was_good, standbys, types_of_draft,
        was_alive,
    },
    upkeep,
};

/// A statement with its parameters; `{s}` stands for the schema.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) types: &'static [Type],
}

/// All statements.
pub(super) static ALL: [&Statement; 26] = [
    &LOAD,
    &CREATE,
    &REPLACE,
    &TOUCH,
    &REVOKE,
    &REVOKE_OWN,
    &REVOKE_USER,
    &LIST,
    &SCAN,
    &upkeep::NODES,
    &upkeep::CALL_ROLL,
    &upkeep::LEAVE,
    &upkeep::ANSWER,
    &upkeep::SNAPSHOT,
    &upkeep::POLL,
    &upkeep::HEARTBEAT,
    &upkeep::PROOF,
    &upkeep::EXPIRED,
    &upkeep::TOMBSTONES,
    &upkeep::OUTDATED,
    &upkeep::ENTRIES,
    &upkeep::CHANGES,
    &upkeep::KEEP_RESERVE,
    &upkeep::FREE_RESERVE,
    &upkeep::NOTIFY,
    &upkeep::FACTS,
];

/// What is kept under a handle, with its user's entry (L2), and whom commits wait for. Core
/// judges whether it is alive.
pub(super) static LOAD: Statement = Statement {
    name: "load",
    text: concat!(
        "WITH ",
        clock!(),
        " SELECT ",
        columns!("c.now"),
        ", current_setting('synchronous_standby_names') FROM c CROSS JOIN {s}.record r ",
        entry!("c.now"),
        " WHERE r.handle = $1 AND r.cause IS NULL"
    ),
    types: &[Type::BYTEA],
};

/// Inserts the draft if its handle is free (L1); no row when it is not. As in all ordinary writes,
/// the first column of the answer is whether the reserve is there; without it nothing is written.
pub(super) static CREATE: Statement = Statement {
    name: "create",
    text: concat!(
        "WITH ",
        clock_of_draft!(),
        ", ",
        entry_of_draft!(),
        ", ",
        room!("$17"),
        ", w AS (INSERT INTO {s}.record (handle, kind, secret, secret_since, previous, \
         previous_until, counter, write, user_id, stamp, created_at, authenticated_at, \
         idle_timeout, deadline, idle_deadline, sweep_at, label, address, payload) \
         SELECT $1, $2, $3, ",
        moment!("$4"),
        ", $5, ",
        moment!("$6"),
        ", $7, $8, $9, CASE WHEN $9 IS NOT NULL THEN coalesce(n.epoch, 0) END, ",
        moment!("$10"),
        ", ",
        moment!("$11"),
        ", $12, c.deadline, least(c.now + $12, c.deadline), least(c.now + $12, c.deadline), \
         $14, $15, $16 FROM d c JOIN k ON k.kept LEFT JOIN n ON true \
         ON CONFLICT (handle) DO NOTHING RETURNING 1), ",
        prolonged!()
    ),
    types: types_of_draft!(Type::BOOL),
};

/// Writes the draft over the base version, if that is there and alive (L3); no row when not.
pub(super) static REPLACE: Statement = Statement {
    name: "replace",
    text: concat!(
        "WITH ",
        clock_of_draft!(),
        ", ",
        entry_of_draft!(),
        ", ",
        room!("$19"),
        ", u AS MATERIALIZED (SELECT u.epoch, u.spared, u.spared_from FROM c CROSS JOIN \
         {s}.record r ",
        entry!("c.now"),
        " WHERE r.handle = $1)",
        ", w AS (UPDATE {s}.record r SET kind = $2, secret = $3, secret_since = ",
        moment!("$4"),
        ", previous = $5, previous_until = ",
        moment!("$6"),
        ", counter = $7, write = $8, user_id = $9, \
         stamp = CASE WHEN $9 IS NOT NULL THEN coalesce(n.epoch, 0) END, created_at = ",
        moment!("$10"),
        ", authenticated_at = ",
        moment!("$11"),
        ", idle_timeout = $12, deadline = c.deadline, \
         idle_deadline = least(greatest(c.now, r.idle_deadline - r.idle_timeout) + $12, \
         c.deadline), \
         sweep_at = least(r.sweep_at, c.now + $12, c.deadline), \
         label = $14, address = $15, payload = $16 \
         FROM d c JOIN k ON k.kept LEFT JOIN u ON true LEFT JOIN n ON true \
         WHERE r.handle = $1 AND r.counter = $17 AND r.write = $18 AND ",
        is_alive!("c.now"),
        " RETURNING 1), ",
        prolonged!()
    ),
    types: types_of_draft!(Type::INT8, Type::BYTEA, Type::BOOL),
};

/// Moves idle deadlines forward (L5): handles, and how long ago each was used.
///
/// The rows are locked in the order of their handles, so that two batches never wait for each
/// other, and what is locked is judged again.
pub(super) static TOUCH: Statement = Statement {
    name: "touch",
    text: concat!(
        "WITH ",
        clock!(),
        ", ",
        room!("$3"),
        ", t AS MATERIALIZED (SELECT r.handle, \
         least(c.now - t.age + r.idle_timeout, r.deadline) AS idle_deadline \
         FROM c CROSS JOIN unnest($1::bytea[], $2::bigint[]) AS t (handle, age) \
         JOIN {s}.record r ON r.handle = t.handle ",
        entry!("c.now"),
        " WHERE ",
        is_alive!("c.now"),
        " AND least(c.now - t.age + r.idle_timeout, r.deadline) > r.idle_deadline \
         AND (SELECT kept FROM k) ORDER BY r.handle FOR NO KEY UPDATE OF r), \
         w AS (UPDATE {s}.record r SET idle_deadline = t.idle_deadline FROM t \
         WHERE r.handle = t.handle) SELECT kept FROM k"
    ),
    types: &[Type::BYTEA_ARRAY, Type::INT8_ARRAY, Type::BOOL],
};

/// Puts a tombstone in the place of whatever is under the handle (L4): one of an hour
/// (`UNKNOWN_TOMBSTONE`) where nothing is.
pub(super) static REVOKE: Statement = Statement {
    name: "revoke",
    text: concat!(
        "WITH ",
        durable_clock!(),
        ", w AS (INSERT INTO {s}.record AS r (handle, deadline, cause, ended) \
         SELECT $1, c.now + 3600000, $2, false FROM c \
         ON CONFLICT (handle) DO UPDATE SET ",
        bury!("$2", "greatest(r.deadline, excluded.deadline)"),
        " RETURNING r.ended) \
         SELECT c.now, c.committed, c.on_disk, c.awaited, c.standbys, w.ended \
         FROM c LEFT JOIN w ON true"
    ),
    types: &[Type::BYTEA, Type::INT2],
};

/// As [`REVOKE`], if the session is this user's; the check is part of the write.
///
/// A tombstone is written again, whosever it was: a revocation that finds it may be repeated
/// because the standbys did not acknowledge the first, and a commit that wrote nothing would
/// wait for none.
pub(super) static REVOKE_OWN: Statement = Statement {
    name: "revoke_own",
    text: concat!(
        "WITH ",
        durable_clock!(),
        ", w AS (UPDATE {s}.record AS r SET ",
        bury!("$2", "r.deadline"),
        " WHERE r.handle = $1 AND (r.user_id = $3 OR r.cause IS NOT NULL) RETURNING r.ended) \
         SELECT c.now, c.committed, c.on_disk, c.awaited, c.standbys, coalesce(w.ended, false) \
         FROM c LEFT JOIN w ON true"
    ),
    types: &[Type::BYTEA, Type::INT2, Type::BYTEA],
};

/// Ends a generation of a user's sessions, perhaps sparing one (L6): `UserEntry::revoked`, and
/// the entry is kept for another `ABSOLUTE_MAX`.
pub(super) static REVOKE_USER: Statement = Statement {
    name: "revoke_user",
    text: concat!(
        "WITH ",
        durable_clock!(),
        ", w AS (INSERT INTO {s}.user_entry AS u \
         (user_id, epoch, spared, spared_from, until, unswept) \
         SELECT $1, greatest(1, c.now * 1000), $2, CASE WHEN $2 IS NOT NULL THEN 0 END, \
         c.now + 34560000000, true FROM c \
         ON CONFLICT (user_id) DO UPDATE SET epoch = greatest(u.epoch + 1, excluded.epoch), \
         spared = excluded.spared, spared_from = CASE WHEN excluded.spared IS NULL THEN NULL \
         WHEN u.until <= (SELECT now FROM c) THEN 0 \
         WHEN u.spared = excluded.spared THEN u.spared_from ELSE u.epoch END, \
         until = greatest(u.until, excluded.until), unswept = true \
         RETURNING u.epoch, u.spared, u.spared_from) \
         SELECT c.now, c.committed, c.on_disk, c.awaited, c.standbys, \
         w.epoch, w.spared, w.spared_from FROM c CROSS JOIN w"
    ),
    types: &[Type::BYTEA, Type::BYTEA],
};

/// The live sessions of a user after a handle, in the order of their handles (L7).
///
/// Here and where a sweep looks for the dead, the time is a constant to the planner and not a
/// table to join, so that it reads an index in its order and stops at the limit.
pub(super) static LIST: Statement = Statement {
    name: "list",
    text: concat!(
        "WITH ",
        clock!(),
        " SELECT ",
        columns!("(SELECT now FROM c)"),
        " FROM {s}.record r ",
        entry!("(SELECT now FROM c)"),
        " WHERE r.user_id = $1 AND r.handle > $2 AND ",
        is_alive!("(SELECT now FROM c)"),
        " ORDER BY r.handle LIMIT $3"
    ),
    types: &[Type::BYTEA, Type::BYTEA, Type::INT8],
};

/// Everything after a handle, dead or alive, in the order of handles.
pub(super) static SCAN: Statement = Statement {
    name: "scan",
    text: concat!(
        "WITH ",
        clock!(),
        " SELECT ",
        columns!("(SELECT now FROM c)"),
        ", r.cause FROM {s}.record r ",
        entry!("(SELECT now FROM c)"),
        " WHERE r.handle > $1 ORDER BY r.handle LIMIT $2"
    ),
    types: &[Type::BYTEA, Type::INT8],
};
