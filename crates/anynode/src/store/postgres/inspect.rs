//! What the server is and what it can promise: the raw material of `anynode doctor`.

use std::sync::Arc;

use anynode_core::{
    ClockKind, Deposed, Facts, Note, Verdict,
    store::{Authority, Standbys},
};
use tokio_postgres::Row;

use super::{
    Inner, NAME,
    fault::{Act, Fault},
    fence, row, upkeep,
    write::disk,
};
use crate::store::net::Security;

/// The oldest version whose snapshots the channel can read.
const VERSION_MIN: i32 = 130_000;

/// Looks at everything that a role without special rights may see.
pub(super) async fn inspect(inner: &Arc<Inner>) -> Result<Facts, Fault> {
    let rows = inner
        .reads
        .call(inner.until(), Act::Read, &upkeep::FACTS, &[]);
    let rows = rows.await?;
    let row = rows.first().ok_or(Fault::Corrupt("facts"))?;
    let on_disk = flag(row, 2)?;
    let standbys = inner.dialler.hear(fence::standbys(row, 5)?);
    let deposed = standbys.deposed(Authority::LASTS_ELSEWHERE);
    let version: &str = row::value(row, 0, "server_version")?;
    Ok(Facts {
        store: NAME,
        version: version.to_owned(),
        clock: ClockKind::Store,
        durability: standbys.durability(disk(on_disk)),
        deposed,
        notes: vec![
            version_note(row)?,
            transport(&inner.dialler.place.security),
            authentication(inner).await?,
            role(flag(row, 8)?),
            persistence(on_disk, flag(row, 3)?),
            commits(row::value(row, 4, "synchronous_commit")?),
            replication(standbys),
            deposed_note(deposed),
            autovacuum(flag(row, 7)?),
            isolation(row::value(row, 9, "default_transaction_isolation")?),
            full_disk(flag(row, 10)?),
            pooler(inner).await?,
        ],
    })
}

fn flag(row: &Row, at: usize) -> Result<bool, Fault> {
    row::value(row, at, "setting")
}

fn note(point: &'static str, found: impl Into<String>, verdict: Verdict) -> Note {
    Note {
        point,
        found: found.into(),
        verdict,
    }
}

fn version_note(row: &Row) -> Result<Note, Fault> {
    let number: i32 = row::value(row, 1, "server_version_num")?;
    let verdict = if number >= VERSION_MIN {
        Verdict::Safe
    } else {
        Verdict::Unsafe {
            why: "before PostgreSQL 13 no node can tell what was committed since it looked last",
            change: "upgrade PostgreSQL",
        }
    };
    let version: &str = row::value(row, 0, "server_version")?;
    Ok(note("version", version, verdict))
}

fn transport(security: &Security) -> Note {
    let (found, verdict) = match security {
        Security::Tls(_) => ("TLS, and the server proved its name", Verdict::Safe),
        Security::PlainOnThisMachine => ("plain, and on this machine only", Verdict::Safe),
        Security::PlainAnywhere => (
            "plain, as the URL allows",
            Verdict::Unsafe {
                why: "whoever is on the way reads every session and can change it",
                change: "take plaintext=allowed out of the URL, and give the server a certificate",
            },
        ),
    };
    note("transport", found, verdict)
}

/// Knocks with a wrong password, where the URL has one.
async fn authentication(inner: &Inner) -> Result<Note, Fault> {
    let change = "give the user a password, and say scram-sha-256 in pg_hba.conf";
    let has_password = inner.dialler.place.password.is_some();
    let knocked = match has_password {
        true => {
            inner
                .dialler
                .believes_anybody(&inner.reads.host().await?)
                .await
        }
        false => Ok(true),
    };
    let (found, verdict) = match (knocked, has_password) {
        (Ok(false), _) => ("a password", Verdict::Safe),
        (Ok(true), true) => (
            "any password will do",
            Verdict::Unsafe {
                why: "the server asks for none, so that whoever reaches its port is any user",
                change,
            },
        ),
        (Ok(true), false) => (
            "no password in the URL",
            Verdict::Unsafe {
                why: "the server let this user in without one, as it would anybody who reaches \
                      its port",
                change,
            },
        ),
        (Err(_), _) => (
            "not told: the server did not answer whether a wrong password would do",
            Verdict::Caution {
                why: "a server that trusts everybody answers with any password",
                change: "look into pg_hba.conf, or ask again",
            },
        ),
    };
    Ok(note("authentication", found, verdict))
}

fn role(is_superuser: bool) -> Note {
    let (found, verdict) = match is_superuser {
        false => ("one without special rights", Verdict::Safe),
        true => (
            "a superuser",
            Verdict::Caution {
                why: "whoever has the URL of the store has the whole server",
                change: "make a role of its own for the sessions",
            },
        ),
    };
    note("role", found, verdict)
}

fn persistence(on_disk: bool, whole_pages: bool) -> Note {
    let verdict = match (on_disk, whole_pages) {
        (true, true) => Verdict::Safe,
        (false, _) => Verdict::Unsafe {
            why: "a power failure takes back acknowledged revocations, and may destroy the database",
            change: "set fsync = on",
        },
        (true, false) => Verdict::Caution {
            why: "a power failure may leave torn pages, unless the file system prevents them",
            change: "set full_page_writes = on",
        },
    };
    let word = |on| if on { "on" } else { "off" };
    let found = format!(
        "fsync {}, full_page_writes {}",
        word(on_disk),
        word(whole_pages)
    );
    note("persistence", found, verdict)
}

fn commits(setting: &str) -> Note {
    let verdict = match setting {
        "off" => Verdict::Caution {
            why: "a crash takes back the last writes that were acknowledged; revocations wait for \
                  the disk all the same",
            change: "set synchronous_commit = on for the role",
        },
        _ => Verdict::Safe,
    };
    let found = format!("{setting} for writes, and at least on for revocations");
    note("synchronous commit", found, verdict)
}

fn replication(standbys: Standbys) -> Note {
    let Standbys { awaited, known } = standbys;
    let (found, verdict) = match (awaited, known) {
        (0, 0) => (
            "a single server: no standby is connected, and no slot is kept for one".to_owned(),
            Verdict::Safe,
        ),
        (_, 0) => (
            "standbys that commits wait for, and none is connected".to_owned(),
            Verdict::Unsafe {
                why: "no revocation and no heartbeat is acknowledged, and no session answered",
                change: "start a standby, or take it out of synchronous_standby_names",
            },
        ),
        (0, _) => (
            format!("{known} standbys that nothing waits for"),
            Verdict::Caution {
                why: "a fail-over may lose acknowledged revocations (it is noticed and raised)",
                change: "set synchronous_standby_names",
            },
        ),
        _ if standbys.all_have_all() => (
            format!("{known} standbys, and revocations wait for all of them"),
            Verdict::Safe,
        ),
        _ => (
            format!("{known} standbys, and revocations wait for {awaited} of them"),
            Verdict::Caution {
                why: "one that nobody waited for may lack acknowledged revocations when it is \
                      promoted (it is noticed and raised)",
                change: "promote none but those that are named in synchronous_standby_names, or \
                         have commits wait for all of them",
            },
        ),
    };
    note("replication", found, verdict)
}

/// What a primary can do that was deposed and goes on.
fn deposed_note(deposed: Deposed) -> Note {
    let (found, verdict) = match deposed {
        Deposed::Never => ("nobody takes its place".to_owned(), Verdict::Safe),
        Deposed::Within(limit) => (
            format!("is believed for at most {} ms", limit.as_millis()),
            Verdict::Safe,
        ),
        Deposed::Unbounded => (
            "is believed for as long as it is reached".to_owned(),
            Verdict::Unsafe {
                why: "a standby can be promoted whom no commit waits for, while nodes that reach \
                      the server before it go on to accept what was revoked since",
                change: "let whatever promotes a standby stop the old server first (fencing), or \
                         have commits wait for all standbys: synchronous_standby_names = 'N (*)'",
            },
        ),
    };
    note("deposed primary", found, verdict)
}

fn autovacuum(on: bool) -> Note {
    let (found, verdict) = match on {
        true => ("on", Verdict::Safe),
        false => (
            "off",
            Verdict::Unsafe {
                why: "every touch and every swept session leaves a dead row, so the tables only grow",
                change: "set autovacuum = on",
            },
        ),
    };
    note("autovacuum", found, verdict)
}

fn isolation(level: &str) -> Note {
    let verdict = match level {
        "read committed" | "read uncommitted" => Verdict::Safe,
        _ => Verdict::Caution {
            why: "writes that meet are undone and tried again instead of waiting for each other",
            change: "set default_transaction_isolation = 'read committed' for the role",
        },
    };
    note("isolation", level, verdict)
}

fn full_disk(may_free: bool) -> Note {
    let (found, verdict) = match may_free {
        true => ("1 MiB is kept for revocations", Verdict::Safe),
        false => (
            "1 MiB is kept for revocations, and this role may not free it",
            Verdict::Caution {
                why: "when the disk is full nobody can be logged out",
                change: "GRANT TRUNCATE on the table `reserve` to the role",
            },
        ),
    };
    note("full disk", found, verdict)
}

async fn pooler(inner: &Inner) -> Result<Note, Fault> {
    let (found, verdict) = match inner.reads.is_pooled().await? {
        false => ("none: changes are told at once", Verdict::Safe),
        true => (
            "one, so that nothing is prepared and nodes poll for changes",
            Verdict::Caution {
                why: "a revocation reaches the other nodes after up to a third of a second instead of some ms",
                change: "connect to the server itself; the store needs few connections",
            },
        ),
    };
    Ok(note("pooler", found, verdict))
}
