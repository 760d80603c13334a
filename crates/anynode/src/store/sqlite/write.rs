//! What writes the file: each act runs inside a transaction that holds the write lock, and
//! asks the rules of core what to do.

use anynode_core::{
    Cause, Create, Draft, Effect, Handle, Live, NodeId, Replace, Revoke, Target, Timestamp, Touch,
    UserEntry, UserId, Version,
    expiry::{self, ABSOLUTE_MAX, UNKNOWN_TOMBSTONE},
    store,
};
use rusqlite::{Connection, params};

use super::{fault::Fault, read, row};

const INSERT: &str = "INSERT INTO record (kind, secret, secret_since, previous, previous_until, \
     counter, write, stamp, created_at, authenticated_at, idle_timeout, deadline, label, address, \
     idle_deadline, payload, handle, user) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

/// Leaves the user alone when it stays the same: to name an indexed column in an update writes
/// the page of its index, changed or not.
const UPDATE: &str = "UPDATE record SET kind = ?1, secret = ?2, secret_since = ?3, previous = ?4, \
     previous_until = ?5, counter = ?6, write = ?7, stamp = ?8, created_at = ?9, \
     authenticated_at = ?10, idle_timeout = ?11, deadline = ?12, label = ?13, address = ?14, \
     idle_deadline = ?15, payload = ?16 WHERE handle = ?17 AND user IS ?18";

const UPDATE_USER: &str = "UPDATE record SET kind = ?1, secret = ?2, secret_since = ?3, \
     previous = ?4, previous_until = ?5, counter = ?6, write = ?7, stamp = ?8, created_at = ?9, \
     authenticated_at = ?10, idle_timeout = ?11, deadline = ?12, label = ?13, address = ?14, \
     idle_deadline = ?15, payload = ?16, user = ?18 WHERE handle = ?17";

/// Inserts the record if its handle is free (L1).
pub(super) fn create(db: &Connection, draft: &Draft, now: Timestamp) -> Result<Create, Fault> {
    let taken = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM record WHERE handle = ?1) \
             OR EXISTS (SELECT 1 FROM tombstone WHERE handle = ?1)",
        )?
        .query_row([draft.handle.as_bytes()], |row| row.get(0))?;
    if taken {
        return Ok(Create::Duplicate);
    }
    let entry = match &draft.user {
        Some(user) => read::entry(db, user)?.map(|(entry, _)| entry),
        None => None,
    };
    let live = draft.live(now, entry);
    row::execute(db, INSERT, &live)?;
    outlive(db, &live)?;
    Ok(Create::Created(live))
}

/// Writes the draft over the version it was made from (L3, L4, L6).
pub(super) fn replace(
    db: &Connection,
    base: &Version,
    draft: &Draft,
    now: Timestamp,
) -> Result<Replace, Fault> {
    let kept = read::kept(db, &draft.handle)?;
    let user_before = kept.as_ref().and_then(|kept| kept.record.user().cloned());
    let entry = match &draft.user {
        Some(user) if user_before.as_ref() != Some(user) => read::entry(db, user)?,
        _ => None,
    };
    let answer = store::replace(kept, base, draft, now, |_| entry.map(|(entry, _)| entry));
    if let Replace::Replaced(live) = &answer {
        let moved = live.record.user() != user_before.as_ref();
        row::execute(db, if moved { UPDATE_USER } else { UPDATE }, live)?;
        outlive(db, live)?;
    }
    Ok(answer)
}

/// Moves idle deadlines forward (L5).
pub(super) fn touch(db: &Connection, batch: &[Touch], now: Timestamp) -> Result<(), Fault> {
    for touch in batch {
        let kept = match read::kept_bare(db, &touch.handle) {
            // One record that cannot be read must not cost the others their touch.
            Ok(None) | Err(Fault::Corrupt(_)) => continue,
            Ok(Some(kept)) => kept,
            Err(fault) => return Err(fault),
        };
        let idle_deadline = expiry::touched(&kept.record, kept.idle_deadline, now, touch.age);
        if kept.is_alive(now) && kept.idle_deadline < idle_deadline {
            db.prepare_cached("UPDATE record SET idle_deadline = ?2 WHERE handle = ?1")?
                .execute(params![touch.handle.as_bytes(), row::millis(idle_deadline)])?;
        }
    }
    Ok(())
}

/// Ends sessions for good (L4, L6).
pub(super) fn revoke(db: &Connection, revoke: &Revoke, now: Timestamp) -> Result<Effect, Fault> {
    match &revoke.target {
        Target::Session(handle) => end(db, handle, None, revoke.cause, now),
        Target::SessionOf(user, handle) => end(db, handle, Some(user), revoke.cause, now),
        Target::User(user) => outdate(db, user, None, now),
        Target::UserExcept(user, spared) => outdate(db, user, Some(*spared), now),
    }
}

/// Notes that the node lives.
pub(super) fn heartbeat(db: &Connection, node: &NodeId, now: Timestamp) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO node (node, heartbeat_at) VALUES (?1, ?2) \
         ON CONFLICT (node) DO UPDATE SET heartbeat_at = excluded.heartbeat_at",
    )?
    .execute(params![node.as_str(), row::millis(now)])?;
    Ok(())
}

/// Forgets a node that leaves.
pub(super) fn leave(db: &Connection, node: &NodeId) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM node WHERE node = ?1")?
        .execute([node.as_str()])?;
    Ok(())
}

/// Puts a tombstone in the place of whatever is under the handle.
pub(super) fn bury(
    db: &Connection,
    handle: &Handle,
    cause: Cause,
    until: Timestamp,
) -> Result<(), Fault> {
    // In this order, so that the trigger on the record sees why it goes.
    db.prepare_cached(
        "INSERT INTO tombstone (handle, cause, until) VALUES (?1, ?2, ?3) \
         ON CONFLICT (handle) DO UPDATE SET until = max(until, excluded.until)",
    )?
    .execute(params![handle.as_bytes(), cause.code(), row::millis(until)])?;
    db.prepare_cached("DELETE FROM record WHERE handle = ?1")?
        .execute([handle.as_bytes()])?;
    Ok(())
}

fn end(
    db: &Connection,
    handle: &Handle,
    owner: Option<&UserId>,
    cause: Cause,
    now: Timestamp,
) -> Result<Effect, Fault> {
    let kept = match read::kept_bare(db, handle) {
        Ok(kept) => kept,
        // A record that nobody can read is no reason to leave its handle open; whose it is
        // cannot be told, so an owner does not end it.
        Err(Fault::Corrupt(_)) if owner.is_none() => {
            bury(db, handle, cause, now + ABSOLUTE_MAX)?;
            return Ok(Effect::Session);
        }
        Err(fault) => return Err(fault),
    };
    if let Some(owner) = owner
        && kept.as_ref().and_then(|kept| kept.record.user()) != Some(owner)
    {
        return Ok(Effect::Nothing);
    }
    let Some(kept) = kept else {
        bury(db, handle, cause, now + UNKNOWN_TOMBSTONE)?;
        return Ok(Effect::Nothing);
    };
    bury(db, handle, cause, kept.record.deadline)?;
    Ok(if kept.is_alive(now) {
        Effect::Session
    } else {
        Effect::Nothing
    })
}

fn outdate(
    db: &Connection,
    user: &UserId,
    spared: Option<Handle>,
    now: Timestamp,
) -> Result<Effect, Fault> {
    let (before, until): (UserEntry, _) = read::entry(db, user)?.unwrap_or_default();
    let entry = before.revoked(spared, now);
    // Not before the latest session that was bound under it, nor before the longest that may be.
    let until = until.max(now + ABSOLUTE_MAX);
    db.prepare_cached(
        "INSERT INTO user_entry (user, epoch, spared, spared_from, until, unswept) \
         VALUES (?1, ?2, ?3, ?4, ?5, 1) ON CONFLICT (user) DO UPDATE SET \
         epoch = excluded.epoch, spared = excluded.spared, spared_from = excluded.spared_from, \
         until = excluded.until, unswept = 1",
    )?
    .execute(params![
        user.as_str(),
        row::epoch(entry.epoch),
        entry.spared.map(|spared| *spared.handle.as_bytes()),
        entry.spared.map(|spared| row::epoch(spared.from)),
        row::millis(until),
    ])?;
    Ok(Effect::User(entry))
}

/// Keeps the entry of the user at least as long as a session that was bound under it.
fn outlive(db: &Connection, live: &Live) -> Result<(), Fault> {
    if let (Some(user), Some(_)) = (live.record.user(), live.user) {
        db.prepare_cached("UPDATE user_entry SET until = ?2 WHERE user = ?1 AND until < ?2")?
            .execute(params![user.as_str(), row::millis(live.record.deadline)])?;
    }
    Ok(())
}
