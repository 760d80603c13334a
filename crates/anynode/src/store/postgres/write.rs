//! The verbs that write: a statement each, and the answer that core makes of it.

use std::{collections::BTreeMap, sync::Arc};

use anynode_core::{
    Create, Draft, Durability, Effect, Handle, Live, Replace, Revoke, Revoked, Target, Timestamp,
    Touch, UserId, Version, expiry::ABSOLUTE_MAX,
};
use tokio_postgres::Row;

use super::{
    Inner,
    fault::Fault,
    link::Value,
    read,
    row::{self, Columns},
    statement,
};

/// How often a write is tried that met neither what it names nor anything newer: someone edits
/// rows by hand.
const TRIES_MAX: usize = 3;

/// Inserts the record if its handle is free (L1).
pub(super) async fn create(inner: &Inner, draft: &Draft) -> Result<Create, Fault> {
    let columns = Columns::of(draft);
    let values = columns.values();
    let rows = inner.ordinary(&statement::CREATE, &values).await?;
    Ok(match rows.first() {
        Some(row) => Create::Created(written(row, draft)?),
        None => Create::Duplicate,
    })
}

/// Writes the draft over the version it was made from (L3); where that is not there, a second
/// statement tells why.
pub(super) async fn replace(
    inner: &Inner,
    base: &Version,
    draft: &Draft,
) -> Result<Replace, Fault> {
    let columns = Columns::of(draft);
    let (counter, write) = (base.counter.cast_signed(), &base.write.as_bytes()[..]);
    let mut values = columns.values().to_vec();
    values.extend([&counter as Value<'_>, &write]);
    for _ in 0..TRIES_MAX {
        let rows = inner.ordinary(&statement::REPLACE, &values);
        if let Some(row) = rows.await?.first() {
            return Ok(Replace::Replaced(written(row, draft)?));
        }
        let kept = read::load(&inner.writes, &draft.handle).await?;
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
    for (handles, ages) in handles.chunks(TOUCHES_MAX).zip(ages.chunks(TOUCHES_MAX)) {
        let values: [Value<'_>; 2] = [&handles, &ages];
        inner.ordinary(&statement::TOUCH, &values).await?;
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
            ended(&row)
        }
        Target::SessionOf(user, handle) => {
            let values: [Value<'_>; 3] = [&bytes(handle), &cause, &name(user)];
            let row = inner.revocation(&statement::REVOKE_OWN, &values).await?;
            ended(&row)
        }
        Target::User(user) => outdate(inner, user, None).await,
        Target::UserExcept(user, spared) => outdate(inner, user, Some(spared)).await,
    }
}

async fn outdate(
    inner: &Arc<Inner>,
    user: &UserId,
    spared: Option<&Handle>,
) -> Result<Revoked, Fault> {
    let values: [Value<'_>; 2] = [&name(user), &spared.map(bytes)];
    let row = inner.revocation(&statement::REVOKE_USER, &values).await?;
    let entry = row::entry(&row, 5)?.ok_or(Fault::Corrupt("epoch"))?;
    revoked(&row, Effect::User(entry))
}

/// How many touches one statement carries: it holds their locks until its commit.
const TOUCHES_MAX: usize = 500;

fn ended(row: &Row) -> Result<Revoked, Fault> {
    let effect = match row::value(row, 5, "ended")? {
        true => Effect::Session,
        false => Effect::Nothing,
    };
    revoked(row, effect)
}

fn revoked(row: &Row, effect: Effect) -> Result<Revoked, Fault> {
    Ok(Revoked {
        durability: durability(row)?,
        at: row::time(row, 0, "now")?,
        effect,
    })
}

/// What the server said of itself in the transaction that it then acknowledged.
fn durability(row: &Row) -> Result<Durability, Fault> {
    let on_disk: bool = row::value(row, 2, "fsync")?;
    let waits: bool = row::value(row, 3, "synchronous_standby_names")?;
    let copied: bool = row::value(row, 4, "standbys")?;
    Ok(judge(on_disk, waits, copied))
}

/// How safe a revocation is that a server acknowledged: whether that waited for the disk and
/// for standbys, and whether there are any.
pub(super) fn judge(on_disk: bool, waits: bool, copied: bool) -> Durability {
    match (on_disk, waits, copied) {
        (false, _, _) | (true, false, true) => Durability::Asynchronous,
        (true, true, _) => Durability::Quorum,
        (true, false, false) => Durability::Majority,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_is_worth_what_its_server_waited_for() {
        assert_eq!(judge(true, false, false), Durability::Majority);
        assert_eq!(judge(true, true, true), Durability::Quorum);
        assert_eq!(judge(true, false, true), Durability::Asynchronous);
        assert_eq!(judge(false, true, true), Durability::Asynchronous);
        assert_eq!(judge(false, false, false), Durability::Asynchronous);
    }
}
