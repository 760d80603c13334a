//! Reclaims what is dead, in bounded steps.

use anynode_core::{Cause, Handle, Swept, Timestamp, expiry};
use rusqlite::{Connection, params};

use super::{
    NODE_SILENCE_MAX,
    fault::Fault,
    row::{self, columns},
    write,
};

/// How long a change is kept for channels that stopped reading; one that wakes up later flushes.
const CHANGES_KEPT_SECS: i64 = 10 * 60;

/// How many changes one call removes.
const CHANGES_PER_CALL: usize = 10_000;

/// Whose idle deadline has passed; the absolute one is never before it.
const EXPIRED: &str = concat!(
    "SELECT ",
    columns!(),
    "x'' FROM record r LEFT JOIN user_entry u ON u.user = r.user \
     WHERE r.idle_deadline <= ?1 ORDER BY r.idle_deadline"
);

/// Whose stamp is not the epoch of their user; core says which of these are dead.
const OUTDATED: &str = concat!(
    "SELECT ",
    columns!(),
    "x'' FROM record r JOIN user_entry u ON u.user = r.user \
     WHERE r.user = ?1 AND r.stamp IS NOT u.epoch"
);

struct Dead {
    handle: Handle,
    /// Until when its handle has to stay taken.
    tombstone_until: Option<Timestamp>,
}

/// Removes up to `limit` dead items.
pub(super) fn sweep(db: &Connection, limit: usize, now: Timestamp) -> Result<Swept, Fault> {
    let mut removed = records(db, EXPIRED, params![row::millis(now)], limit, now)?;
    removed += outdated(db, limit - removed, now)?;
    for sql in [
        "DELETE FROM tombstone WHERE handle IN \
         (SELECT handle FROM tombstone WHERE until <= ?1 ORDER BY until LIMIT ?2)",
        "DELETE FROM user_entry WHERE user IN \
         (SELECT user FROM user_entry WHERE until <= ?1 ORDER BY until LIMIT ?2)",
    ] {
        removed += db
            .prepare_cached(sql)?
            .execute(params![row::millis(now), column(limit - removed)])?;
    }
    let changes = changes(db)?;
    nodes(db, now)?;
    Ok(Swept {
        removed,
        more: removed == limit || changes == CHANGES_PER_CALL,
    })
}

/// Removes or buries the dead among the records that the statement finds.
fn records(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    limit: usize,
    now: Timestamp,
) -> Result<usize, Fault> {
    let dead = dead(db, sql, params, limit, now)?;
    for record in &dead {
        match record.tombstone_until {
            Some(until) => write::bury(db, &record.handle, Cause::Epoch, until)?,
            None => {
                db.prepare_cached("DELETE FROM record WHERE handle = ?1")?
                    .execute([record.handle.as_bytes()])?;
            }
        }
    }
    Ok(dead.len())
}

fn dead(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Dead>, Fault> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut dead = Vec::new();
    while dead.len() < limit
        && let Some(row) = rows.next()?
    {
        // What cannot be read stays for a person to look at, and does not stop the sweep.
        let kept = match row::kept(row) {
            Ok(kept) => kept,
            Err(Fault::Corrupt(_)) => continue,
            Err(fault) => return Err(fault),
        };
        let ended = expiry::ended(&kept.record, kept.idle_deadline, kept.user.as_ref(), now);
        let Some(cause) = ended else { continue };
        // Its handle could be created anew and bear a stamp that is good again, so a
        // revocation leaves its mark until the deadline.
        let marked = cause == Cause::Epoch && now < kept.record.deadline;
        dead.push(Dead {
            handle: kept.record.handle,
            tombstone_until: marked.then_some(kept.record.deadline),
        });
    }
    Ok(dead)
}

/// Buries what the revocations of users left behind, a user at a time.
fn outdated(db: &Connection, limit: usize, now: Timestamp) -> Result<usize, Fault> {
    let mut removed = 0;
    let users: Vec<String> = db
        .prepare_cached("SELECT user FROM user_entry WHERE unswept = 1 LIMIT ?1")?
        .query_map([column(limit)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for user in users {
        let room = limit - removed;
        if room == 0 {
            break;
        }
        let buried = records(db, OUTDATED, params![user], room, now)?;
        removed += buried;
        // No record can become outdated under an entry that is there already.
        if buried < room {
            db.prepare_cached("UPDATE user_entry SET unswept = 0 WHERE user = ?1")?
                .execute([user])?;
        }
    }
    Ok(removed)
}

fn changes(db: &Connection) -> Result<usize, Fault> {
    let removed = db
        .prepare_cached(
            "DELETE FROM change WHERE seq IN (SELECT seq FROM \
             (SELECT seq, at FROM change ORDER BY seq LIMIT ?1) WHERE at < unixepoch() - ?2)",
        )?
        .execute(params![column(CHANGES_PER_CALL), CHANGES_KEPT_SECS])?;
    Ok(removed)
}

fn nodes(db: &Connection, now: Timestamp) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM node WHERE heartbeat_at <= ?1")?
        .execute([row::millis(now.back(NODE_SILENCE_MAX))])?;
    Ok(())
}

fn column(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
