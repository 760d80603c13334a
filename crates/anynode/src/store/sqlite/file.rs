//! The file: how it is made, opened and prepared for several processes.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anynode_core::store::{Error, ErrorKind};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    fault::Fault,
    pause::Pause,
    schema::{self, Standing},
};
use crate::clock::boot_time;

/// A database file that is ours and up to date.
#[derive(Clone, Debug)]
pub(super) struct File {
    path: PathBuf,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Read,
    Write,
}

/// What is done about a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Refuse,
}

/// More statements than the store has, so that each is prepared once on a connection.
const STATEMENTS_CACHED: usize = 64;

/// What the write-ahead log may keep of the disk after a burst.
const JOURNAL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long a new connection waits for a file that is being recovered: some milliseconds for
/// each megabyte of its log.
const RECOVERY_MAX: Duration = Duration::from_secs(1);

// === impl File ===

impl File {
    /// Opens the file and brings it up to date. Blocks for as long as another process does the
    /// same, and no longer than `deadline`.
    pub(super) fn open(path: &Path, missing: Missing, deadline: Duration) -> Result<Self, Error> {
        match missing {
            Missing::Make => make(path)?,
            Missing::Refuse => find(path)?,
        }
        let file = Self {
            path: path.to_owned(),
        };
        let until = boot_time() + deadline;
        let db = file
            .connect(Role::Write)
            .map_err(|fault| fault.open_error())?;
        let standing = retrying(until, || schema::standing(&db))?;
        judge(standing)?;
        if standing == Standing::Behind(0) && missing == Missing::Refuse {
            return Err(refused("the file is empty, and no store was made in it"));
        }
        let journal = retrying(until, || {
            let mode = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
            Ok::<String, Fault>(mode)
        })?;
        if journal != "wal" {
            return Err(refused("this file cannot be used with a write-ahead log"));
        }
        if standing != Standing::Current {
            let reached = retrying(until, || migrate(&db))?;
            judge(reached)?;
            tracing::info!(
                version = schema::VERSION,
                "sqlite: the schema is up to date"
            );
        }
        Ok(file)
    }

    /// Another connection to it.
    pub(super) fn connect(&self, role: Role) -> Result<Connection, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        // Without it SQLite plans a cached statement anew whenever a value is bound, to see
        // whether the value suits a partial index: that made a read fifteen times as dear.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // SQLite's own waiting knows no deadline of a call, so the store waits by itself.
        db.busy_timeout(Duration::ZERO)?;
        let only = match role {
            Role::Read => "ON",
            Role::Write => "OFF",
        };
        let settings = format!(
            "PRAGMA synchronous = NORMAL; PRAGMA query_only = {only}; \
             PRAGMA journal_size_limit = {JOURNAL_BYTES_MAX};"
        );
        // Another process may be making the file, or recovering it, at this very moment.
        let (until, mut pause) = (boot_time() + RECOVERY_MAX, Pause::default());
        loop {
            match db.execute_batch(&settings).map_err(Fault::from) {
                Err(fault) if fault.is_busy() && boot_time() < until => pause.sleep(),
                set => return set.map(|()| db),
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Repeats what meets a lock until it succeeds, fails otherwise, or `until` has come.
fn retrying<T>(until: Duration, act: impl Fn() -> Result<T, Fault>) -> Result<T, Error> {
    let mut pause = Pause::default();
    loop {
        match act() {
            Err(fault) if fault.is_busy() && boot_time() < until => pause.sleep(),
            Err(fault) => return Err(fault.open_error()),
            Ok(value) => return Ok(value),
        }
    }
}

fn migrate(db: &Connection) -> Result<Standing, Fault> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let reached = schema::migrate(db).and_then(|standing| {
        db.execute_batch("COMMIT")?;
        Ok(standing)
    });
    if reached.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    reached
}

fn judge(standing: Standing) -> Result<(), Error> {
    match standing {
        Standing::Current | Standing::Behind(_) => Ok(()),
        Standing::Newer(version) => Err(refused(format!(
            "the file has schema version {version} and this anynode knows {} at most; \
             use the newer anynode",
            schema::VERSION
        ))),
        Standing::Foreign => Err(refused("the file belongs to another application")),
    }
}

/// Makes the file for its owner alone: what is in it opens sessions to no one, but it is the
/// data of people. SQLite gives its side files the mode of the file.
fn make(path: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            Err(refused("a directory is there, and not a file").with_source(error))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refused("the directory of the file does not exist").with_source(error))
        }
        Err(error) => Err(refused("the file cannot be made").with_source(error)),
    }
}

/// Somebody else has to have made it: an operator who mistypes a path wants to hear of it, and
/// not to find an empty store.
fn find(path: &Path) -> Result<(), Error> {
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(refused("what is there is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refused("there is no such file").with_source(error))
        }
        Err(error) => Err(refused("the file cannot be looked at").with_source(error)),
    }
}

pub(super) fn refused(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, super::NAME, "open").with_detail(detail)
}
