//! What writes sessions: `create`, `replace` and `touch`.
//!
//! Where everything is on one server, one function does the whole of a write. In a cluster the
//! entry and the index of a user are on another primary than the record, and the order of the
//! steps is what keeps them right; each function here says why.

use std::{collections::BTreeMap, time::Duration};

use anynode_core::{
    Create, Draft, Epoch, Handle, Live, Replace, Timestamp, Touch, UserEntry, UserId, Version,
    expiry,
    store::{Error, ErrorKind, Kept, Result},
};

use super::{
    NAME,
    both::both,
    call::Call,
    fault::{Fault, Nature},
    keys::Tag,
    read::{self, Found, corrupt},
    record::{self, Encoded},
    reply::Items,
    servers::{Answer, Servers},
};

/// How many touches one call of a function takes.
const TOUCHES_MAX: usize = 256;

/// By which stamp a record is written.
enum Stamp {
    /// The epoch in the user's entry, which is read within the write.
    Read,
    /// The one that the record has, if it stays with its user and deadline.
    Keep,
    /// This one, read from the user's entry before.
    Given(Epoch),
}

/// What the primary of a record said to a replace.
enum Told {
    Written(Live),
    Conflict(Found),
    /// The user or the deadline changes, so that the user's primary has to be asked first.
    Bind(Found),
    Gone,
}

/// Inserts a record if its handle is free (L1).
///
/// In a cluster the user's primary comes first: it lists the session, so that no live session
/// is ever missing in a list, and answers the entry that the record is stamped by. A revocation
/// that comes between the two finds a session that is born dead, as if it had been created just
/// before; one that came earlier is in the stamp (L6).
pub(super) async fn create(servers: &Servers, draft: &Draft) -> Result<Create> {
    const VERB: &str = "create";
    let (draft, until) = (&record::rounded(draft), servers.until());
    let (stamp, entry) = match &draft.user {
        Some(user) if servers.topology.is_cluster() => {
            let entry = join(servers, VERB, user, draft, until).await?;
            (Stamp::Given(epoch(entry)), entry)
        }
        _ if servers.topology.is_cluster() => (Stamp::Given(Epoch::ZERO), None),
        _ => (Stamp::Read, None),
    };
    let call = write_call(servers, VERB, draft, &stamp, None);
    let answer = servers.call(VERB, &call, until).await?;
    let repeated = answer.repeated;
    let read = || -> Result<Option<Create>, Fault> {
        let mut items = Items::of(answer.value)?;
        Ok(match items.text()?.as_str() {
            "ok" => Some(Create::Created(written(draft, &mut items, entry)?)),
            "mine" => {
                let mut found = read::found_in(&draft.handle, &mut items)?;
                found.kept.user = found.kept.user.or(entry);
                Some(Create::Created(found.kept.live(found.now)))
            }
            // An earlier try may have created it, and someone else have written it since.
            _ if repeated => None,
            _ => Some(Create::Duplicate),
        })
    };
    read().map_err(unsure(VERB))?.ok_or_else(|| unknown(VERB))
}

/// Writes the draft over the version it was made from (L3, L4, L6).
pub(super) async fn replace(servers: &Servers, base: &Version, draft: &Draft) -> Result<Replace> {
    let (draft, until) = (&record::rounded(draft), servers.until());
    if servers.topology.is_cluster() {
        return replace_in_cluster(servers, base, draft, until).await;
    }
    let told = replace_at_record(servers, base, draft, &Stamp::Read, until).await?;
    match told {
        Told::Written(live) => Ok(Replace::Replaced(live)),
        Told::Conflict(found) => Ok(Replace::Conflict(found.kept.live(found.now))),
        Told::Gone => Ok(Replace::Gone),
        Told::Bind(_) => Err(corrupt("replace")(Fault::Corrupt(
            "the reply of the server",
        ))),
    }
}

/// A session that stays with its user takes one round trip: its record is written while the
/// entry is read. If the entry outdates the stamp that the record kept, the session was dead
/// before and is dead after, whatever was written into it.
async fn replace_in_cluster(
    servers: &Servers,
    base: &Version,
    draft: &Draft,
    until: Duration,
) -> Result<Replace> {
    const VERB: &str = "replace";
    let writing = replace_at_record(servers, base, draft, &Stamp::Keep, until);
    let reading = async {
        match &draft.user {
            Some(user) => Ok(read::entry(servers, VERB, user, until).await?.1),
            None => Ok(None),
        }
    };
    let (told, entry) = both(writing, reading).await;
    match told? {
        Told::Gone => Ok(Replace::Gone),
        Told::Conflict(found) => conflict(servers, found, until).await,
        Told::Bind(found) => rebind(servers, base, draft, found, until).await,
        Told::Written(mut live) => {
            // The write happened, so that not knowing the entry is not knowing the answer.
            live.user = entry.map_err(|_: Error| unknown(VERB))?;
            let handle = live.record.handle;
            match (&live.record.binding, live.user) {
                (Some(binding), user) => {
                    let entry = user.unwrap_or_default();
                    if !entry.admits(&handle, binding.stamp) {
                        return Ok(Replace::Gone);
                    }
                    if binding.stamp != entry.epoch {
                        return restamp(servers, draft, live, until).await;
                    }
                    Ok(Replace::Replaced(live))
                }
                (None, _) => Ok(Replace::Replaced(live)),
            }
        }
    }
}

/// Gives a session that was spared the epoch that spared it, over the version just written.
/// Who writes in between has a newer version, and that write's stamp holds.
async fn restamp(servers: &Servers, draft: &Draft, live: Live, until: Duration) -> Result<Replace> {
    let stamp = Stamp::Given(epoch(live.user));
    match replace_at_record(servers, &draft.version, draft, &stamp, until).await {
        Ok(Told::Written(stamped)) => {
            let user = live.user;
            Ok(Replace::Replaced(Live { user, ..stamped }))
        }
        // The write before this one was acknowledged, and the session lives by being spared.
        Ok(_) | Err(_) => Ok(Replace::Replaced(live)),
    }
}

/// The newer record, if its session is alive.
async fn conflict(servers: &Servers, mut found: Found, until: Duration) -> Result<Replace> {
    read::complete(servers, "replace", &mut found, until).await?;
    Ok(if found.kept.is_alive(found.now) {
        Replace::Conflict(found.kept.live(found.now))
    } else {
        Replace::Gone
    })
}

/// Binds a session to a user, moves it to another, frees it, or gives it a new deadline.
///
/// The binding it has is judged first, and again by the entry that stamps it where its user
/// stays; then the new user's primary lists it and answers the
/// entry, and the record is written last, if nobody wrote it meanwhile: then what was judged
/// still holds. As in [`create`], a revocation in between finds a session that is bound before
/// it and dead. The list of the old user is told at the end; what stays in it by a failure is
/// not bound to them any more and is not listed.
async fn rebind(
    servers: &Servers,
    base: &Version,
    draft: &Draft,
    mut found: Found,
    until: Duration,
) -> Result<Replace> {
    const VERB: &str = "replace";
    read::complete(servers, VERB, &mut found, until).await?;
    let entry = match &draft.user {
        Some(user) => join(servers, VERB, user, draft, until).await?,
        None => None,
    };
    // Judged by another entry than the one that stamps it, a session that stays with its user
    // would outlive a revocation that came in between.
    if found.kept.record.user() == draft.user.as_ref() {
        found.kept.user = entry;
    }
    if !found.kept.is_alive(found.now) {
        return Ok(Replace::Gone);
    }
    let stamp = Stamp::Given(epoch(entry));
    let told = replace_at_record(servers, base, draft, &stamp, until).await?;
    let live = match told {
        Told::Written(live) => live,
        Told::Conflict(found) => return conflict(servers, found, until).await,
        Told::Gone | Told::Bind(_) => return Ok(Replace::Gone),
    };
    let before = found.kept.record.user();
    if let Some(before) = before.filter(|before| Some(*before) != draft.user.as_ref()) {
        let call = leave_call(servers, before, &[draft.handle]);
        // The write happened; a stale member of the old user's index is not listed.
        let _ = servers.perform(&call, until).await;
    }
    Ok(Replace::Replaced(Live {
        user: entry,
        ..live
    }))
}

async fn replace_at_record(
    servers: &Servers,
    base: &Version,
    draft: &Draft,
    stamp: &Stamp,
    until: Duration,
) -> Result<Told> {
    const VERB: &str = "replace";
    let call = write_call(servers, VERB, draft, stamp, Some(base));
    let Answer { value, repeated } = servers.call(VERB, &call, until).await?;
    let read = || -> Result<Option<Told>, Fault> {
        let mut items = Items::of(value)?;
        Ok(match items.text()?.as_str() {
            "ok" => Some(Told::Written(written(draft, &mut items, None)?)),
            "mine" => {
                let found = read::found_in(&draft.handle, &mut items)?;
                Some(Told::Written(found.kept.live(found.now)))
            }
            "unreadable" => return Err(Fault::Corrupt("a record has an unknown format")),
            "gone" => Some(Told::Gone),
            "bind" => Some(Told::Bind(read::found_in(&draft.handle, &mut items)?)),
            // An earlier try may have been performed and overwritten: to rebase on the newer
            // record could do the same thing twice.
            _ if repeated => None,
            _ => Some(Told::Conflict(read::found_in(&draft.handle, &mut items)?)),
        })
    };
    read().map_err(unsure(VERB))?.ok_or_else(|| unknown(VERB))
}

/// Moves idle deadlines forward (L5).
pub(super) async fn touch(servers: &Servers, batch: &[Touch]) -> Result<()> {
    let mut buckets: BTreeMap<Tag, Vec<&Touch>> = BTreeMap::new();
    for touch in batch {
        let bucket = buckets.entry(Tag::of_handle(&touch.handle)).or_default();
        bucket.push(touch);
    }
    let mut calls = Vec::with_capacity(buckets.len());
    for (bucket, touches) in buckets {
        for touches in touches.chunks(TOUCHES_MAX) {
            let keys = [servers.keys.idle(bucket), servers.keys.guard(bucket)];
            let mut call = Call::new("touch", Nature::Write, bucket, &keys)
                .arg(servers.keys.prefix())
                .arg(bucket.to_string());
            for touch in touches {
                let age = (Timestamp::default() + touch.age).as_millis();
                call = call.arg(touch.handle.as_bytes()).arg(age);
            }
            calls.push(call);
        }
    }
    servers.call_all("touch", &calls, servers.until()).await?;
    Ok(())
}

/// Takes sessions out of the list of a user.
pub(super) fn leave_call(servers: &Servers, user: &UserId, handles: &[Handle]) -> Call {
    let (tag, keys) = (Tag::of_user(user), &servers.keys);
    let keys = [keys.users(tag), keys.sessions(user), keys.guard(tag)];
    let call = Call::new("leave", Nature::Write, tag, &keys).arg(user.as_str());
    handles
        .iter()
        .fold(call, |call, it| call.arg(it.as_bytes()))
}

async fn join(
    servers: &Servers,
    verb: &'static str,
    user: &UserId,
    draft: &Draft,
    until: Duration,
) -> Result<Option<UserEntry>> {
    let (tag, keys) = (Tag::of_user(user), &servers.keys);
    let keys = [keys.users(tag), keys.sessions(user), keys.guard(tag)];
    // A session that is listed and not there is not listed to anybody, so that to the caller
    // nothing happened when this fails.
    let call = Call::new("join", Nature::Read, tag, &keys)
        .arg(user.as_str())
        .arg(draft.handle.as_bytes())
        .arg(Encoded::of(draft).deadline);
    let answer = servers.call(verb, &call, until).await?;
    let (_, entry) = read::entry_in(answer.value).map_err(corrupt(verb))?;
    Ok(entry)
}

fn write_call(
    servers: &Servers,
    function: &'static str,
    draft: &Draft,
    stamp: &Stamp,
    base: Option<&Version>,
) -> Call {
    let (bucket, keys) = (Tag::of_handle(&draft.handle), &servers.keys);
    let mut keys = vec![
        keys.record(&draft.handle),
        keys.idle(bucket),
        keys.dead(bucket),
        keys.guard(bucket),
    ];
    if anynode_core::planted("redis_write_without_guard") {
        keys.truncate(3);
    }
    let encoded = Encoded::of(draft);
    let user = draft.user.as_ref();
    let tag = user.map_or_else(|| "---".to_owned(), |user| Tag::of_user(user).to_string());
    let stamp = match stamp {
        Stamp::Read => String::new(),
        Stamp::Keep => "keep".to_owned(),
        Stamp::Given(epoch) => epoch.as_micros().to_string(),
    };
    Call::new(function, Nature::Write, bucket, &keys)
        .arg(servers.keys.prefix())
        .arg(draft.handle.as_bytes())
        .arg(&encoded.version)
        .arg(&encoded.idle_timeout)
        .arg(encoded.deadline)
        .arg(tag)
        .arg(user.map_or("", UserId::as_str))
        .arg(encoded.body)
        .arg(stamp)
        .arg(base.map_or_else(Vec::new, |base| record::version(base).to_vec()))
        .marked_again()
}

/// The record that a write made of the draft: the time, the stamp and the entry it was by.
fn written(draft: &Draft, items: &mut Items, entry: Option<UserEntry>) -> Result<Live, Fault> {
    let now = items.time()?;
    let stamp = Epoch::from_micros(items.number()?);
    let entry = record::entry(&items.bytes()?)?.or(entry);
    let record = draft.settle(now, stamp);
    let kept = Kept {
        idle_deadline: expiry::idle_deadline(&record, now),
        record: record.into(),
        user: entry,
    };
    Ok(kept.live(now))
}

fn epoch(entry: Option<UserEntry>) -> Epoch {
    entry.map_or(Epoch::ZERO, |entry| entry.epoch)
}

/// An answer that cannot be read, to a write that was performed.
pub(super) fn unsure(verb: &'static str) -> impl Fn(Fault) -> Error {
    move |fault| fault.error(verb, Nature::Write, false)
}

/// An earlier try may have been performed, and what is there now does not tell.
fn unknown(verb: &'static str) -> Error {
    Error::new(ErrorKind::Indeterminate, NAME, verb)
        .with_detail("the connection broke during the write, and others wrote since")
}
