//! The live revocations and user entries of all buckets.

use std::sync::Arc;

use anynode_core::{Cause, Handle, Snapshot, Timestamp, Tombstone, UserEntry, UserId};
use redis::{Pipeline, Value, cmd};

use super::line::{Line, text};
use crate::store::redis::{fault::Fault, keys::Tag, record, servers::Servers};

/// How many buckets are asked for at first, before it is known how much is in them.
const BUCKETS_FIRST: usize = 32;

/// How many buckets are asked for at once where little is in them.
const BUCKETS_MAX: usize = 1024;

/// How much one answer should have at most, of tombstones and entries: a fraction of a second.
const ANSWER_MAX: usize = 20_000;

/// Everything that is revoked, read on connections that hear of whatever is revoked meanwhile.
///
/// Each answer has the deadline of a call, counted from the answer before it: the whole takes as
/// long as there is much to tell, and a primary that stopped answering is noticed as soon as ever.
pub(super) async fn read(servers: &Servers, lines: &[Arc<Line>]) -> Result<Snapshot, Fault> {
    let mut snapshot = Snapshot::default();
    for line in lines {
        // The clock of the slowest: what one primary holds for alive stays in.
        let now = line.time(servers.until()).await?;
        snapshot.now = match snapshot.now.as_millis() {
            0 => now,
            _ => snapshot.now.min(now),
        };
        let tags: Vec<_> = line.primary().tags().collect();
        let (mut tags, mut at_once) = (&tags[..], BUCKETS_FIRST);
        while !tags.is_empty() {
            let (some, rest) = tags.split_at(at_once.min(tags.len()));
            let before = size(&snapshot);
            read_buckets(servers, line, some, now, &mut snapshot).await?;
            tags = rest;
            at_once = next_at_once(at_once, size(&snapshot) - before);
        }
    }
    Ok(snapshot)
}

fn size(snapshot: &Snapshot) -> usize {
    snapshot.revoked.len() + snapshot.users.len()
}

/// How many buckets are asked for next, after so many had so much in them: buckets are filled
/// alike, because handles and users are spread over them.
fn next_at_once(buckets: usize, found: usize) -> usize {
    let fitting = buckets.saturating_mul(ANSWER_MAX) / found.max(1);
    fitting.clamp(1, (2 * buckets).min(BUCKETS_MAX))
}

async fn read_buckets(
    servers: &Servers,
    line: &Line,
    tags: &[Tag],
    now: Timestamp,
    snapshot: &mut Snapshot,
) -> Result<(), Fault> {
    let (mut pipe, keys) = (Pipeline::new(), &servers.keys);
    for tag in tags {
        let mut stones = cmd("ZRANGEBYSCORE");
        stones.arg(keys.dead(*tag)).arg(live(now)).arg("+inf");
        pipe.add_command(stones.arg("WITHSCORES").take());
        pipe.add_command(cmd("HGETALL").arg(keys.users(*tag)).take());
    }
    let mut replies = line.send_all(&pipe, servers.until()).await?.into_iter();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_buckets_are_asked_for_as_can_be_answered_soon() {
        for (buckets, found, expected) in [
            (32, 0, 64),
            (32, 1_000, 64),
            (1024, 0, 1024),
            (64, 20_000, 64),
            (64, 40_000, 32),
            (32, 10_000_000, 1),
            (1, 10_000_000, 1),
        ] {
            assert_eq!(
                next_at_once(buckets, found),
                expected,
                "{found} in {buckets}"
            );
        }
    }
}
