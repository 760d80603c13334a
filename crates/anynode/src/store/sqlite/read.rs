//! What reads the file: one statement each, so that every answer is of one moment.

use anynode_core::{
    Handle, Item, Listing, Live, NodeEntry, NodeId, Page, Snapshot, Timestamp, Tombstone,
    UserEntry, UserId, store::Kept,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    fault::Fault,
    row::{self, columns},
};
use crate::store::planted::{Bug, with_bug};

/// The record and its user's entry, seen by one statement (L2).
pub(super) const LOAD: &str = concat!(
    "SELECT ",
    columns!(),
    "r.payload FROM record r LEFT JOIN user_entry u ON u.user = r.user WHERE r.handle = ?1"
);

/// As [`LOAD`] without the payload, for decisions that need none.
const LOAD_BARE: &str = concat!(
    "SELECT ",
    columns!(),
    "x'' FROM record r LEFT JOIN user_entry u ON u.user = r.user WHERE r.handle = ?1"
);

/// A user's records after a handle, in the order of their handles (L7).
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    "r.payload FROM record r LEFT JOIN user_entry u ON u.user = r.user \
     WHERE r.user = ?1 AND r.handle > ?2 ORDER BY r.handle"
);

/// What may be planted into the statements.
const BUGS: &[Bug] = &[Bug {
    planted: "list_scans",
    good: "WHERE r.user = ?1",
    bad: "WHERE r.user || '' = ?1",
}];

const SCAN_RECORDS: &str = concat!(
    "SELECT ",
    columns!(),
    "r.payload FROM record r LEFT JOIN user_entry u ON u.user = r.user \
     WHERE r.handle > ?1 ORDER BY r.handle LIMIT ?2"
);

const SCAN_TOMBSTONES: &str =
    "SELECT handle, cause, until FROM tombstone WHERE handle > ?1 ORDER BY handle LIMIT ?2";

/// What is kept under a handle, dead or alive.
pub(super) fn kept(db: &Connection, handle: &Handle) -> Result<Option<Kept>, Fault> {
    one(db, LOAD, handle)
}

/// As [`kept`] with an empty payload.
pub(super) fn kept_bare(db: &Connection, handle: &Handle) -> Result<Option<Kept>, Fault> {
    one(db, LOAD_BARE, handle)
}

/// The live sessions of a user: stops reading one session after the page.
pub(super) fn list(
    db: &Connection,
    user: &UserId,
    page: &Page,
    now: impl FnOnce() -> Timestamp,
) -> Result<Listing, Fault> {
    let mut statement = db.prepare_cached(&with_bug(LIST, BUGS))?;
    let mut rows = statement.query(params![user.as_str(), after(page.after.as_ref())])?;
    let now = now();
    let mut sessions: Vec<Live> = Vec::new();
    while let Some(row) = rows.next()? {
        let kept = row::kept(row)?;
        if !kept.is_alive(now) {
            continue;
        }
        if sessions.len() == page.limit() {
            let next = sessions.last().map(|live| live.record.handle);
            return Ok(Listing { sessions, next });
        }
        sessions.push(kept.live(now));
    }
    Ok(Listing {
        sessions,
        next: None,
    })
}

/// Everything after a handle, dead or alive, in the order of handles.
pub(super) fn scan(
    db: &Connection,
    cursor: Option<&Handle>,
    limit: usize,
) -> Result<Vec<Item>, Fault> {
    let limit_column = i64::try_from(limit).unwrap_or(i64::MAX);
    // Two statements in one read transaction: between them a session could become a tombstone
    // and be in neither answer or in both.
    let moment = db.unchecked_transaction()?;
    let mut items = Vec::new();
    let mut records = moment.prepare_cached(SCAN_RECORDS)?;
    let mut rows = records.query(params![after(cursor), limit_column])?;
    while let Some(row) = rows.next()? {
        let kept = row::kept(row)?;
        items.push(Item::Record(kept.record, kept.idle_deadline));
    }
    let mut tombstones = moment.prepare_cached(SCAN_TOMBSTONES)?;
    let mut rows = tombstones.query(params![after(cursor), limit_column])?;
    while let Some(row) = rows.next()? {
        items.push(Item::Tombstone(tombstone(row)?));
    }
    items.sort_by_key(|item| match item {
        Item::Record(record, _) => record.handle,
        Item::Tombstone(tombstone) => tombstone.handle,
    });
    items.truncate(limit);
    Ok(items)
}

/// The live tombstones and all user entries.
pub(super) fn snapshot(db: &Connection, now: Timestamp) -> Result<Snapshot, Fault> {
    let moment = db.unchecked_transaction()?;
    let mut snapshot = Snapshot {
        now,
        ..Snapshot::default()
    };
    let mut tombstones =
        moment.prepare_cached("SELECT handle, cause, until FROM tombstone WHERE until > ?1")?;
    let mut rows = tombstones.query([row::millis(now)])?;
    while let Some(row) = rows.next()? {
        snapshot.revoked.push(tombstone(row)?);
    }
    let mut entries =
        moment.prepare_cached("SELECT user, epoch, spared, spared_from FROM user_entry")?;
    let mut rows = entries.query([])?;
    while let Some(row) = rows.next()? {
        let entry = row::entry(row, 1)?.ok_or(Fault::Corrupt("epoch"))?;
        snapshot.users.push((row::user(row, 0)?, entry));
    }
    Ok(snapshot)
}

/// The tombstone of a handle.
pub(super) fn tombstone_of(db: &Connection, handle: &[u8]) -> Result<Option<Tombstone>, Fault> {
    let mut statement =
        db.prepare_cached("SELECT handle, cause, until FROM tombstone WHERE handle = ?1")?;
    let mut rows = statement.query([handle])?;
    rows.next()?.map(tombstone).transpose()
}

/// The entry of a user and until when it is kept.
pub(super) fn entry(
    db: &Connection,
    user: &UserId,
) -> Result<Option<(UserEntry, Timestamp)>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT epoch, spared, spared_from, until FROM user_entry WHERE user = ?1",
    )?;
    let mut rows = statement.query([user.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let entry = row::entry(row, 0)?.ok_or(Fault::Corrupt("epoch"))?;
    Ok(Some((entry, row::time(row, 3, "until")?)))
}

/// The nodes whose last heartbeat is after `since`.
pub(super) fn nodes(db: &Connection, since: Timestamp) -> Result<Vec<NodeEntry>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT node, heartbeat_at FROM node WHERE heartbeat_at > ?1 ORDER BY node",
    )?;
    let mut rows = statement.query([row::millis(since)])?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next()? {
        nodes.push(NodeEntry {
            node: NodeId::new(row::text(row, 0, "node")?).map_err(|_| Fault::Corrupt("node"))?,
            heartbeat_at: row::time(row, 1, "heartbeat_at")?,
            answered: None,
        });
    }
    Ok(nodes)
}

/// The number of the newest change, whether or not its row is still kept.
pub(super) fn newest_change(db: &Connection) -> Result<i64, Fault> {
    let newest = db
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'change'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(newest.unwrap_or(0))
}

fn one(db: &Connection, sql: &str, handle: &Handle) -> Result<Option<Kept>, Fault> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([handle.as_bytes()])?;
    rows.next()?.map(row::kept).transpose()
}

fn tombstone(row: &Row<'_>) -> Result<Tombstone, Fault> {
    let cause = row::code(row::integer(row, 1, "cause")?);
    Ok(Tombstone {
        handle: Handle::from_bytes(row::bytes(row, 0, "handle")?),
        cause: cause
            .and_then(anynode_core::Cause::from_code)
            .ok_or(Fault::Corrupt("cause"))?,
        until: row::time(row, 2, "until")?,
    })
}

/// Where a page starts; the empty blob comes before every handle.
fn after(handle: Option<&Handle>) -> &[u8] {
    handle.map_or(&[], |handle| handle.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::file::{File, Missing, Role};

    /// What SQLite says it will do: `SEARCH` goes by an index, `SCAN` reads everything.
    fn plan(sql: &str) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sessions.db");
        let file =
            File::open(&path, Missing::Make, std::time::Duration::from_secs(5)).expect("opens");
        let db = file.connect(Role::Read).expect("connects");
        let mut statement = db
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect("SQL");
        let count = statement.parameter_count();
        let nulls = vec![rusqlite::types::Null; count];
        let steps = statement
            .query_map(rusqlite::params_from_iter(nulls), |row| row.get("detail"))
            .expect("a plan");
        steps
            .collect::<Result<Vec<String>, _>>()
            .expect("text")
            .join("; ")
    }

    #[test]
    fn a_load_goes_by_two_indexes() {
        let plan = plan(LOAD);
        assert!(!plan.contains("SCAN"), "{plan}");
        assert!(plan.contains("SEARCH u USING PRIMARY KEY"), "{plan}");
    }

    #[test]
    fn a_list_reads_the_sessions_of_its_user_only_and_sorts_nothing() {
        let plan = plan(&with_bug(LIST, BUGS));
        assert!(
            plan.contains("record_by_user (user=? AND handle>?)"),
            "{plan}"
        );
        assert!(
            !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }

    #[test]
    fn a_scan_continues_by_index() {
        for sql in [SCAN_RECORDS, SCAN_TOMBSTONES] {
            let plan = plan(sql);
            assert!(
                plan.contains("SEARCH") && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
    }
}
