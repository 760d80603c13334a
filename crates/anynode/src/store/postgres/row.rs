//! Records as rows and parameters: every column there and back, and a clear fault for what
//! cannot be read.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    Binding, Cause, Device, Draft, Epoch, Handle, Item, Kind, Moment, Payload, Previous, Record,
    RollId, SecretHash, Spared, Timestamp, Tombstone, UserEntry, UserId, Version, WriteId,
    store::Kept,
};
use tokio_postgres::{Row, types::FromSql};

use super::{fault::Fault, link::Value};

/// The parameters of a draft, in the order of the statements that write one.
pub(super) struct Columns<'draft> {
    handle: &'draft [u8],
    kind: i16,
    secret: &'draft [u8],
    secret_since: i64,
    previous: Option<&'draft [u8]>,
    previous_until: Option<i64>,
    counter: i64,
    write: &'draft [u8],
    user: Option<&'draft [u8]>,
    created_at: i64,
    authenticated_at: Option<i64>,
    idle_timeout: i64,
    deadline: i64,
    label: Option<&'draft [u8]>,
    address: Option<&'draft [u8]>,
    payload: &'draft [u8],
}

/// The longest span that is told apart from a longer one: the sum with a time of our days is
/// far from the end of a `bigint`.
const SPAN_MAX: i64 = 1 << 61;

// === impl Columns ===

impl<'draft> Columns<'draft> {
    pub(super) fn of(draft: &'draft Draft) -> Self {
        let text = |text: &'draft Option<Arc<str>>| text.as_ref().map(|text| text.as_bytes());
        Self {
            handle: draft.handle.as_bytes(),
            kind: i16::from(draft.kind.code()),
            secret: draft.secret.as_bytes(),
            secret_since: moment(draft.secret_since),
            previous: draft.previous.as_ref().map(|it| &it.secret.as_bytes()[..]),
            previous_until: draft.previous.map(|previous| moment(previous.until)),
            counter: draft.version.counter.cast_signed(),
            write: draft.version.write.as_bytes(),
            user: draft.user.as_ref().map(|user| user.as_str().as_bytes()),
            created_at: moment(draft.created_at),
            authenticated_at: draft.authenticated_at.map(moment),
            idle_timeout: span(draft.idle_timeout),
            deadline: moment(draft.deadline),
            label: text(&draft.device.label),
            address: text(&draft.device.address),
            payload: draft.payload.as_bytes(),
        }
    }

    pub(super) fn values(&self) -> [Value<'_>; 16] {
        [
            &self.handle,
            &self.kind,
            &self.secret,
            &self.secret_since,
            &self.previous,
            &self.previous_until,
            &self.counter,
            &self.write,
            &self.user,
            &self.created_at,
            &self.authenticated_at,
            &self.idle_timeout,
            &self.deadline,
            &self.label,
            &self.address,
            &self.payload,
        ]
    }
}

/// A moment as one number: a point in time as it is, and a span after the write as what is
/// below zero, so that none of them is zero.
fn moment(moment: Moment) -> i64 {
    match moment {
        Moment::At(at) => i64::try_from(at.as_millis()).unwrap_or(i64::MAX),
        Moment::After(by) => -span(by) - 1,
    }
}

/// Milliseconds, rounded up so that the shortest timeout is not none at all.
pub(super) fn span(span: Duration) -> i64 {
    i64::try_from(span.as_nanos().div_ceil(1_000_000)).map_or(SPAN_MAX, |it| it.min(SPAN_MAX))
}

/// What stands in a row: the store's time, a record's columns and its user's entry.
pub(super) fn kept(row: &Row) -> Result<(Timestamp, Kept), Fault> {
    let record = Record {
        handle: Handle::from_bytes(bytes(row, 1, "handle")?),
        kind: code(value(row, 2, "kind")?)
            .and_then(Kind::from_code)
            .ok_or(Fault::Corrupt("kind"))?,
        secret: SecretHash::from_bytes(bytes(row, 3, "secret")?),
        secret_since: time(row, 4, "secret_since")?,
        previous: previous(row)?,
        version: Version {
            counter: value::<i64>(row, 7, "counter")?.cast_unsigned(),
            write: WriteId::from_bytes(bytes(row, 8, "write")?),
        },
        binding: binding(row)?,
        created_at: time(row, 11, "created_at")?,
        authenticated_at: time_or_none(row, 12, "authenticated_at")?,
        idle_timeout: time(row, 13, "idle_timeout")?.since(Timestamp::default()),
        deadline: time(row, 14, "deadline")?,
        device: Device {
            label: text(row, 15, "label")?,
            address: text(row, 16, "address")?,
        },
        payload: Payload::new(value::<&[u8]>(row, 18, "payload")?),
    };
    let kept = Kept {
        idle_deadline: time(row, 17, "idle_deadline")?,
        user: entry(row, 19)?,
        record: record.into(),
    };
    Ok((time(row, 0, "now")?, kept))
}

/// A record or a tombstone; the cause of that is in the column after those of [`kept`].
pub(super) fn item(row: &Row) -> Result<Item, Fault> {
    let Some(cause) = value::<Option<i16>>(row, 22, "cause")? else {
        let (_, kept) = kept(row)?;
        return Ok(Item::Record(kept.record, kept.idle_deadline));
    };
    Ok(Item::Tombstone(Tombstone {
        handle: Handle::from_bytes(bytes(row, 1, "handle")?),
        cause: cause_of(cause)?,
        until: time(row, 14, "deadline")?,
    }))
}

/// The user entry in the three columns from `at` on; `None` when they are null.
pub(super) fn entry(row: &Row, at: usize) -> Result<Option<UserEntry>, Fault> {
    let Some(epoch) = value::<Option<i64>>(row, at, "epoch")? else {
        return Ok(None);
    };
    let spared = match value::<Option<&[u8]>>(row, at + 1, "spared")? {
        None => None,
        Some(_) => Some(Spared {
            handle: Handle::from_bytes(bytes(row, at + 1, "spared")?),
            from: epoch_of(value(row, at + 2, "spared_from")?),
        }),
    };
    let epoch = epoch_of(epoch);
    Ok(Some(UserEntry { epoch, spared }))
}

/// The number of a call of the roll.
pub(super) fn roll(row: &Row, at: usize, column: &'static str) -> Result<RollId, Fault> {
    Ok(RollId(value::<i64>(row, at, column)?.cast_unsigned()))
}

/// The point in time in a column.
pub(super) fn time(row: &Row, at: usize, name: &'static str) -> Result<Timestamp, Fault> {
    time_or_none(row, at, name)?.ok_or(Fault::Corrupt(name))
}

/// The value in a column.
pub(super) fn value<'row, T: FromSql<'row>>(
    row: &'row Row,
    at: usize,
    name: &'static str,
) -> Result<T, Fault> {
    row.try_get(at).map_err(|_| Fault::Corrupt(name))
}

/// The bytes in a column, which has exactly so many.
pub(super) fn bytes<const N: usize>(
    row: &Row,
    at: usize,
    name: &'static str,
) -> Result<[u8; N], Fault> {
    let bytes: &[u8] = value(row, at, name)?;
    bytes.try_into().map_err(|_| Fault::Corrupt(name))
}

/// The user in a column.
pub(super) fn user(row: &Row, at: usize) -> Result<UserId, Fault> {
    let text = text(row, at, "user_id")?.ok_or(Fault::Corrupt("user_id"))?;
    UserId::new(text).map_err(|_| Fault::Corrupt("user_id"))
}

/// The cause that a number stands for.
pub(super) fn cause_of(number: i16) -> Result<Cause, Fault> {
    code(number)
        .and_then(Cause::from_code)
        .ok_or(Fault::Corrupt("cause"))
}

fn code(number: i16) -> Option<u8> {
    u8::try_from(number).ok()
}

fn epoch_of(number: i64) -> Epoch {
    Epoch::from_micros(number.cast_unsigned())
}

fn time_or_none(row: &Row, at: usize, name: &'static str) -> Result<Option<Timestamp>, Fault> {
    let Some(millis) = value::<Option<i64>>(row, at, name)? else {
        return Ok(None);
    };
    let millis = u64::try_from(millis).map_err(|_| Fault::Corrupt(name))?;
    Ok(Some(Timestamp::from_millis(millis)))
}

fn text(row: &Row, at: usize, name: &'static str) -> Result<Option<Arc<str>>, Fault> {
    let Some(bytes) = value::<Option<&[u8]>>(row, at, name)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Corrupt(name))?;
    Ok(Some(text.into()))
}

fn previous(row: &Row) -> Result<Option<Previous<Timestamp>>, Fault> {
    let Some(until) = time_or_none(row, 6, "previous_until")? else {
        return Ok(None);
    };
    let secret = SecretHash::from_bytes(bytes(row, 5, "previous")?);
    Ok(Some(Previous { secret, until }))
}

fn binding(row: &Row) -> Result<Option<Binding>, Fault> {
    let Some(stamp) = value::<Option<i64>>(row, 10, "stamp")? else {
        return Ok(None);
    };
    let user = user(row, 9)?;
    let stamp = epoch_of(stamp);
    Ok(Some(Binding { user, stamp }))
}
