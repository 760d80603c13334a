//! What the rows of a poll and of the snapshot tell.

use anynode_core::{Event, Handle, Snapshot, Tombstone};
use tokio_postgres::Row;

use super::{fault::Fault, row};

/// What a change tells, from its key on in the columns from `at` on.
pub(super) fn event(kind: i16, row: &Row, at: usize) -> Result<Event, Fault> {
    match kind {
        1 => Ok(Event::Changed(handle(row, at)?)),
        2 => Ok(Event::Revoked(tombstone(row, at)?)),
        3 => {
            let entry = row::entry(row, at + 3)?.unwrap_or_default();
            Ok(Event::User(row::user(row, at)?, entry))
        }
        4 => Ok(Event::Flush),
        5 => Ok(Event::Roll(row::roll(row, at + 3, "epoch")?)),
        _ => Err(Fault::Corrupt("kind")),
    }
}

/// All that is revoked, from the rows of the snapshot.
pub(super) fn snapshot(rows: &[Row]) -> Result<Snapshot, Fault> {
    let first = rows.first().ok_or(Fault::Corrupt("now"))?;
    let mut snapshot = Snapshot {
        now: row::time(first, 0, "now")?,
        ..Snapshot::default()
    };
    for row in rows {
        let Some(kind) = row::value(row, 1, "kind")? else {
            continue;
        };
        match event(kind, row, 2)? {
            Event::Revoked(tombstone) => snapshot.revoked.push(tombstone),
            Event::User(user, entry) => snapshot.users.push((user, entry)),
            _ => return Err(Fault::Corrupt("kind")),
        }
    }
    Ok(snapshot)
}

fn tombstone(row: &Row, at: usize) -> Result<Tombstone, Fault> {
    Ok(Tombstone {
        handle: handle(row, at)?,
        cause: row::cause_of(row::value(row, at + 1, "cause")?)?,
        until: row::time(row, at + 2, "until")?,
    })
}

fn handle(row: &Row, at: usize) -> Result<Handle, Fault> {
    Ok(Handle::from_bytes(row::bytes(row, at, "key")?))
}
