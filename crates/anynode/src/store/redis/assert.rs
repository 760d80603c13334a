//! Revocations written again: to have them acknowledged by replicas, and after a fail-over.

pub(super) mod missing;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anynode_core::{Cause, Timestamp, Tombstone, UserEntry, UserId, near::Assertion};
use redis::{Cmd, Pipeline, Value, cmd};

use super::{
    fault::{Fault, Remedy},
    fence::{self, Said},
    keys::{Keys, Slot, Tag},
    link::{Link, jittered},
    reply::{self, Items},
    servers::Servers,
};
use crate::{
    clock::boot_time,
    store::{
        net::Address,
        planted::{Bug, with_bug},
    },
};

/// Connections on which revocations are written and waited for, and nothing else: a primary
/// lets a connection that waits for replicas wait, and whatever was sent on it after that.
#[derive(Default)]
pub(super) struct Asserter {
    lanes: Mutex<HashMap<Address, Arc<Lane>>>,
}

/// Some connections to one primary, taken in turn.
struct Lane {
    links: Vec<Link>,
    turn: AtomicUsize,
}

/// What came of writing revocations.
pub(super) struct Written {
    /// How many replicas have them.
    pub(super) acknowledged: usize,
    /// What the primary said of itself just after them.
    pub(super) said: Said,
    /// The tombstone that is there now, where one session was revoked.
    pub(super) tombstone: Option<Tombstone>,
}

/// How many revocations of one node wait for replicas at the same time, on one primary.
const LINKS: usize = 4;

/// How many revocations are written together.
pub(super) const TOGETHER_MAX: usize = 128;

/// How often the writing is tried: most faults are over when they are seen.
const TRIES_MAX: u32 = 8;

/// How long replicas are waited for at most.
const WAIT_MAX: Duration = Duration::from_secs(1);

const SESSION: &str = include_str!("assert/session.lua");
const USER: &str = include_str!("assert/user.lua");

/// What may be planted into them. A revocation is written twice where there are replicas.
const BUGS: &[Bug] = &[Bug {
    planted: "redis_revoke_only_deletes",
    good: "redis.call('ZADD', KEYS[3], string.format('%.0f', ends * 16 + cause), ARGV[1])",
    bad: "",
}];

// === impl Asserter ===

impl Asserter {
    /// Writes revocations of one primary and waits until `quorum` replicas have them, or part
    /// of the time until `until` has gone by.
    ///
    /// # Errors
    /// When they may not have been written.
    pub(super) async fn write(
        &self,
        servers: &Servers,
        assertions: &[Assertion],
        quorum: usize,
        until: Duration,
    ) -> Result<Written, Fault> {
        let mut attempt = 0;
        loop {
            let fault = match self.try_write(servers, assertions, quorum, until).await {
                Ok(written) => return Ok(written),
                Err(fault) => fault,
            };
            attempt += 1;
            let left = until.saturating_sub(boot_time());
            if fault.remedy() == Remedy::Tell || attempt >= TRIES_MAX || left.is_zero() {
                return Err(fault);
            }
            tokio::time::sleep(jittered(attempt).min(left)).await;
        }
    }

    async fn try_write(
        &self,
        servers: &Servers,
        assertions: &[Assertion],
        quorum: usize,
        until: Duration,
    ) -> Result<Written, Fault> {
        let Some(first) = assertions.first() else {
            return Err(Fault::Config("nothing to write"));
        };
        let primary = servers.topology.primary(slot(first), until).await?;
        let lane = self.lane(&primary, servers);
        let number = lane.turn.fetch_add(1, Ordering::Relaxed) % lane.links.len();
        let pipe = pipe(&servers.keys, assertions, quorum, until);
        let sent = lane.links[number].send_all(&pipe, until).await;
        let written = sent.and_then(|replies| read(first, assertions.len(), replies));
        if let Err(fault) = &written {
            match fault.remedy() {
                Remedy::Follow(slot, place) => servers.topology.follow(slot, &place, &primary),
                Remedy::Tell | Remedy::Wait => {}
                _ => {
                    servers.topology.distrust(Some(&primary));
                    self.leave_all();
                }
            }
        }
        written
    }

    /// Connects anew: at the same addresses may be other servers.
    pub(super) fn leave_all(&self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.clear();
    }

    fn lane(&self, primary: &Link, servers: &Servers) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        // Primaries come and go; those of now are made again when they are asked.
        if lanes.len() >= usize::from(Slot::COUNT) {
            lanes.clear();
        }
        let address = primary.address();
        let link = || Link::new(address.clone(), servers.setup.clone());
        let lane = || Lane {
            links: (0..LINKS).map(|_| link()).collect(),
            turn: AtomicUsize::new(0),
        };
        let lane = lanes
            .entry(address.clone())
            .or_insert_with(|| lane().into());
        lane.clone()
    }
}

impl fmt::Debug for Asserter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asserter")
    }
}

/// The slot that a revocation is written to.
pub(super) fn slot(assertion: &Assertion) -> Slot {
    tag(assertion).slot()
}

/// A revocation of a session as far as it is known when it was made: the primary knows the rest.
pub(super) fn unsettled(handle: anynode_core::Handle, cause: Cause) -> Assertion {
    let until = Timestamp::from_millis(0);
    Assertion::Session(Tombstone {
        handle,
        cause,
        until,
    })
}

fn tag(assertion: &Assertion) -> Tag {
    match assertion {
        Assertion::Session(stone) => Tag::of_handle(&stone.handle),
        Assertion::User(user, _) => Tag::of_user(user),
    }
}

fn pipe(keys: &Keys, assertions: &[Assertion], quorum: usize, until: Duration) -> Pipeline {
    let mut pipe = Pipeline::with_capacity(assertions.len() + 2);
    for assertion in assertions {
        pipe.add_command(match assertion {
            Assertion::Session(stone) => session_command(keys, stone),
            Assertion::User(user, entry) => user_command(keys, user, entry),
        });
    }
    // Half of what is left, so that the reply comes in time; never 0, which waits for ever.
    let patience = (until.saturating_sub(boot_time()) / 2).min(WAIT_MAX);
    let millis = patience.as_millis().max(1).to_string();
    pipe.add_command(cmd("WAIT").arg(quorum).arg(millis).take());
    pipe.add_command(fence::command());
    pipe
}

fn session_command(keys: &Keys, stone: &Tombstone) -> Cmd {
    let (handle, bucket) = (&stone.handle, Tag::of_handle(&stone.handle));
    cmd("EVAL")
        .arg(&*with_bug(SESSION, BUGS))
        .arg(5)
        .arg(keys.record(handle))
        .arg(keys.idle(bucket))
        .arg(keys.dead(bucket))
        .arg(keys.guard(bucket))
        .arg(proof(keys, bucket))
        .arg(handle.as_bytes())
        .arg(stone.cause.code())
        .arg(stone.until.as_millis())
        .arg(format!("{}r:{{{bucket}}}:{handle}:", keys.tracked()))
        .take()
}

fn user_command(keys: &Keys, user: &UserId, entry: &UserEntry) -> Cmd {
    let tag = Tag::of_user(user);
    let epoch = entry.epoch.as_micros();
    let (name, handle, from) = match &entry.spared {
        None => ("-".to_owned(), &[][..], 0),
        Some(spared) => {
            let handle = &spared.handle;
            (
                handle.to_string(),
                &handle.as_bytes()[..],
                spared.from.as_micros(),
            )
        }
    };
    let event = format!("{}u:{{{tag}}}:{epoch}:{name}:{from}:", keys.tracked());
    cmd("EVAL")
        .arg(USER)
        .arg(3)
        .arg(keys.users(tag))
        .arg(keys.guard(tag))
        .arg(proof(keys, tag))
        .arg(user.as_str())
        .arg(epoch)
        .arg(handle)
        .arg(from)
        .arg(event + user.as_str())
        .take()
}

/// A key that is written and removed so that there is a write.
fn proof(keys: &Keys, tag: Tag) -> String {
    format!("{}:w:{{{tag}}}", keys.prefix())
}

fn read(
    first: &Assertion,
    number: usize,
    replies: Vec<Result<Value, Fault>>,
) -> Result<Written, Fault> {
    let mut replies = replies.into_iter();
    let mut tombstone = None;
    for at in 0..number {
        let reply = replies.next().unwrap_or(Err(Fault::Lost))?;
        if let (0, Assertion::Session(stone)) = (at, first) {
            tombstone = Some(settled(stone, reply)?);
        }
    }
    let mut reply = || replies.next().unwrap_or(Err(Fault::Lost));
    let acknowledged = reply::number(reply()?)?;
    Ok(Written {
        acknowledged: usize::try_from(acknowledged).unwrap_or(usize::MAX),
        said: fence::read(reply()?)?,
        tombstone,
    })
}

/// The tombstone that the primary has now.
fn settled(stone: &Tombstone, reply: Value) -> Result<Tombstone, Fault> {
    let mut items = Items::of(reply)?;
    let cause = u8::try_from(items.number()?)
        .ok()
        .and_then(Cause::from_code);
    Ok(Tombstone {
        handle: stone.handle,
        cause: cause.unwrap_or(stone.cause),
        until: items.time()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_place() {
        for Bug { good, .. } in BUGS {
            assert_eq!(SESSION.matches(good).count(), 1, "{good}");
        }
    }
}
