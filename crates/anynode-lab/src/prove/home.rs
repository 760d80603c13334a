//! Where the sessions of a proof live: a store that the proof starts, or one that it was given.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Error, bail};
use rusqlite::Connection;
use serde::{Serialize, Serializer};
use tempfile::TempDir;

use crate::server::{Kind, Server, Setup};

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
    Servers(Box<Server>),
}

/// The name of the SQLite file.
const FILE: &str = "sessions.db";

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
                let directory = tempfile::tempdir().context("there is no place for a store")?;
                let url = format!("sqlite:{}", directory.path().join(FILE).display());
                let place = Place::File(directory);
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

    /// The URL that nodes open it by.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The servers, if it has some that were started here.
    pub(crate) fn server(&mut self) -> Option<&mut Server> {
        match &mut self.place {
            Place::Servers(server) => Some(server),
            Place::File(_) => None,
        }
    }

    /// The SQLite file, opened by hand, if it is one.
    pub(crate) fn file(&self) -> Result<Option<Connection>, Error> {
        let Place::File(directory) = &self.place else {
            return Ok(None);
        };
        let path: PathBuf = directory.path().join(FILE);
        let file = Connection::open(path).context("the SQLite file cannot be opened")?;
        Ok(Some(file))
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its URL may have a password in it.
        f.debug_struct("Home").finish_non_exhaustive()
    }
}
