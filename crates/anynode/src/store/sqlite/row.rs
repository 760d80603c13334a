//! Records as rows: every column there and back, and a clear fault for what cannot be read.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    Binding, Device, Epoch, Handle, Kind, Live, Payload, Previous, Record, SecretHash, Spared,
    Timestamp, UserEntry, UserId, Version, WriteId, store::Kept,
};
use rusqlite::{Row, params, types::ValueRef};

use super::fault::Fault;

/// The columns that [`kept`] reads but the payload, of `record r` and `user_entry u`.
macro_rules! columns {
    () => {
        "r.handle, r.kind, r.secret, r.secret_since, r.previous, r.previous_until, r.counter, \
         r.write, r.user, r.stamp, r.created_at, r.authenticated_at, r.idle_timeout, r.deadline, \
         r.label, r.address, r.idle_deadline, u.epoch, u.spared, u.spared_from, "
    };
}
pub(super) use columns;

/// What stands in a row of [`columns!`] and a payload.
pub(super) fn kept(row: &Row<'_>) -> Result<Kept, Fault> {
    let record = Record {
        handle: Handle::from_bytes(bytes(row, 0, "handle")?),
        kind: code(integer(row, 1, "kind")?)
            .and_then(Kind::from_code)
            .ok_or(Fault::Corrupt("kind"))?,
        secret: SecretHash::from_bytes(bytes(row, 2, "secret")?),
        secret_since: time(row, 3, "secret_since")?,
        previous: previous(row)?,
        version: Version {
            counter: integer(row, 6, "counter")?.cast_unsigned(),
            write: WriteId::from_bytes(bytes(row, 7, "write")?),
        },
        binding: binding(row)?,
        created_at: time(row, 10, "created_at")?,
        authenticated_at: unless_null(row, 11, |row, at| time(row, at, "authenticated_at"))?,
        idle_timeout: time(row, 12, "idle_timeout")?.since(Timestamp::default()),
        deadline: time(row, 13, "deadline")?,
        device: Device {
            label: unless_null(row, 14, |row, at| text(row, at, "label"))?.map(Arc::from),
            address: unless_null(row, 15, |row, at| text(row, at, "address"))?.map(Arc::from),
        },
        payload: Payload::new(blob(row, 20, "payload")?),
    };
    Ok(Kept {
        idle_deadline: time(row, 16, "idle_deadline")?,
        user: entry(row, 17)?,
        record: record.into(),
    })
}

/// The user entry in the three columns from `at` on; `None` when they are null.
pub(super) fn entry(row: &Row<'_>, at: usize) -> Result<Option<UserEntry>, Fault> {
    let Some(epoch) = unless_null(row, at, |row, at| integer(row, at, "epoch"))? else {
        return Ok(None);
    };
    let spared = unless_null(row, at + 1, |row, at| bytes(row, at, "spared"))?;
    let spared = match spared {
        None => None,
        Some(handle) => Some(Spared {
            handle: Handle::from_bytes(handle),
            from: Epoch::from_micros(integer(row, at + 2, "spared_from")?.cast_unsigned()),
        }),
    };
    Ok(Some(UserEntry {
        epoch: Epoch::from_micros(epoch.cast_unsigned()),
        spared,
    }))
}

/// Executes a cached statement that takes every column of `live` but user and handle, which
/// come last.
pub(super) fn execute(db: &rusqlite::Connection, sql: &str, live: &Live) -> Result<usize, Fault> {
    let record = &live.record;
    let changed = db.prepare_cached(sql)?.execute(params![
        record.kind.code(),
        record.secret.as_bytes(),
        millis(record.secret_since),
        record.previous.map(|previous| *previous.secret.as_bytes()),
        record.previous.map(|previous| millis(previous.until)),
        record.version.counter.cast_signed(),
        record.version.write.as_bytes(),
        record.binding.as_ref().map(|binding| epoch(binding.stamp)),
        millis(record.created_at),
        record.authenticated_at.map(millis),
        duration(record.idle_timeout),
        millis(record.deadline),
        record.device.label.as_deref(),
        record.device.address.as_deref(),
        millis(live.idle_deadline),
        record.payload.as_bytes(),
        record.handle.as_bytes(),
        record.user().map(UserId::as_str),
    ])?;
    Ok(changed)
}

/// A point in time as a column; what lies beyond 292 million years is cut to that.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// An epoch as a column: only ever compared for being equal, so every bit may be used.
pub(super) fn epoch(epoch: Epoch) -> i64 {
    epoch.as_micros().cast_signed()
}

/// The point in time in a column.
pub(super) fn time(row: &Row<'_>, at: usize, name: &'static str) -> Result<Timestamp, Fault> {
    let millis = u64::try_from(integer(row, at, name)?).map_err(|_| Fault::Corrupt(name))?;
    Ok(Timestamp::from_millis(millis))
}

/// The bytes in a column, which has exactly so many.
pub(super) fn bytes<const N: usize>(
    row: &Row<'_>,
    at: usize,
    name: &'static str,
) -> Result<[u8; N], Fault> {
    blob(row, at, name)?
        .try_into()
        .map_err(|_| Fault::Corrupt(name))
}

/// The integer in a column.
pub(super) fn integer(row: &Row<'_>, at: usize, name: &'static str) -> Result<i64, Fault> {
    match row.get_ref(at)? {
        ValueRef::Integer(number) => Ok(number),
        _ => Err(Fault::Corrupt(name)),
    }
}

/// The user in a column.
pub(super) fn user(row: &Row<'_>, at: usize) -> Result<UserId, Fault> {
    UserId::new(text(row, at, "user")?).map_err(|_| Fault::Corrupt("user"))
}

/// The number of a kind or cause, if it can be one.
pub(super) fn code(number: i64) -> Option<u8> {
    u8::try_from(number).ok()
}

/// The text in a column.
pub(super) fn text<'row>(
    row: &'row Row<'_>,
    at: usize,
    name: &'static str,
) -> Result<&'row str, Fault> {
    match row.get_ref(at)? {
        ValueRef::Text(text) => std::str::from_utf8(text).map_err(|_| Fault::Corrupt(name)),
        _ => Err(Fault::Corrupt(name)),
    }
}

fn blob<'row>(row: &'row Row<'_>, at: usize, name: &'static str) -> Result<&'row [u8], Fault> {
    match row.get_ref(at)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Err(Fault::Corrupt(name)),
    }
}

fn unless_null<'row, 'stmt, T>(
    row: &'row Row<'stmt>,
    at: usize,
    read: impl FnOnce(&'row Row<'stmt>, usize) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        _ => read(row, at).map(Some),
    }
}

fn previous(row: &Row<'_>) -> Result<Option<Previous<Timestamp>>, Fault> {
    let Some(secret) = unless_null(row, 4, |row, at| bytes(row, at, "previous"))? else {
        return Ok(None);
    };
    Ok(Some(Previous {
        secret: SecretHash::from_bytes(secret),
        until: time(row, 5, "previous_until")?,
    }))
}

fn binding(row: &Row<'_>) -> Result<Option<Binding>, Fault> {
    let Some(user) = unless_null(row, 8, user)? else {
        return Ok(None);
    };
    let stamp = integer(row, 9, "stamp")?.cast_unsigned();
    Ok(Some(Binding {
        user,
        stamp: Epoch::from_micros(stamp),
    }))
}

/// Milliseconds, rounded up so that the shortest timeout is not none at all.
fn duration(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}
