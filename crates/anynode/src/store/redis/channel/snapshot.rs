//! The live revocations and user entries of all buckets.

use std::{sync::Arc, time::Duration};

use anynode_core::{Cause, Handle, Snapshot, Timestamp, Tombstone, UserEntry, UserId};
use redis::{Pipeline, Value, cmd};

use super::line::{Line, text};
use crate::store::redis::{
    fault::Fault,
    keys::{Keys, Tag},
    record,
};

/// How many buckets are asked for at once.
const BUCKETS_AT_ONCE: usize = 256;

/// Everything that is revoked, read on connections that hear of whatever is revoked meanwhile.
pub(super) async fn read(
    keys: &Keys,
    lines: &[Arc<Line>],
    until: Duration,
) -> Result<Snapshot, Fault> {
    let mut snapshot = Snapshot::default();
    for line in lines {
        // The clock of the slowest: what one primary holds for alive stays in.
        let now = line.time(until).await?;
        snapshot.now = match snapshot.now.as_millis() {
            0 => now,
            _ => snapshot.now.min(now),
        };
        let tags: Vec<_> = line.primary().tags().collect();
        for tags in tags.chunks(BUCKETS_AT_ONCE) {
            read_buckets(keys, line, tags, now, until, &mut snapshot).await?;
        }
    }
    Ok(snapshot)
}

async fn read_buckets(
    keys: &Keys,
    line: &Line,
    tags: &[Tag],
    now: Timestamp,
    until: Duration,
    snapshot: &mut Snapshot,
) -> Result<(), Fault> {
    let mut pipe = Pipeline::new();
    for tag in tags {
        let mut stones = cmd("ZRANGEBYSCORE");
        stones.arg(keys.dead(*tag)).arg(live(now)).arg("+inf");
        pipe.add_command(stones.arg("WITHSCORES").take());
        pipe.add_command(cmd("HGETALL").arg(keys.users(*tag)).take());
    }
    let mut replies = line.send_all(&pipe, until).await?.into_iter();
    while let Some(stones) = replies.next() {
        read_tombstones(&stones?, &mut snapshot.revoked)?;
        let users = replies.next().unwrap_or(Err(Fault::Lost));
        read_entries(&users?, &mut snapshot.users)?;
    }
    Ok(())
}

/// The lowest score of a tombstone that is still of use: a score is the end in milliseconds,
/// times 16, and the cause.
fn live(now: Timestamp) -> u64 {
    (now.as_millis() + 1) * 16
}

fn read_tombstones(reply: &Value, revoked: &mut Vec<Tombstone>) -> Result<(), Fault> {
    let Value::Array(pairs) = reply else {
        return Err(Fault::Corrupt("the tombstones of a bucket"));
    };
    for pair in pairs {
        let tombstone = tombstone(pair).ok_or(Fault::Corrupt("a tombstone"))?;
        revoked.push(tombstone);
    }
    Ok(())
}

fn tombstone(pair: &Value) -> Option<Tombstone> {
    let Value::Array(pair) = pair else {
        return None;
    };
    let [Value::BulkString(handle), Value::Double(score)] = &pair[..] else {
        return None;
    };
    // Through text, because a number below 2^53 is a whole one, and no cast can lose any of it.
    let score: u64 = format!("{score:.0}").parse().ok()?;
    Some(Tombstone {
        handle: Handle::from_bytes(handle.as_slice().try_into().ok()?),
        cause: Cause::from_code(u8::try_from(score % 16).ok()?)?,
        until: Timestamp::from_millis(score / 16),
    })
}

fn read_entries(reply: &Value, users: &mut Vec<(UserId, UserEntry)>) -> Result<(), Fault> {
    let Value::Map(fields) = reply else {
        return Err(Fault::Corrupt("the user entries of a bucket"));
    };
    for (user, bytes) in fields {
        let user = text(user).and_then(|user| UserId::new(user).ok());
        let user = user.ok_or(Fault::Corrupt("the user of an entry"))?;
        let Value::BulkString(bytes) = bytes else {
            return Err(Fault::Corrupt("a user entry"));
        };
        users.extend(record::entry(bytes)?.map(|entry| (user, entry)));
    }
    Ok(())
}
