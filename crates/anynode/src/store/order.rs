//! Does the invalidation channel of a store keep its order? Tried on the running store.
//!
//! Servers and proxies that speak the right protocol may still break the one promise a near
//! cache lives on: that no write acknowledged before a barrier is told after it (L12).

use std::{collections::HashSet, time::Duration};

use anynode_core::{
    Cause, Channel, Create, Device, Draft, Event, Handle, Kind, Live, Moment, NodeId, Note,
    Payload, Replace, Revoke, SecretHash, Store, Touch, UserId, Verdict, Version,
    store::{Error, ErrorKind, Result},
};
use tokio::time::{sleep, timeout};

use crate::{clock::boot_time, random};

/// How often each promise is tried.
const ROUNDS: usize = 16;

/// How often before a near cache is used: what breaks the order does so at once.
const ROUNDS_BEFORE: usize = 2;

/// Sessions that are written at once in each round.
const WIDTH: usize = 4;

/// What is tried with ends by itself after this long, should nobody revoke it.
const LIFE: Duration = Duration::from_secs(60);

/// How long an event is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a lost channel is left alone before another is opened.
const PAUSE: Duration = Duration::from_millis(200);

/// Tries the order of the store's channel, and says what was found.
///
/// Writes 64 sessions of nobody that end within a minute, ends all sessions of a user that nobody
/// is (`anynode-doctor`), and registers a node that leaves at the end: no session of
/// anybody is read or changed. That the order held so often proves nothing, but servers and
/// proxies that break it do so at once.
///
/// A channel that is lost meanwhile breaks no promise, since that is told: the trial begins
/// anew, for up to 5 s. Members of a cluster that was just made still find out who is a primary.
pub async fn check_order(store: &dyn Store) -> Note {
    let until = boot_time() + PATIENCE;
    let node = NodeId::new(format!("doctor-{:016x}", random::number()))
        .expect("letters, digits and a hyphen");
    let outcome = loop {
        let outcome = Trial::run(store, &node, ROUNDS).await;
        if outcome.is_ok() || boot_time() >= until {
            break outcome;
        }
        sleep(PAUSE).await;
    };
    // Or receipts wait for it, 20 s long on Redis.
    let _ = store.leave(&node).await;
    let (found, verdict) = match outcome {
        Ok(trial) => trial.judged(),
        Err(error) if error.verb() == "watch" => (format!("it does not work: {error}"), BROKEN),
        Err(error) => (format!("not tried: {error}"), UNTRIED),
    };
    Note {
        point: "channel order",
        found,
        verdict,
    }
}

/// As [`check_order`], in brief and as this node: what the channel broke, if it broke anything.
///
/// # Errors
/// When it could not be tried.
pub(crate) async fn broken_order(store: &dyn Store, node: &NodeId) -> Result<Option<String>> {
    let trial = Trial::run(store, node, ROUNDS_BEFORE).await?;
    Ok((trial.late > 0).then(|| trial.judged().0))
}

const BROKEN: Verdict = Verdict::Unsafe {
    why: "a node would go on trusting a copy of a session that was changed or revoked",
    change: "connect to the server itself, without a proxy in between, and to a supported version",
};

/// What the store does not do says nothing of its channel.
const UNTRIED: Verdict = Verdict::Unsafe {
    why: "nobody knows whether a node would go on trusting a copy of a session that was changed",
    change: "have the store take writes, then run the doctor again",
};

/// What was seen.
#[derive(Debug, Default)]
struct Trial {
    /// Writes that had to be told before a barrier.
    owed: usize,
    /// Those among them that were not.
    late: usize,
    /// Uses of sessions that were told, which would make every request an event for every node.
    touches_told: usize,
    revocations: Revocations,
}

/// Whether revocations are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Revocations {
    #[default]
    Tried,
    /// The store acknowledged one as less than it promises. It would take its time for each.
    NotAcknowledged,
}

/// What was told before a barrier passed.
#[derive(Debug, Default)]
struct Told {
    changed: HashSet<Handle>,
    revoked: HashSet<Handle>,
    /// All sessions of the user that nobody is.
    nobody: bool,
    everything: bool,
}

impl Trial {
    async fn run(store: &dyn Store, node: &NodeId, rounds: usize) -> Result<Self> {
        let mut channel = store.watch(node).await?;
        let mut trial = Self::default();
        for _ in 0..rounds {
            trial.round(store, channel.as_mut()).await?;
        }
        Ok(trial)
    }

    async fn round(&mut self, store: &dyn Store, channel: &mut dyn Channel) -> Result<()> {
        let mut sessions = Vec::new();
        for _ in 0..WIDTH {
            sessions.push(created(store).await?);
        }
        let handles: Vec<_> = sessions.iter().map(|live| live.record.handle).collect();
        until_passed(channel).await?;

        let touches: Vec<_> = handles.iter().map(|&handle| touch(handle)).collect();
        store.touch(&touches).await?;
        let told = until_passed(channel).await?;
        let is_told = |handle: &&Handle| told.changed.contains(handle);
        self.touches_told += handles.iter().filter(is_told).count();

        for live in &sessions {
            replaced(store, live).await?;
        }
        let told = until_passed(channel).await?;
        self.count(&handles, &told.changed, told.everything);

        if self.revocations == Revocations::Tried {
            self.revocations = revoked(store, &handles).await?;
        }
        let told = until_passed(channel).await?;
        if self.revocations == Revocations::Tried {
            self.count(&handles, &told.revoked, told.everything);
            self.owed += 1;
            self.late += usize::from(!told.nobody && !told.everything);
        }
        Ok(())
    }

    fn count(&mut self, owed: &[Handle], told: &HashSet<Handle>, everything: bool) {
        self.owed += owed.len();
        if !everything {
            self.late += owed.iter().filter(|handle| !told.contains(handle)).count();
        }
    }

    fn judged(&self) -> (String, Verdict) {
        let Self { owed, late, .. } = self;
        if *late > 0 {
            let found = format!("{late} of {owed} writes were told after a barrier, or never");
            return (found, BROKEN);
        }
        if self.touches_told > 0 {
            let verdict = Verdict::Caution {
                why: "every use of a session is told to every node, which costs the store more \
                      with each of them",
                change: "report it: the supported versions do not do this",
            };
            let touches = self.touches_told;
            return (
                format!("{touches} mere uses of sessions were told"),
                verdict,
            );
        }
        let found = format!("{owed} of {owed} writes were told before the barrier after them");
        if self.revocations == Revocations::NotAcknowledged {
            let verdict = Verdict::Caution {
                why: "the store acknowledged no revocation, so that none was tried",
                change: "mend what it says of revocations, then run the doctor again",
            };
            return (found, verdict);
        }
        (found, Verdict::Safe)
    }
}

/// Begins a barrier and reads until it has passed.
async fn until_passed(channel: &mut dyn Channel) -> Result<Told> {
    let reading = async {
        let barrier = channel.barrier().await?;
        let mut told = Told::default();
        loop {
            match channel.next().await? {
                Event::Changed(handle) => {
                    told.changed.insert(handle);
                }
                Event::Revoked(tombstone) => {
                    told.revoked.insert(tombstone.handle);
                }
                Event::User(user, _) => told.nobody |= user == nobody(),
                // Whoever has no copies knows of every revocation.
                Event::Roll(roll) => channel.answer(roll).await?,
                Event::Flush => told.everything = true,
                Event::Passed(id, _) if id == barrier => return Ok(told),
                Event::Passed(..) => {}
            }
        }
    };
    timeout(PATIENCE, reading)
        .await
        .unwrap_or_else(|_| Err(failed("a barrier did not pass within 5 s")))
}

async fn created(store: &dyn Store) -> Result<Live> {
    let id = random::session_id();
    let draft = Draft {
        handle: id.handle(),
        kind: Kind::Session,
        // Nothing opens it: no secret has this hash.
        secret: SecretHash::from_bytes([0; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(random::write_id()),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: LIFE,
        deadline: Moment::After(LIFE),
        payload: Payload::new([]),
        device: Device::default(),
    };
    match store.create(&draft).await? {
        Create::Created(live) => Ok(live),
        Create::Duplicate => Err(failed("a new session was called a duplicate")),
    }
}

async fn replaced(store: &dyn Store, live: &Live) -> Result<()> {
    let base = live.record.version;
    let draft = live.record.draft(base.next(random::write_id()));
    match store.replace(&base, &draft).await? {
        Replace::Replaced(_) => Ok(()),
        Replace::Conflict(_) | Replace::Gone => Err(failed(
            "a session that nobody else knows was changed or ended",
        )),
    }
}

async fn revoked(store: &dyn Store, handles: &[Handle]) -> Result<Revocations> {
    let sessions = handles
        .iter()
        .map(|&handle| Revoke::session(handle, Cause::Admin));
    let all = sessions.chain([Revoke::user(nobody(), Cause::Admin)]);
    for revoke in all {
        match store.revoke(&revoke).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Indeterminate => {
                return Ok(Revocations::NotAcknowledged);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Revocations::Tried)
}

/// Whose sessions are ended for the trial: nobody logs in under this name.
fn nobody() -> UserId {
    UserId::new("anynode-doctor").expect("a name")
}

fn touch(handle: Handle) -> Touch {
    Touch {
        handle,
        age: Duration::ZERO,
    }
}

fn failed(detail: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, "store", "watch").with_detail(detail)
}
