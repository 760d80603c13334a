//! Reclaims what is dead, in bounded steps.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU16, AtomicU64, Ordering},
    time::Duration,
};

use anynode_core::{Handle, Swept, UserEntry, UserId, store::Result};
use redis::Value;

use super::{
    call::Call,
    fault::{Fault, Nature},
    keys::Tag,
    read::{self, corrupt},
    record::{self, Judged},
    reply::Items,
    servers::Servers,
    write,
};

/// Where the next sweep of this node begins, so that every bucket has its turn however small
/// the limit.
#[derive(Debug, Default)]
pub(super) struct Turn {
    bucket: AtomicU16,
    users: AtomicU16,
    users_cursor: AtomicU64,
}

const VERB: &str = "sweep";

/// The most items of one call of `sweep`.
const LIMIT_MAX: usize = 1_000;

/// How many items are removed together. They hold up the other clients of the server, for some
/// tenths of a millisecond.
const TOGETHER_MAX: usize = 16;

/// How many buckets of one server a function counts at once, which takes as long.
const BUCKETS_COUNTED: u16 = 32;

/// A bucket, and how many of its items are to be looked at.
#[derive(Clone, Copy)]
struct Share {
    bucket: Tag,
    items: usize,
}

/// Removes up to `limit` dead items (L8).
pub(super) async fn sweep(servers: &Servers, turn: &Turn, limit: usize) -> Result<Swept> {
    let (until, limit) = (servers.until(), limit.clamp(1, LIMIT_MAX));
    let first = turn.bucket.load(Ordering::Relaxed) % Tag::COUNT;
    let (mut removed, mut left) = (0, limit);
    let order: Vec<_> = Tag::all_from(first)
        .chain(Tag::all_from(0).take(usize::from(first)))
        .collect();
    for buckets in order.chunks(usize::from(BUCKETS_COUNTED)) {
        let mut shares = Vec::new();
        for mut share in due(servers, buckets, until).await? {
            share.items = share.items.min(left);
            left -= share.items;
            if share.items > 0 {
                shares.push(share);
                turn.bucket.store(share.bucket.number(), Ordering::Relaxed);
            }
        }
        for shares in batches(shares) {
            removed += sweep_shares(servers, &shares, until).await?;
        }
        if left == 0 {
            // What cannot be read is due for ever and stays, so that only what was removed
            // says that there may be more.
            let more = removed > 0;
            return Ok(Swept { removed, more });
        }
    }
    removed += tidy(servers, turn, until).await?.min(left);
    Ok(Swept {
        removed,
        more: false,
    })
}

/// Which of these buckets have something to do.
async fn due(servers: &Servers, buckets: &[Tag], until: Duration) -> Result<Vec<Share>> {
    let call = |first: Tag, count: usize, keys: &[String]| {
        Call::new("due", Nature::Read, first, keys)
            .arg(servers.keys.prefix())
            .arg(first.number())
            .arg(count)
    };
    let calls: Vec<_> = if servers.topology.is_cluster() {
        let keys = |tag: Tag| [servers.keys.idle(tag), servers.keys.dead(tag)];
        let one = |tag: &Tag| call(*tag, 1, &keys(*tag));
        buckets.iter().map(one).collect()
    } else {
        runs(buckets)
            .map(|run| call(run[0], run.len(), &[]))
            .collect()
    };
    let mut shares = Vec::new();
    for reply in servers.call_all(VERB, &calls, until).await? {
        shares.extend(shares_in(reply).map_err(corrupt(VERB))?);
    }
    Ok(shares)
}

/// The parts whose numbers follow each other: all of them, or two where the turn starts over.
fn runs(buckets: &[Tag]) -> impl Iterator<Item = &[Tag]> {
    buckets.chunk_by(|one, next| one.number() + 1 == next.number())
}

fn shares_in(reply: Value) -> Result<Vec<Share>, Fault> {
    let (mut shares, mut items) = (Vec::new(), Items::of(reply)?);
    while items.len() > 0 {
        let bucket = u16::try_from(items.number()?).ok().and_then(Tag::new);
        let bucket = bucket.ok_or(Fault::Corrupt("the number of a bucket"))?;
        let items = usize::try_from(items.number()?).unwrap_or(usize::MAX);
        shares.push(Share { bucket, items });
    }
    Ok(shares)
}

/// The shares in groups of few items, each of which is sent when the one before was answered:
/// between two of them the server turns to its other clients.
fn batches(shares: Vec<Share>) -> Vec<Vec<Share>> {
    let (mut batches, mut batch, mut room) = (Vec::new(), Vec::new(), TOGETHER_MAX);
    for mut share in shares {
        while share.items > 0 {
            let items = share.items.min(room);
            let bucket = share.bucket;
            batch.push(Share { bucket, items });
            (share.items, room) = (share.items - items, room - items);
            if room == 0 {
                batches.push(std::mem::take(&mut batch));
                room = TOGETHER_MAX;
            }
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

async fn sweep_shares(servers: &Servers, shares: &[Share], until: Duration) -> Result<usize> {
    let calls: Vec<_> = shares
        .iter()
        .map(|share| {
            bucket_call(servers, "sweep", share.bucket)
                .arg(share.items)
                .arg(servers.alone())
        })
        .collect();
    let mut removed = 0;
    let mut waiting = Vec::new();
    for reply in servers.call_all(VERB, &calls, until).await? {
        let (some, more) = swept_in(reply).map_err(corrupt(VERB))?;
        removed += some;
        waiting.extend(more);
    }
    if !waiting.is_empty() {
        removed += judge(servers, &waiting, until).await?;
    }
    Ok(removed)
}

/// How many items a bucket lost, and the bound ones that are to be judged by the entries of
/// their users, which are elsewhere.
fn swept_in(reply: Value) -> Result<(usize, Vec<Judged>), Fault> {
    let mut items = Items::of(reply)?;
    let removed = usize::try_from(items.number()?).unwrap_or(usize::MAX);
    let (mut waiting, mut found) = (items.items()?, Vec::new());
    while waiting.len() > 0 {
        let handle = waiting.handle()?;
        found.push(record::judged(handle, &waiting.bytes()?)?);
    }
    Ok((removed, found))
}

/// Removes idle sessions of users, and puts tombstones in the place of those that were revoked
/// with all of their user's: such a handle could be created anew and bear a stamp that is good.
///
/// The session was idle when its user's entry was read, and nothing but a use of a living
/// session changes that: a revocation that comes later ends nothing.
async fn judge(servers: &Servers, waiting: &[Judged], until: Duration) -> Result<usize> {
    let mut users: HashMap<&UserId, Vec<Handle>> = HashMap::new();
    for one in waiting {
        users.entry(&one.user).or_default().push(one.handle);
    }
    let users: Vec<_> = users.into_iter().collect();
    let calls: Vec<_> = users
        .iter()
        .map(|(user, handles)| write::leave_call(servers, user, handles))
        .collect();
    let mut entries: HashMap<&UserId, UserEntry> = HashMap::new();
    let replies = servers.call_all(VERB, &calls, until).await?;
    for ((user, _), reply) in users.iter().zip(replies) {
        let (_, entry) = read::entry_in(reply).map_err(corrupt(VERB))?;
        entries.insert(user, entry.unwrap_or_default());
    }
    let mut buckets: BTreeMap<Tag, Call> = BTreeMap::new();
    for one in waiting {
        let bucket = Tag::of_handle(&one.handle);
        let entry = entries.get(&one.user).copied().unwrap_or_default();
        let act = match entry.admits(&one.handle, one.stamp) {
            true => "drop",
            false => "bury",
        };
        let call = buckets
            .remove(&bucket)
            .unwrap_or_else(|| bucket_call(servers, "reap", bucket));
        let call = call.arg(one.handle.as_bytes()).arg(&one.version).arg(act);
        buckets.insert(bucket, call);
    }
    let calls: Vec<_> = buckets.into_values().collect();
    let mut removed = 0;
    for reply in servers.call_all(VERB, &calls, until).await? {
        removed += Items::of(reply).map_err(corrupt(VERB))?.len();
    }
    Ok(removed)
}

/// Removes user entries past their end, some of one bucket: they are few and live for more
/// than a year, so that a slow round over all buckets is enough.
async fn tidy(servers: &Servers, turn: &Turn, until: Duration) -> Result<usize> {
    let number = turn.users.load(Ordering::Relaxed) % Tag::COUNT;
    let tag = Tag::new(number).expect("below the count");
    let keys = [servers.keys.users(tag), servers.keys.guard(tag)];
    let cursor = turn.users_cursor.load(Ordering::Relaxed);
    let call = Call::new("tidy", Nature::Read, tag, &keys).arg(cursor);
    let answer = servers.call(VERB, &call, until).await?;
    let read = || -> Result<(u64, u64), Fault> {
        let mut items = Items::of(answer.value)?;
        Ok((items.number()?, items.number()?))
    };
    let (cursor, removed) = read().map_err(corrupt(VERB))?;
    turn.users_cursor.store(cursor, Ordering::Relaxed);
    if cursor == 0 {
        turn.users.store(number + 1, Ordering::Relaxed);
    }
    Ok(usize::try_from(removed).unwrap_or(usize::MAX))
}

fn bucket_call(servers: &Servers, function: &'static str, bucket: Tag) -> Call {
    let keys = [
        servers.keys.idle(bucket),
        servers.keys.dead(bucket),
        servers.keys.guard(bucket),
    ];
    Call::new(function, Nature::Read, bucket, &keys)
        .arg(servers.keys.prefix())
        .arg(bucket.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_split_and_joined_to_batches() {
        let shares = [3, 40, 2].map(|items| Share {
            bucket: Tag::all_from(7).next().expect("there are more"),
            items,
        });
        let batches = batches(shares.to_vec());
        let sizes = batches
            .iter()
            .map(|batch| batch.iter().map(|share| share.items).collect());
        let sizes: Vec<Vec<_>> = sizes.collect();
        assert_eq!(sizes, [vec![3, 13], vec![16], vec![11, 2]]);
    }

    #[test]
    fn a_turn_that_starts_over_has_two_runs() {
        let order: Vec<_> = Tag::all_from(4_090)
            .chain(Tag::all_from(0).take(3))
            .collect();
        let lengths: Vec<_> = runs(&order).map(<[Tag]>::len).collect();
        assert_eq!(lengths, [6, 3]);
    }
}
