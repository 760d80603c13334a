//! What ends sessions: one of them, or all of a user.

use std::time::Duration;

use anynode_core::{
    Cause, Effect, Epoch, Handle, Revoke, Target, Timestamp, Tombstone, UserId, store::Result,
};

use super::{
    call::Call,
    fault::{Fault, Nature},
    keys::Tag,
    read, record,
    reply::Items,
    servers::Servers,
    write,
};
use crate::random;

const VERB: &str = "revoke";

/// What a revocation did, and when by the clock of the primary that did it.
pub(super) struct Ended {
    pub(super) at: Timestamp,
    pub(super) effect: Effect,
    /// The tombstone that lies there now, whether this revocation put it there or an earlier
    /// one, where one session was to be ended.
    pub(super) tombstone: Option<Tombstone>,
}

/// Ends sessions for good (L4, L6).
pub(super) async fn revoke(servers: &Servers, revoke: &Revoke) -> Result<Ended> {
    let until = servers.until();
    match &revoke.target {
        Target::Session(handle) => end(servers, handle, None, revoke.cause, until).await,
        Target::SessionOf(user, handle) => {
            end(servers, handle, Some(user), revoke.cause, until).await
        }
        Target::User(user) => outdate(servers, user, None, until).await,
        Target::UserExcept(user, spared) => outdate(servers, user, Some(spared), until).await,
    }
}

/// The call that ends one session, of this owner only if there is one.
pub(super) fn end_call(
    servers: &Servers,
    handle: &Handle,
    owner: Option<&UserId>,
    cause: Cause,
) -> Call {
    let (bucket, keys) = (Tag::of_handle(handle), &servers.keys);
    let keys = [
        keys.record(handle),
        keys.idle(bucket),
        keys.dead(bucket),
        keys.guard(bucket),
    ];
    Call::new("revoke", Nature::Write, bucket, &keys)
        .arg(servers.keys.prefix())
        .arg(handle.as_bytes())
        .arg(bucket.to_string())
        .arg(cause.code())
        .arg(owner.map_or("", UserId::as_str))
        .arg(servers.alone())
}

/// The call that ends all sessions of a user but perhaps one.
pub(super) fn outdate_call(servers: &Servers, user: &UserId, spared: Option<&Handle>) -> Call {
    let tag = Tag::of_user(user);
    let keys = &servers.keys;
    let once = keys.once(tag, random::number());
    let keys = [keys.users(tag), keys.guard(tag), once];
    Call::new("outdate", Nature::Write, tag, &keys)
        .arg(servers.keys.prefix())
        .arg(tag.to_string())
        .arg(user.as_str())
        .arg(spared.map_or(&[][..], |spared| spared.as_bytes()))
}

async fn end(
    servers: &Servers,
    handle: &Handle,
    owner: Option<&UserId>,
    cause: Cause,
    until: Duration,
) -> Result<Ended> {
    let call = end_call(servers, handle, owner, cause);
    let answer = servers.call(VERB, &call, until).await?;
    let told = Told::read(handle, answer.value).map_err(write::unsure(VERB))?;
    let mut is_ended = told.is_ended;
    if let Some(user) = told.user.filter(|_| servers.topology.is_cluster()) {
        // The session is over whatever comes of this: only its place in the list of its user
        // is left, and the question whether that user's entry had ended it before.
        let call = write::leave_call(servers, &user, &[*handle]);
        if let Ok(answer) = servers.perform(&call, until).await {
            let entry = read::entry_in(answer.value);
            let (_, entry) = entry.map_err(write::unsure(VERB))?;
            is_ended &= entry.unwrap_or_default().admits(handle, told.stamp);
        }
    }
    let effect = if is_ended {
        Effect::Session
    } else {
        Effect::Nothing
    };
    Ok(Ended {
        at: told.at,
        effect,
        tombstone: told.tombstone,
    })
}

async fn outdate(
    servers: &Servers,
    user: &UserId,
    spared: Option<&Handle>,
    until: Duration,
) -> Result<Ended> {
    let call = outdate_call(servers, user, spared);
    let answer = servers.call(VERB, &call, until).await?;
    let (at, entry) = read::entry_in(answer.value).map_err(write::unsure(VERB))?;
    let entry = entry.ok_or(Fault::Malformed);
    Ok(Ended {
        at,
        effect: Effect::User(entry.map_err(write::unsure(VERB))?),
        tombstone: None,
    })
}

/// What the primary of the record says.
struct Told {
    is_ended: bool,
    at: Timestamp,
    user: Option<UserId>,
    stamp: Epoch,
    tombstone: Option<Tombstone>,
}

// === impl Told ===

impl Told {
    fn read(handle: &Handle, reply: redis::Value) -> Result<Self, Fault> {
        let mut items = Items::of(reply)?;
        let word = items.text()?;
        if word == "unreadable" {
            return Err(Fault::Corrupt("a record has an unknown format"));
        }
        let at = items.time()?;
        items.bytes()?;
        let user = items.text()?;
        let stamp = Epoch::from_micros(items.number()?);
        let cause = u8::try_from(items.number()?).ok();
        let cause = cause.and_then(Cause::from_code);
        let until = items.time()?;
        let lies = cause.filter(|_| until > at).map(|cause| Tombstone {
            handle: *handle,
            cause,
            until,
        });
        Ok(Self {
            is_ended: word == "ended",
            at,
            user: record::user(&user)?,
            stamp,
            tombstone: lies,
        })
    }
}
