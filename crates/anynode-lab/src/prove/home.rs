//! Where the sessions of a proof live: a store that the proof starts, or one that it was given.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use rusqlite::Connection;
use serde::{Serialize, Serializer};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::clock::boot_time;
use crate::fault::Proxy;
use crate::server::{self, Disk, Kind, Persistence, Server, Setup, Standby, Wanted, Whom};
use crate::stage::Stage;

/// A kind of store that a proof can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Store {
    /// A SQLite file.
    Sqlite,
    /// Servers.
    Servers(Kind),
}

/// Where the sessions of a proof live. Dropped, what was started ends and its files go.
pub(crate) struct Home {
    url: String,
    place: Place,
}

enum Place {
    File(TempDir),
    /// A file on a disk of its own, which is unmounted before its directory is removed.
    FileOnDisk {
        disk: Disk,
        _place: server::Place,
    },
    Servers(Box<Server>),
    Elsewhere,
}

/// The name of the SQLite file.
const FILE: &str = "sessions.db";

/// How long a killed store is away.
const AWAY: Duration = Duration::from_millis(500);

fn can_fail_over(kind: Kind) -> bool {
    match kind {
        Kind::RedisCluster | Kind::RedisSentinel | Kind::Postgres | Kind::PgBouncer => true,
        Kind::Redis | Kind::Valkey8 | Kind::Valkey9 | Kind::RedisTls => false,
    }
}

/// Whether another server takes the place of a killed primary that did not wait for it.
fn takes_back(kind: Kind) -> bool {
    match kind {
        Kind::RedisCluster | Kind::RedisSentinel => true,
        Kind::Redis | Kind::Valkey8 | Kind::Valkey9 | Kind::RedisTls => false,
        // Commits wait for the standby.
        Kind::Postgres | Kind::PgBouncer => false,
    }
}

// === impl Store ===

impl FromStr for Store {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            _ => match text.parse() {
                Ok(kind) => Ok(Self::Servers(kind)),
                Err(_) => bail!(
                    "no store of the kind `{text}` can be started here; the kinds are sqlite{}",
                    Kind::ALL.map(|kind| format!(", {kind}")).concat()
                ),
            },
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => f.pad("sqlite"),
            Self::Servers(kind) => kind.fmt(f),
        }
    }
}

impl Serialize for Store {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

// === impl Home ===

impl Home {
    /// Starts a store of this kind, set up so.
    pub(crate) async fn start(store: Store, setup: &Setup) -> Result<Self, Error> {
        match store {
            Store::Sqlite => {
                let place = Place::of_file(setup)?;
                let directory = place.directory().context("a file is in a directory")?;
                let url = format!("sqlite:{}", directory.join(FILE).display());
                Ok(Self { url, place })
            }
            Store::Servers(kind) => {
                let server = Server::start_with(kind, setup).await?;
                let url = server.url();
                let place = Place::Servers(Box::new(server));
                Ok(Self { url, place })
            }
        }
    }

    /// A store that loses nothing that it acknowledged, as far as its kind can promise that, or
    /// one that somebody else runs.
    pub(crate) async fn open(wanted: &Wanted) -> Result<Self, Error> {
        let setup = Setup {
            persistence: Persistence::Always,
            standby: Standby::Synchronous,
            ..Setup::default()
        };
        match wanted {
            Wanted::File => Self::start(Store::Sqlite, &setup).await,
            Wanted::Kind(kind) => Self::start(Store::Servers(*kind), &setup).await,
            Wanted::Url(url) => Ok(Self {
                url: url.clone(),
                place: Place::Elsewhere,
            }),
        }
    }

    /// Kills the store and starts it again, or lets another take its place, in turn; nothing if
    /// it was not started here or is a file. Whether something was done.
    pub(crate) async fn break_down(
        &mut self,
        turn: usize,
        stage: &mut Stage,
    ) -> Result<bool, Error> {
        let Some(server) = self.server() else {
            return Ok(false);
        };
        let begun = boot_time();
        let name = if turn % 2 == 1 && can_fail_over(server.kind()) {
            server.fail_over().await?;
            "the store failed over"
        } else {
            server.kill().await?;
            sleep(AWAY).await;
            "the store was killed"
        };
        server.restart().await?;
        stage.note_fault(begun, name, takes_back(server.kind()));
        Ok(true)
    }

    /// The URL that nodes open it by.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Puts a proxy in front of each of its servers; its URL leads through them from now on.
    ///
    /// # Errors
    /// When it has no servers, or they cannot be put there.
    pub(crate) async fn go_behind_proxies(
        &mut self,
        seed: u64,
        whom: Whom,
    ) -> Result<Vec<Proxy>, Error> {
        let server = self.server().context("a file has no address")?;
        let proxies = server.go_behind_proxies(seed, whom).await?;
        self.url = server.url();
        Ok(proxies)
    }

    /// The servers, if it has some that were started here.
    pub(crate) fn server(&mut self) -> Option<&mut Server> {
        match &mut self.place {
            Place::Servers(server) => Some(server),
            Place::File(_) | Place::FileOnDisk { .. } | Place::Elsewhere => None,
        }
    }

    /// As [`Self::server`], to ask them something.
    pub(crate) fn servers(&self) -> Option<&Server> {
        match &self.place {
            Place::Servers(server) => Some(server),
            Place::File(_) | Place::FileOnDisk { .. } | Place::Elsewhere => None,
        }
    }

    /// The disk of its own, if it was started with one.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        match &self.place {
            Place::FileOnDisk { disk, .. } => Some(disk),
            Place::Servers(server) => server.disk(),
            Place::File(_) | Place::Elsewhere => None,
        }
    }

    /// The directory of the SQLite file, if it is one.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        self.place.directory().map(Path::to_owned)
    }

    /// The SQLite file, opened by hand, if it is one.
    pub(crate) fn file(&self) -> Result<Option<Connection>, Error> {
        let Some(directory) = self.place.directory() else {
            return Ok(None);
        };
        let file =
            Connection::open(directory.join(FILE)).context("the SQLite file cannot be opened")?;
        Ok(Some(file))
    }
}

// === impl Place ===

impl Place {
    fn of_file(setup: &Setup) -> Result<Self, Error> {
        let Some(bytes) = setup.disk_bytes else {
            let directory = tempfile::tempdir().context("there is no place for a store")?;
            return Ok(Self::File(directory));
        };
        let place = server::Place::new("sqlite")?;
        Ok(Self::FileOnDisk {
            disk: place.mount(bytes)?,
            _place: place,
        })
    }

    /// That of the SQLite file, if it is one.
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::File(directory) => Some(directory.path()),
            Self::FileOnDisk { disk, .. } => Some(disk.path()),
            Self::Servers(_) | Self::Elsewhere => None,
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its URL may have a password in it.
        f.debug_struct("Home").finish_non_exhaustive()
    }
}
