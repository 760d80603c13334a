//! What reads sessions: `load`, `list` and `scan`.

use anynode_core::{
    Handle, Item, Listing, Live, Page, Tombstone, UserEntry, UserId,
    store::{Error, Kept, Result},
};
use redis::Value;

use super::{
    call::Call,
    fault::{Fault, Nature},
    keys::Tag,
    record,
    reply::Items,
    servers::Servers,
};
use anynode_core::Timestamp;
use std::time::Duration;

/// A record as it is kept, with the time of the primary that answered.
pub(super) struct Found {
    pub(super) kept: Kept,
    pub(super) now: Timestamp,
}

/// How many buckets of a scan are read together at most, once the first were empty.
const BUCKETS_MAX: u16 = 256;

/// How many records are read together.
const RECORDS_MAX: usize = 64;

/// The record of a session while it is alive (L2).
pub(super) async fn load(servers: &Servers, handle: &Handle) -> Result<Option<Live>> {
    const VERB: &str = "load";
    let until = servers.until();
    let answer = servers
        .call(VERB, &load_call(servers, handle), until)
        .await?;
    let found = found(handle, answer.value).map_err(corrupt(VERB))?;
    let Some(mut found) = found else {
        return Ok(None);
    };
    complete(servers, VERB, &mut found, until).await?;
    let alive = found.kept.is_alive(found.now);
    Ok(alive.then(|| found.kept.live(found.now)))
}

pub(super) fn load_call(servers: &Servers, handle: &Handle) -> Call {
    let bucket = Tag::of_handle(handle);
    let keys = [servers.keys.record(handle), servers.keys.idle(bucket)];
    Call::new("load", Nature::Read, bucket, &keys)
        .arg(servers.keys.prefix())
        .arg(handle.as_bytes())
        .arg(servers.alone())
}

/// What a function answered of a record: a word, the time, the idle deadline, the record and
/// the entry of its user.
pub(super) fn found(handle: &Handle, reply: Value) -> Result<Option<Found>, Fault> {
    let mut items = Items::of(reply)?;
    if items.text()? == "none" {
        return Ok(None);
    }
    found_in(handle, &mut items).map(Some)
}

/// The same after the word.
pub(super) fn found_in(handle: &Handle, items: &mut Items) -> Result<Found, Fault> {
    let now = items.time()?;
    let idle_deadline = items.time()?;
    let record = record::decode(handle, &items.bytes()?)?;
    let user = record::entry(&items.bytes()?)?;
    Ok(Found {
        kept: Kept {
            record: record.into(),
            idle_deadline,
            user,
        },
        now,
    })
}

/// Adds the entry of the user, where it is on another primary than the record.
///
/// The record is read first. Whatever was revoked before the call began is then in the entry,
/// and an entry is never older than the stamp beside it: the other way round a session that was
/// stamped anew in between would look dead.
pub(super) async fn complete(
    servers: &Servers,
    verb: &'static str,
    found: &mut Found,
    until: Duration,
) -> Result<()> {
    if !servers.topology.is_cluster() {
        return Ok(());
    }
    if let Some(user) = found.kept.record.user() {
        let (_, entry) = entry(servers, verb, user, until).await?;
        found.kept.user = entry;
    }
    Ok(())
}

/// The entry of a user, and the time there.
pub(super) async fn entry(
    servers: &Servers,
    verb: &'static str,
    user: &UserId,
    until: Duration,
) -> Result<(Timestamp, Option<UserEntry>)> {
    let call = entry_call(servers, user);
    let answer = servers.call(verb, &call, until).await?;
    entry_in(answer.value).map_err(corrupt(verb))
}

pub(super) fn entry_call(servers: &Servers, user: &UserId) -> Call {
    let tag = Tag::of_user(user);
    Call::new("entry", Nature::Read, tag, &[servers.keys.users(tag)]).arg(user.as_str())
}

/// The time and the entry that a function answered.
pub(super) fn entry_in(reply: Value) -> Result<(Timestamp, Option<UserEntry>), Fault> {
    let mut items = Items::of(reply)?;
    Ok((items.time()?, record::entry(&items.bytes()?)?))
}

/// A page of the live sessions of a user (L7): their index, then the records it names, then
/// the user's entry.
pub(super) async fn list(servers: &Servers, user: &UserId, page: &Page) -> Result<Listing> {
    let (until, limit) = (servers.until(), page.limit());
    let (mut after, mut kept, mut now) = (page.after, Vec::new(), Timestamp::default());
    loop {
        // One more than the page, to know whether there is a next one.
        let wanted = (limit + 1).saturating_sub(kept.len());
        let handles = index(servers, user, after, wanted, until).await?;
        let is_last = handles.len() < wanted;
        after = handles.last().copied().or(after);
        for found in records(servers, &handles, until).await? {
            now = now.max(found.now);
            kept.push(found.kept);
        }
        // After the records, as in `complete`; and for the whole page, so that it is of one time.
        let (at, entry) = entry(servers, "list", user, until).await?;
        now = now.max(at);
        kept.retain_mut(|kept| {
            kept.user = entry;
            kept.record.user() == Some(user) && kept.is_alive(now)
        });
        if is_last || kept.len() > limit {
            break;
        }
    }
    let has_more = kept.len() > limit;
    kept.truncate(limit);
    let sessions: Vec<_> = kept.into_iter().map(|kept| kept.live(now)).collect();
    let next = sessions.last().map(|live| live.record.handle);
    Ok(Listing {
        next: next.filter(|_| has_more),
        sessions,
    })
}

async fn index(
    servers: &Servers,
    user: &UserId,
    after: Option<Handle>,
    limit: usize,
    until: Duration,
) -> Result<Vec<Handle>> {
    let tag = Tag::of_user(user);
    let keys = [servers.keys.sessions(user), servers.keys.guard(tag)];
    let call = Call::new("page", Nature::Read, tag, &keys)
        .arg(after.as_ref().map_or(&[][..], |after| after.as_bytes()))
        .arg(limit);
    let answer = servers.call("list", &call, until).await?;
    let read = || {
        let mut items = Items::of(answer.value)?;
        let mut handles = Vec::with_capacity(items.len());
        while items.len() > 0 {
            handles.push(items.handle()?);
        }
        Ok(handles)
    };
    read().map_err(corrupt("list"))
}

/// The records of these handles that are there, dead or alive.
async fn records(servers: &Servers, handles: &[Handle], until: Duration) -> Result<Vec<Found>> {
    let mut all = Vec::with_capacity(handles.len());
    for handles in handles.chunks(RECORDS_MAX) {
        let calls: Vec<_> = handles.iter().map(|it| load_call(servers, it)).collect();
        let replies = servers.call_all("list", &calls, until).await?;
        for (handle, reply) in handles.iter().zip(replies) {
            all.extend(found(handle, reply).map_err(corrupt("list"))?);
        }
    }
    Ok(all)
}

/// Everything that is kept, in the order of handles, which is that of the buckets.
pub(super) async fn scan(
    servers: &Servers,
    cursor: Option<&Handle>,
    limit: usize,
) -> Result<Vec<Item>> {
    let until = servers.until();
    let mut items = Vec::new();
    let mut bucket = cursor.map_or(0, |cursor| Tag::of_handle(cursor).number());
    let mut together = 1;
    while bucket < Tag::COUNT && items.len() < limit {
        let tags: Vec<_> = Tag::all_from(bucket).take(usize::from(together)).collect();
        bucket += together;
        // A store with few sessions has mostly empty buckets.
        together = (together * 2).min(BUCKETS_MAX);
        let mut names = names(servers, &tags, until).await?;
        names.retain(|name| cursor.is_none_or(|cursor| *cursor < name.handle()));
        names.sort_by_key(Name::handle);
        for names in names.chunks(RECORDS_MAX) {
            if items.len() >= limit {
                break;
            }
            let names = &names[..names.len().min(limit - items.len())];
            items.extend(described(servers, names, until).await?);
        }
    }
    Ok(items)
}

/// What a bucket says it keeps.
#[derive(Clone, Copy)]
enum Name {
    Record(Handle),
    Tombstone(Tombstone),
}

async fn names(servers: &Servers, tags: &[Tag], until: Duration) -> Result<Vec<Name>> {
    let calls: Vec<_> = tags
        .iter()
        .map(|tag| {
            let keys = [servers.keys.idle(*tag), servers.keys.dead(*tag)];
            Call::new("bucket", Nature::Read, *tag, &keys)
        })
        .collect();
    let mut names = Vec::new();
    for reply in servers.call_all("scan", &calls, until).await? {
        names.extend(names_in(reply).map_err(corrupt("scan"))?);
    }
    Ok(names)
}

fn names_in(reply: Value) -> Result<Vec<Name>, Fault> {
    let (mut names, mut lists) = (Vec::new(), Items::of(reply)?);
    let (mut idle, mut dead) = (lists.items()?, lists.items()?);
    while idle.len() > 0 {
        names.push(Name::Record(idle.handle()?));
        idle.value()?;
    }
    while dead.len() > 0 {
        let handle = dead.handle()?;
        names.push(Name::Tombstone(record::tombstone(handle, dead.number()?)?));
    }
    Ok(names)
}

/// Fetches the records. One that became a tombstone since its bucket was read is that.
async fn described(servers: &Servers, names: &[Name], until: Duration) -> Result<Vec<Item>> {
    let calls: Vec<_> = names
        .iter()
        .map(|name| item_call(servers, &name.handle()))
        .collect();
    let replies = servers.call_all("scan", &calls, until).await?;
    let mut items = Vec::with_capacity(names.len());
    for (name, reply) in names.iter().zip(replies) {
        items.extend(item_in(&name.handle(), reply).map_err(corrupt("scan"))?);
    }
    Ok(items)
}

fn item_call(servers: &Servers, handle: &Handle) -> Call {
    let (bucket, keys) = (Tag::of_handle(handle), &servers.keys);
    let keys = [keys.record(handle), keys.idle(bucket), keys.dead(bucket)];
    Call::new("item", Nature::Read, bucket, &keys).arg(handle.as_bytes())
}

fn item_in(handle: &Handle, reply: Value) -> Result<Option<Item>, Fault> {
    let mut items = Items::of(reply)?;
    match items.text()?.as_str() {
        "record" => {
            let found = found_in(handle, &mut items)?;
            Ok(Some(Item::Record(
                found.kept.record,
                found.kept.idle_deadline,
            )))
        }
        "tombstone" => {
            let tombstone = record::tombstone(*handle, items.number()?)?;
            Ok(Some(Item::Tombstone(tombstone)))
        }
        _ => Ok(None),
    }
}

/// What could not be read, as the error of a verb that reads.
pub(super) fn corrupt(verb: &'static str) -> impl Fn(Fault) -> Error {
    move |fault| fault.error(verb, Nature::Read, false)
}

// === impl Name ===

impl Name {
    fn handle(&self) -> Handle {
        match self {
            Self::Record(handle) => *handle,
            Self::Tombstone(tombstone) => tombstone.handle,
        }
    }
}
