//! What the servers are and what they can promise: the raw material of `anynode doctor`.

mod deposed;

use std::time::Duration;

use anynode_core::{
    ClockKind, Deposed, Durability, Facts, Note, Verdict,
    store::{Error, Result},
};
use redis::AsyncConnectionConfig;

use super::{
    NAME,
    about::About,
    fault::{Fault, Nature},
    link::Link,
    servers::Servers,
    topology::Topology,
    vigil::Vigil,
};
use crate::{clock::boot_time, store::net::Security};

const VERB: &str = "inspect";

/// What every primary says of itself.
struct Seen {
    primaries: Vec<About>,
    /// How many replicas sentinels know, those that are away included.
    watched: u64,
    strangers: Strangers,
}

/// Whether a server lets in who has no password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strangers {
    LetIn,
    Refused,
}

/// Looks at everything.
pub(super) async fn inspect(servers: &Servers) -> Result<Facts> {
    let until = servers.until();
    let seen = look(servers, until).await;
    let seen = seen.map_err(|fault| fault.error(VERB, Nature::Read, false))?;
    let deposed = deposed::bound(&servers.topology, &seen);
    Ok(Facts {
        store: NAME,
        version: seen
            .primaries
            .first()
            .map_or_else(String::new, About::version),
        clock: ClockKind::Store,
        durability: Durability::Asynchronous,
        deposed,
        notes: vec![
            version(&seen.primaries),
            transport(servers),
            authentication(servers, seen.strangers),
            eviction(&seen.primaries),
            persistence(&seen.primaries),
            replication(&servers.topology, &seen.primaries),
            deposed::note(deposed, &seen.primaries),
        ],
    })
}

/// How long a primary that was deposed may still answer.
///
/// # Errors
/// When nobody tells.
pub(super) async fn deposed(servers: &Servers, until: Duration) -> Result<Deposed, Fault> {
    let seen = Seen {
        primaries: about_all(servers, until, Detail::Settings).await?,
        watched: watched(servers, until).await?,
        strangers: Strangers::Refused,
    };
    Ok(deposed::bound(&servers.topology, &seen))
}

/// Adds what a revocation is worth on these servers at this time.
pub(super) async fn of_revocations(vigil: &Vigil, mut facts: Facts) -> Result<Facts> {
    let wanted = vigil.durability();
    if matches!(wanted, Durability::Asynchronous | Durability::Majority) {
        facts.durability = wanted;
        return Ok(facts);
    }
    let shortage = vigil.shortage().await;
    let shortage = shortage.map_err(|fault| fault.error(VERB, Nature::Read, false))?;
    let Some((connected, quorum)) = shortage else {
        facts.durability = wanted;
        facts.notes.push(note(
            "revocations",
            "replicas acknowledge them",
            Verdict::Safe,
        ));
        return Ok(facts);
    };
    facts.durability = wanted.with_replicas(connected, quorum);
    facts.notes.push(Note {
        point: "revocations",
        found: format!("{quorum} replicas have to acknowledge each, and {connected} are there"),
        verdict: Verdict::Unsafe {
            why: "no revocation is acknowledged: each is answered as indeterminate",
            change: "bring the replicas back, or say revoke=r0 in the URL where there are none",
        },
    });
    Ok(facts)
}

/// Refuses servers that sessions cannot be kept on.
///
/// # Errors
/// `Config`, or as the servers answer.
pub(super) async fn check(servers: &Servers, eviction: super::options::Eviction) -> Result<()> {
    let until = servers.until();
    let primaries = about_all(servers, until, Detail::Info).await;
    let primaries = primaries.map_err(|fault| fault.error("open", Nature::Read, false))?;
    for about in &primaries {
        refusal(servers, about, eviction).map_or(Ok(()), Err)?;
    }
    Ok(())
}

fn refusal(servers: &Servers, about: &About, eviction: super::options::Eviction) -> Option<Error> {
    use super::options::{Eviction, refused};
    if !about.is_new_enough() {
        return Some(refused("the server is older than Redis 7.0 or Valkey 7.2"));
    }
    if about.is_in_cluster() && !servers.topology.is_cluster() {
        return Some(refused(
            "the server is part of a cluster; use redis+cluster:",
        ));
    }
    let policy = about.eviction_policy();
    if eviction == Eviction::Refused && policy != "noeviction" {
        return Some(refused(
            "the server throws sessions and revocations away when its memory is full: set \
             maxmemory-policy noeviction, or say eviction=allowed in the URL",
        ));
    }
    None
}

/// How many replicas sentinels know.
async fn watched(servers: &Servers, until: Duration) -> Result<u64, Fault> {
    match &servers.topology {
        Topology::Sentinel(sentinel) => sentinel.replicas(until).await,
        Topology::Single(_) | Topology::Cluster(_) => Ok(0),
    }
}

async fn look(servers: &Servers, until: Duration) -> Result<Seen, Fault> {
    let primaries = about_all(servers, until, Detail::Settings).await?;
    let strangers = match servers.topology.primaries(until).await?.first() {
        Some(link) => strangers(servers, link, until).await,
        None => Strangers::Refused,
    };
    let watched = watched(servers, until).await?;
    Ok(Seen {
        primaries,
        watched,
        strangers,
    })
}

#[derive(Clone, Copy)]
enum Detail {
    Info,
    Settings,
}

async fn about_all(
    servers: &Servers,
    until: Duration,
    detail: Detail,
) -> Result<Vec<About>, Fault> {
    let mut all = Vec::new();
    for link in servers.topology.primaries(until).await? {
        all.push(match detail {
            Detail::Info => About::read(&link, until).await?,
            Detail::Settings => About::read_all(&link, until).await?,
        });
    }
    Ok(all)
}

/// Knocks without a password.
async fn strangers(servers: &Servers, link: &Link, until: Duration) -> Strangers {
    let limit = until.saturating_sub(boot_time());
    let anonymous = servers.setup.anonymous();
    let config = AsyncConnectionConfig::new();
    let Ok(connection) = anonymous.connect(link.address(), config, limit).await else {
        return Strangers::Refused;
    };
    match connection.send(&redis::cmd("PING"), until).await {
        Ok(_) => Strangers::LetIn,
        Err(_) => Strangers::Refused,
    }
}

fn version(primaries: &[About]) -> Note {
    let is_new = primaries.iter().all(About::is_new_enough);
    Note {
        point: "version",
        found: primaries.first().map_or_else(String::new, About::version),
        verdict: match is_new {
            true => Verdict::Safe,
            false => Verdict::Unsafe {
                why: "it has no functions, by which every rule holds at the moment of a write",
                change: "use Redis 7.0 or later, or Valkey",
            },
        },
    }
}

fn transport(servers: &Servers) -> Note {
    let (found, verdict) = match servers.setup.security() {
        Security::Tls(_) => ("TLS", Verdict::Safe),
        Security::PlainOnThisMachine => ("plain text, on this machine only", Verdict::Safe),
        Security::PlainAnywhere => (
            "plain text, allowed by name",
            Verdict::Unsafe {
                why: "whoever sees the network reads sessions and the password",
                change: "use a rediss: URL",
            },
        ),
    };
    note("transport", found, verdict)
}

fn authentication(servers: &Servers, strangers: Strangers) -> Note {
    let is_local = matches!(servers.setup.security(), Security::PlainOnThisMachine);
    let (why, change) = (
        "who reaches the server reads, makes and ends sessions",
        "give it an ACL user with a password, and turn the default user off",
    );
    let (found, verdict) = match (strangers, is_local) {
        (Strangers::Refused, _) => ("a password is needed", Verdict::Safe),
        (Strangers::LetIn, true) => (
            "none, on this machine only",
            Verdict::Caution { why, change },
        ),
        (Strangers::LetIn, false) => ("none", Verdict::Unsafe { why, change }),
    };
    note("authentication", found, verdict)
}

fn eviction(primaries: &[About]) -> Note {
    let evicting = primaries
        .iter()
        .find(|about| about.eviction_policy() != "noeviction");
    let verdict = match evicting {
        None => Verdict::Safe,
        Some(_) => Verdict::Unsafe {
            why: "when memory is full, sessions are lost and revoked ones may come back",
            change: "CONFIG SET maxmemory-policy noeviction",
        },
    };
    let found = evicting.map_or("noeviction", About::eviction_policy);
    note("eviction policy", found, verdict)
}

fn persistence(primaries: &[About]) -> Note {
    let appends = |about: &About| about.text("aof_enabled") == "1";
    let saves = |about: &About| !matches!(about.setting("save"), "");
    let (found, verdict) = if primaries.iter().all(appends) {
        let always = primaries
            .iter()
            .all(|about| about.setting("appendfsync") == "always");
        match always {
            true => ("append-only file, synced with each write", Verdict::Safe),
            false => (
                "append-only file, synced about once a second",
                Verdict::Caution {
                    why: "a power failure takes back the writes of the last second",
                    change: "CONFIG SET appendfsync always, or have replicas and revoke=r1",
                },
            ),
        }
    } else if primaries.iter().all(|about| appends(about) || saves(about)) {
        (
            "snapshots",
            Verdict::Unsafe {
                why: "a restart goes back by minutes, and sessions revoked since then are alive \
                      again",
                change: "CONFIG SET appendonly yes",
            },
        )
    } else {
        (
            "none that is told",
            Verdict::Caution {
                why: "a restart ends every session and forgets every revocation",
                change: "CONFIG SET appendonly yes",
            },
        )
    };
    note("persistence", found, verdict)
}

fn replication(topology: &Topology, primaries: &[About]) -> Note {
    let replicas = |about: &About| about.number("connected_slaves");
    let least = primaries.iter().map(replicas).min().unwrap_or(0);
    let found = match topology {
        Topology::Single(_) => format!("one server, {least} replicas"),
        Topology::Sentinel(_) => format!("sentinels, {least} replicas of the primary"),
        Topology::Cluster(_) => format!(
            "a cluster of {} primaries, at least {least} replicas each",
            primaries.len()
        ),
    };
    let verdict = match (topology, least) {
        (Topology::Single(_), _) | (_, 1..) => Verdict::Safe,
        (_, 0) => Verdict::Caution {
            why: "a primary that is lost is replaced by none, and its sessions are lost with it",
            change: "give every primary a replica",
        },
    };
    Note {
        point: "replication",
        found,
        verdict,
    }
}

fn note(point: &'static str, found: &str, verdict: Verdict) -> Note {
    Note {
        point,
        found: found.to_owned(),
        verdict,
    }
}
