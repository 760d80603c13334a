//! The statements that no visitor waits for: what nodes hear and tell of each other, and sweeps.

use tokio_postgres::types::Type;

use super::{
    fragment::{clock, durable_clock, emptied, entry, seen, stamp_is_good, standbys},
    statement::Statement,
};

/// What a poll answers in each of its rows: the time, its snapshot, whose history it is of (see
/// `fence`), how far the change table was swept, and a change, or nulls where there is none.
macro_rules! poll {
    ($($is_new:tt)*) => {
        concat!("SELECT c.now, s.snapshot::text, ", seen!(), ", \
         coalesce(h.removed_until, 0), x.kind, x.key, x.cause, x.until, x.epoch, x.spared, x.spared_from \
         FROM c CROSS JOIN s LEFT JOIN {s}.horizon h ON true LEFT JOIN (SELECT * FROM {s}.change \
         WHERE ", $($is_new)*, " ORDER BY seq LIMIT $2) x ON true ORDER BY x.seq")
    };
}

/// Whether the snapshot of the last poll did not see a change; the first half is for the index.
macro_rules! is_new {
    () => {
        "xid >= pg_snapshot_xmin($1::text::pg_snapshot) \
         AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)"
    };
}

/// What this statement sees and the snapshot of the last did not: neither a gap nor a change
/// twice, however long a transaction took to commit, and without waiting for any. A cursor on
/// `seq` would pass over what commits after a later number did.
pub(super) static POLL: Statement = Statement {
    name: "poll",
    text: concat!(
        "WITH ",
        clock!(),
        ", s AS MATERIALIZED (SELECT pg_current_snapshot() AS snapshot) ",
        poll!(is_new!())
    ),
    types: &[Type::TEXT, Type::INT8],
};

/// As [`POLL`], and a heartbeat: only a primary takes it, and only with the standbys that it
/// has to wait for.
///
/// The number of its transaction is given after the snapshot was taken, and its commit is on
/// disk when it is acknowledged. So after a crash no number that the snapshot knows of is given
/// again: a cursor that a heartbeat answered can be resumed.
pub(super) static HEARTBEAT: Statement = Statement {
    name: "heartbeat",
    text: concat!(
        "WITH ",
        durable_clock!(),
        ", s AS MATERIALIZED (SELECT pg_current_snapshot() AS snapshot), \
         w AS (INSERT INTO {s}.node AS n (node, heartbeat_at) SELECT $3, c.now FROM c \
         WHERE c.committed = 'on' ON CONFLICT (node) DO UPDATE \
         SET heartbeat_at = greatest(n.heartbeat_at, excluded.heartbeat_at)) ",
        poll!(is_new!())
    ),
    types: &[Type::TEXT, Type::INT8, Type::TEXT],
};

/// Has the standbys that commits wait for acknowledge a message in the log that nobody reads.
/// They acknowledge nothing to a server that was deposed.
pub(super) static PROOF: Statement = Statement {
    name: "proof",
    text: concat!(
        "WITH ",
        durable_clock!(),
        ", p AS MATERIALIZED (SELECT pg_logical_emit_message(true, 'anynode', ''::text) FROM c \
         WHERE c.committed = 'on') SELECT ",
        seen!(),
        " FROM p"
    ),
    types: &[],
};

/// The live tombstones and all user entries.
pub(super) static SNAPSHOT: Statement = Statement {
    name: "snapshot",
    text: concat!(
        "WITH ",
        clock!(),
        " SELECT c.now, x.kind, x.key, x.cause, x.until, x.epoch, x.spared, x.spared_from \
         FROM c LEFT JOIN (SELECT 2::smallint AS kind, handle AS key, cause, deadline AS until, \
         NULL::bigint AS epoch, NULL::bytea AS spared, NULL::bigint AS spared_from \
         FROM {s}.record WHERE cause IS NOT NULL AND deadline > (SELECT now FROM c) \
         UNION ALL SELECT 3::smallint, user_id, NULL, NULL, epoch, spared, spared_from \
         FROM {s}.user_entry WHERE until > (SELECT now FROM c)) x ON true"
    ),
    types: &[],
};

/// The nodes that were heard of in the last so many milliseconds.
pub(super) static NODES: Statement = Statement {
    name: "nodes",
    text: concat!(
        "WITH ",
        clock!(),
        " SELECT n.node, n.heartbeat_at, n.answered FROM c CROSS JOIN {s}.node n \
         WHERE n.heartbeat_at > c.now - $1 ORDER BY n.node"
    ),
    types: &[Type::INT8],
};

/// Gives a call of the roll its number and tells every node: calls that overlap wait for each
/// other, so that what is told later has a greater number.
pub(super) static CALL_ROLL: Statement = Statement {
    name: "call_roll",
    text: concat!(
        "WITH ",
        clock!(),
        ", r AS (INSERT INTO {s}.roll AS o (number) SELECT c.now * 1000 FROM c \
         ON CONFLICT (one) DO UPDATE SET number = greatest(o.number + 1, excluded.number) \
         RETURNING o.number), \
         x AS (INSERT INTO {s}.change (kind, epoch) SELECT 5, r.number FROM r) \
         SELECT r.number FROM r"
    ),
    types: &[],
};

/// Forgets a node that leaves, without waiting for the disk.
pub(super) static LEAVE: Statement = Statement {
    name: "leave",
    text: "WITH c AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)) \
         DELETE FROM {s}.node n USING c WHERE n.node = $1",
    types: &[Type::TEXT],
};

/// Notes which call of the roll a node answers, without waiting for the disk.
pub(super) static ANSWER: Statement = Statement {
    name: "answer",
    text: "WITH c AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)) \
         UPDATE {s}.node n SET answered = greatest(n.answered, $2) FROM c WHERE n.node = $1",
    types: &[Type::TEXT, Type::INT8],
};

/// Looks at the records that may have died, up to a limit: removes what expired, leaves a
/// tombstone of what its user's entry outdated (its handle could be created anew and bear a
/// stamp that is good again), and files anew what was in use. Answers how many it looked at and
/// how many were dead.
///
/// The records are locked first, and what was locked is judged. Its user may have logged in
/// after the snapshot was taken, which then has an older entry or none: a stamp that is neither
/// good nor of an earlier epoch than the entry's is left alone until its idle deadline.
///
/// Here and below, what somebody holds a lock on is passed over: it is in use, or another node
/// sweeps it. So sweeps wait for nobody, and nobody waits for one that waits.
pub(super) static EXPIRED: Statement = Statement {
    name: "expired",
    text: concat!(
        "WITH ",
        clock!(),
        ", found AS MATERIALIZED (SELECT r.handle, r.deadline, r.idle_deadline, r.user_id, r.stamp \
         FROM {s}.record r WHERE r.cause IS NULL AND r.sweep_at <= (SELECT now FROM c) \
         ORDER BY r.sweep_at LIMIT $1 FOR UPDATE OF r SKIP LOCKED), \
         due AS MATERIALIZED (SELECT r.handle, r.deadline, r.idle_deadline, ",
        stamp_is_good!(),
        " AS good, NOT ",
        stamp_is_good!(),
        " AND coalesce(r.stamp < u.epoch, false) AS outdated FROM found r ",
        entry!("(SELECT now FROM c)"),
        "), removed AS (DELETE FROM {s}.record r USING c, due WHERE r.handle = due.handle \
         AND (due.deadline <= c.now OR (due.good AND due.idle_deadline <= c.now)) RETURNING 1), \
         buried AS (UPDATE {s}.record r SET cause = 7, ended = false, ",
        emptied!(),
        " FROM c, due WHERE r.handle = due.handle AND due.deadline > c.now AND NOT due.good \
         AND (due.outdated OR due.idle_deadline <= c.now) RETURNING 1), \
         filed AS (UPDATE {s}.record r SET sweep_at = due.idle_deadline FROM c, due \
         WHERE r.handle = due.handle AND NOT due.outdated AND due.deadline > c.now \
         AND due.idle_deadline > c.now) \
         SELECT (SELECT count(*) FROM due), \
         (SELECT count(*) FROM removed) + (SELECT count(*) FROM buried)"
    ),
    types: &[Type::INT8],
};

/// Removes tombstones past their time, up to a limit.
pub(super) static TOMBSTONES: Statement = Statement {
    name: "tombstones",
    text: concat!(
        "WITH ",
        clock!(),
        ", removed AS (DELETE FROM {s}.record WHERE handle = ANY (ARRAY( \
         SELECT r.handle FROM {s}.record r WHERE r.cause IS NOT NULL \
         AND r.deadline <= (SELECT now FROM c) ORDER BY r.deadline LIMIT $1 \
         FOR UPDATE OF r SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM removed"
    ),
    types: &[Type::INT8],
};

/// Buries what the revocation of one user left behind, up to a limit. Answers how many users it
/// looked at, which is none when nothing is left to do, and how many records were dead.
///
/// While the entry is locked its epoch stands still, so a record is judged by the epoch that
/// whoever binds next will read.
pub(super) static OUTDATED: Statement = Statement {
    name: "outdated",
    text: concat!(
        "WITH ",
        clock!(),
        ", e AS MATERIALIZED (SELECT user_id, epoch, spared, spared_from FROM {s}.user_entry \
         WHERE unswept AND until > (SELECT now FROM c) ORDER BY user_id LIMIT 1 \
         FOR NO KEY UPDATE SKIP LOCKED), \
         due AS MATERIALIZED (SELECT r.handle, r.deadline FROM e JOIN {s}.record r \
         ON r.user_id = e.user_id WHERE r.stamp <> e.epoch \
         AND NOT coalesce(r.handle = e.spared AND r.stamp >= e.spared_from, false) \
         LIMIT $1 FOR UPDATE OF r SKIP LOCKED), \
         removed AS (DELETE FROM {s}.record r USING c, due WHERE r.handle = due.handle \
         AND due.deadline <= c.now), \
         buried AS (UPDATE {s}.record r SET cause = 7, ended = false, ",
        emptied!(),
        " FROM c, due WHERE r.handle = due.handle AND due.deadline > c.now), \
         done AS (UPDATE {s}.user_entry u SET unswept = false FROM e \
         WHERE u.user_id = e.user_id AND (SELECT count(*) FROM due) < $1) \
         SELECT (SELECT count(*) FROM e), (SELECT count(*) FROM due)"
    ),
    types: &[Type::INT8],
};

/// Removes entries an hour after their time, up to a limit, and nodes that fell silent so many
/// milliseconds ago. Answers how many entries.
///
/// The hour is far longer than a statement takes that saw the entry in its last moment.
pub(super) static ENTRIES: Statement = Statement {
    name: "entries",
    text: concat!(
        "WITH ",
        clock!(),
        ", removed AS (DELETE FROM {s}.user_entry WHERE user_id = ANY (ARRAY( \
         SELECT u.user_id FROM {s}.user_entry u WHERE u.until <= (SELECT now FROM c) - 3600000 \
         ORDER BY u.until LIMIT $1 FOR UPDATE OF u SKIP LOCKED)) RETURNING 1), \
         silent AS (DELETE FROM {s}.node WHERE node = ANY (ARRAY(SELECT n.node FROM {s}.node n \
         WHERE n.heartbeat_at <= (SELECT now FROM c) - $2 FOR UPDATE OF n SKIP LOCKED))) \
         SELECT count(*) FROM removed"
    ),
    types: &[Type::INT8, Type::INT8],
};

/// Removes the changes that a snapshot of ten minutes ago saw, up to a limit, and answers how
/// many, and whether the reserve is there. When the changes were written would not do: a
/// transaction may commit long after it wrote. Where someone emptied the tables, the horizon is drawn anew.
pub(super) static CHANGES: Statement = Statement {
    name: "changes",
    text: concat!(
        "WITH ",
        clock!(),
        ", h AS MATERIALIZED (SELECT next FROM {s}.horizon \
         WHERE next_at <= (SELECT now FROM c) - 600000 FOR UPDATE SKIP LOCKED), \
         removed AS (DELETE FROM {s}.change WHERE ctid = ANY (ARRAY( \
         SELECT x.ctid FROM h, {s}.change x WHERE x.xid < pg_snapshot_xmax(h.next) \
         AND pg_visible_in_snapshot(x.xid, h.next) ORDER BY x.xid LIMIT $1)) RETURNING 1), \
         moved AS (UPDATE {s}.horizon z SET removed_until = z.next_at, \
         next = CASE WHEN (SELECT count(*) FROM removed) < $1 THEN pg_current_snapshot() \
         ELSE z.next END, \
         next_at = CASE WHEN (SELECT count(*) FROM removed) < $1 THEN c.now ELSE z.next_at END \
         FROM c, h), drawn AS (INSERT INTO {s}.horizon (removed_until, next, next_at) \
         SELECT 0, pg_current_snapshot(), c.now FROM c \
         WHERE NOT EXISTS (SELECT 1 FROM {s}.horizon) ON CONFLICT DO NOTHING) \
         SELECT count(*), EXISTS (SELECT FROM {s}.reserve)::integer::bigint FROM removed"
    ),
    types: &[Type::INT8],
};

/// Fills the reserve, if it is not there.
pub(super) static KEEP_RESERVE: Statement = Statement {
    name: "keep_reserve",
    text: "SELECT {s}.keep_reserve()",
    types: &[],
};

/// Gives the room of the reserve back to the disk.
pub(super) static FREE_RESERVE: Statement = Statement {
    name: "free_reserve",
    text: "SELECT {s}.free_reserve()",
    types: &[],
};

/// Tells the other nodes that something changed, without waiting for the disk.
pub(super) static NOTIFY: Statement = Statement {
    name: "notify",
    text: "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')",
    types: &[Type::TEXT],
};

/// What the server says of its settings, and who we are to it.
pub(super) static FACTS: Statement = Statement {
    name: "facts",
    text: concat!(
        "SELECT current_setting('server_version'), \
         current_setting('server_version_num')::integer, current_setting('fsync') = 'on', \
         current_setting('full_page_writes') = 'on', current_setting('synchronous_commit'), ",
        standbys!(),
        ", current_setting('autovacuum') = 'on', \
         (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), \
         current_setting('default_transaction_isolation'), \
         has_table_privilege('{s}.reserve', 'TRUNCATE')"
    ),
    types: &[],
};
