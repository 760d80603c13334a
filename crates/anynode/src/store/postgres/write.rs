//! The verbs that write: a statement each, and the answer that core makes of it.

use std::{collections::BTreeMap, sync::Arc};

use anynode_core::{
    Create, Draft, Durability, Effect, Handle, Live, NodeId, Replace, Revoke, Revoked, RollId,
    Target, Timestamp, Touch, UserId, Version, expiry::ABSOLUTE_MAX, store::Disk,
};
use tokio_postgres::Row;

use super::{
    Inner,
    fault::{Act, Fault},
    fence,
    link::Value,
    read,
    row::{self, Columns},
    statement, upkeep,
};

/// How often a write is tried that met neither what it names nor anything newer: someone edits
/// rows by hand.
const TRIES_MAX: usize = 3;

/// Inserts the record if its handle is free (L1).
pub(super) async fn create(inner: &Inner, draft: &Draft) -> Result<Create, Fault> {
    let columns = Columns::of(draft);
    let values = columns.values();
    let rows = inner.ordinary(inner.until(), &statement::CREATE, &values);
    let rows = rows.await?;
    Ok(match rows.first() {
        Some(row) => Create::Created(written(row, draft)?),
        None => Create::Duplicate,
    })
}

/// Writes the draft over the version it was made from (L3); where that is not there, a second
/// statement tells why.
pub(super) async fn replace(
    inner: &Arc<Inner>,
    base: &Version,
    draft: &Draft,
) -> Result<Replace, Fault> {
    let (until, columns) = (inner.until(), Columns::of(draft));
    let (counter, write) = (base.counter.cast_signed(), &base.write.as_bytes()[..]);
    let mut values = columns.values().to_vec();
    values.extend([&counter as Value<'_>, &write]);
    for _ in 0..TRIES_MAX {
        let rows = inner.ordinary(until, &statement::REPLACE, &values);
        if let Some(row) = rows.await?.first() {
            return Ok(Replace::Replaced(written(row, draft)?));
        }
        let kept = read::load(inner, until, &inner.writes, &draft.handle).await?;
        let Some(live) = kept else {
            return Ok(Replace::Gone);
        };
        if live.record.version != *base {
            return Ok(Replace::Conflict(live));
        }
    }
    Err(Fault::Busy)
}

/// Moves idle deadlines forward (L5).
pub(super) async fn touch(inner: &Inner, batch: &[Touch]) -> Result<(), Fault> {
    let mut latest: BTreeMap<&[u8], i64> = BTreeMap::new();
    for touch in batch {
        let age = row::span(touch.age);
        let known = latest.entry(touch.handle.as_bytes()).or_insert(age);
        *known = age.min(*known);
    }
    let (handles, ages): (Vec<_>, Vec<_>) = latest.into_iter().unzip();
    let until = inner.until();
    for (handles, ages) in handles.chunks(TOUCHES_MAX).zip(ages.chunks(TOUCHES_MAX)) {
        let values: [Value<'_>; 2] = [&handles, &ages];
        inner.ordinary(until, &statement::TOUCH, &values).await?;
    }
    Ok(())
}

/// Ends sessions for good (L4, L6).
pub(super) async fn revoke(inner: &Arc<Inner>, revoke: &Revoke) -> Result<Revoked, Fault> {
    let cause = i16::from(revoke.cause.code());
    match &revoke.target {
        Target::Session(handle) => {
            let values: [Value<'_>; 2] = [&bytes(handle), &cause];
            let row = inner.revocation(&statement::REVOKE, &values).await?;
            ended(inner, &row)
        }
        Target::SessionOf(user, handle) => {
            let values: [Value<'_>; 3] = [&bytes(handle), &cause, &name(user)];
            let row = inner.revocation(&statement::REVOKE_OWN, &values).await?;
            ended(inner, &row)
        }
        Target::User(user) => outdate(inner, user, None).await,
        Target::UserExcept(user, spared) => outdate(inner, user, Some(spared)).await,
    }
}

/// Asks every node to answer (L12), on a full disk as well.
pub(super) async fn call_roll(inner: &Arc<Inner>) -> Result<RollId, Fault> {
    let row = inner.revocation(&upkeep::CALL_ROLL, &[]).await?;
    row::roll(&row, 0, "number")
}

/// Forgets a node that leaves (L12).
pub(super) async fn leave(inner: &Inner, node: &NodeId) -> Result<(), Fault> {
    let values: [Value<'_>; 1] = [&node.as_str()];
    let (until, act) = (inner.until(), Act::Write);
    let left = inner.writes.call(until, act, &upkeep::LEAVE, &values);
    left.await.map(drop)
}

async fn outdate(
    inner: &Arc<Inner>,
    user: &UserId,
    spared: Option<&Handle>,
) -> Result<Revoked, Fault> {
    let values: [Value<'_>; 2] = [&name(user), &spared.map(bytes)];
    let row = inner.revocation(&statement::REVOKE_USER, &values).await?;
    let entry = row::entry(&row, 5)?.ok_or(Fault::Corrupt("epoch"))?;
    revoked(inner, &row, Effect::User(entry))
}

/// How many touches one statement carries: it holds their locks until its commit.
const TOUCHES_MAX: usize = 500;

fn ended(inner: &Inner, row: &Row) -> Result<Revoked, Fault> {
    let effect = match row::value(row, 5, "ended")? {
        true => Effect::Session,
        false => Effect::Nothing,
    };
    revoked(inner, row, effect)
}

fn revoked(inner: &Inner, row: &Row, effect: Effect) -> Result<Revoked, Fault> {
    Ok(Revoked {
        durability: durability(inner, row)?,
        at: row::time(row, 0, "now")?,
        effect,
    })
}

/// What the server said of itself in the transaction that it then acknowledged.
fn durability(inner: &Inner, row: &Row) -> Result<Durability, Fault> {
    let disk = disk(row::value(row, 2, "fsync")?);
    let standbys = inner.dialler.hear(fence::standbys(row, 3)?);
    Ok(standbys.durability(disk))
}

/// When an acknowledged write is on the disk, by the setting `fsync`.
pub(super) fn disk(is_synced: bool) -> Disk {
    match is_synced {
        true => Disk::First,
        false => Disk::Later,
    }
}

/// The answer to a write that took place: as core settles the draft, which is what the
/// statement did.
fn written(row: &Row, draft: &Draft) -> Result<Live, Fault> {
    let now: Timestamp = row::time(row, 1, "now")?;
    Ok(draft.live(now, row::entry(row, 2)?))
}

fn bytes(handle: &Handle) -> &[u8] {
    handle.as_bytes()
}

fn name(user: &UserId) -> &[u8] {
    user.as_str().as_bytes()
}

// The statements say it in milliseconds.
const _: () = assert!(ABSOLUTE_MAX.as_millis() == 34_560_000_000);
