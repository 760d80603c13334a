//! Real stores for tests and proofs: started, killed, paused, failed over.
//!
//! Their programs are those that `cargo xtask bring` unpacked. A store that was asked for and
//! cannot be started is an error, with the end of the server's log in it.

mod certificate;
mod deployment;
mod disk;
mod kind;
mod place;
mod port;
mod process;
mod program;
mod serve;
mod setup;
mod tool;
mod wanted;

mod postgres;
mod redis;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Error, bail};

use self::deployment::{Deployment, Door, Doors};
use self::postgres::{Bouncer, Postgres};
use self::redis::{Cluster, Sentinel, Single};
use crate::fault::{Callers, Proxy};

pub use self::disk::Disk;
pub use self::kind::Kind;
pub(crate) use self::place::Place;
pub use self::serve::Serve;
pub use self::setup::{Persistence, Setup, Standby};
pub use self::tool::Answers;
pub use self::wanted::{UnknownStore, Wanted};

/// Whose connections are hit by what a proxy in front of a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Those of stores, and not those of servers among each other.
    Clients,
    /// Those of replicas to their primary and of sentinels to both as well, which lose sight of a
    /// primary as its clients do.
    Everybody,
    /// As [`Self::Everybody`], and those of each process of this lab can be hit alone.
    EachProcess,
}

/// A port that was free may be taken by another process before the server has it.
const STARTS_MAX: usize = 3;

/// A running store. Dropped, it ends every process that it started and removes their files;
/// they also end when this process does, however it ends.
pub struct Server {
    kind: Kind,
    deployment: Box<dyn Deployment>,
    namespaces: AtomicU64,
    doors: Doors,
}

// === impl Server ===

impl Server {
    /// Starts a store of this kind, which is ready for use when this returns.
    ///
    /// # Errors
    /// When it cannot be started, with the end of the server's log.
    pub async fn start(kind: Kind) -> Result<Self, Error> {
        Self::start_with(kind, &Setup::default()).await
    }

    /// Starts a store of this kind, set up so.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(kind: Kind, setup: &Setup) -> Result<Self, Error> {
        let mut starts = 1;
        loop {
            match deploy(kind, setup).await {
                Ok(deployment) => {
                    return Ok(Self {
                        kind,
                        deployment,
                        namespaces: AtomicU64::new(0),
                        doors: Doors::default(),
                    });
                }
                Err(error) if starts < STARTS_MAX && is_of_a_taken_port(&error) => starts += 1,
                Err(error) => return Err(error.context(format!("no {kind} can be started"))),
            }
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The URL that [`anynode::store::open`] takes.
    #[must_use]
    pub fn url(&self) -> String {
        self.deployment.url().through(&self.doors).into_text()
    }

    /// The URL under TLS that [`anynode::store::open`] takes: of `redis-tls` the only one, and
    /// of `postgres` another one.
    #[must_use]
    pub fn secure_url(&self) -> Option<String> {
        let url = self.deployment.secure_url()?;
        Some(url.through(&self.doors).into_text())
    }

    /// A URL of a namespace of its own, so that many tests can share one server.
    #[must_use]
    pub fn fresh_url(&self) -> String {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        let url = self.deployment.url().through(&self.doors);
        url.of_namespace(&format!("an{number}")).into_text()
    }

    /// The addresses that a store connects to, and that a proxy is put in front of.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.deployment.addresses()
    }

    /// Puts a proxy in front of each server. From now on its URLs lead through them, and servers
    /// that name each other name the proxies.
    ///
    /// # Errors
    /// When there is no free port, or the servers do not agree on their new names in time.
    pub async fn go_behind_proxies(&mut self, seed: u64, whom: Whom) -> Result<Vec<Proxy>, Error> {
        let callers = Callers {
            spared: (whom == Whom::Clients).then(|| redis::SOURCE.into()),
            told_apart: whom == Whom::EachProcess,
        };
        let mut proxies = Vec::new();
        let mut doors = Doors::default();
        for (server, number) in self.deployment.entrances().into_iter().zip(seed..) {
            let proxy = Proxy::start_for(server, number, callers).await?;
            let at = proxy.address();
            doors.0.push(Door { server, at });
            proxies.push(proxy);
        }
        let announced = self.deployment.announce(&doors).await;
        announced.with_context(|| format!("no proxies can be put before {}", self.kind))?;
        self.doors = doors;
        Ok(proxies)
    }

    /// The processes that run, without children of theirs.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.deployment.pids()
    }

    /// Kills the primary with SIGKILL; of the primaries of a cluster, one.
    ///
    /// # Errors
    /// When it is not known which one that is.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.deployment.kill().await
    }

    /// Starts again what was killed or stopped by itself, at the same address and with the data that it has on disk,
    /// and waits until the store is whole.
    ///
    /// # Errors
    /// When it does not start, with the end of its log, or does not become whole in time.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.deployment.restart().await
    }

    /// Lets the primary stand still with SIGSTOP; of the primaries of a cluster, one.
    ///
    /// # Errors
    /// When it is not known which one that is.
    pub async fn pause(&mut self) -> Result<(), Error> {
        self.deployment.pause().await
    }

    /// Lets all that stands still go on.
    ///
    /// # Errors
    /// When the store does not become whole in time.
    pub async fn resume(&mut self) -> Result<(), Error> {
        self.deployment.resume().await
    }

    /// Kills the primary, and returns when another takes writes in its place.
    ///
    /// # Errors
    /// When there is no other, or it does not take over in time.
    pub async fn fail_over(&mut self) -> Result<(), Error> {
        self.deployment.fail_over().await
    }

    /// The disk of its own that it was started with, of [`Setup::disk_bytes`].
    #[must_use]
    pub fn disk(&self) -> Option<&Disk> {
        self.deployment.disk()
    }

    /// Removes all data of all namespaces, as an operator would: `FLUSHALL`, `TRUNCATE`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn flush(&self) -> Result<(), Error> {
        self.deployment.flush().await
    }

    /// Tells the primary something: the words of a command of Redis, or SQL. The answer is
    /// text, one line for each element or row, with a `|` between columns.
    ///
    /// # Errors
    /// When the server does not answer in time, or with an error.
    pub async fn command(&self, words: &[&str]) -> Result<String, Error> {
        self.deployment.command(words).await
    }

    /// Tells this one of the servers something, as [`Self::command`].
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn command_at(&self, server: SocketAddr, words: &[&str]) -> Result<String, Error> {
        self.deployment.command_at(server, words).await
    }

    /// Has the program by which operators speak to the primary, `redis-cli` or `psql`, tell it
    /// these lines: commands of Redis, or statements of SQL. To each it says a line.
    ///
    /// # Errors
    /// When the program is not here or cannot be started.
    pub async fn tell_by_tool(&self, lines: &[String]) -> Result<Answers, Error> {
        self.deployment.tool().await?.tell(lines).await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its URL has a password in it.
        f.debug_struct("Server")
            .field("kind", &self.kind)
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}

/// What `cargo xtask bring` unpacked of a tool.
///
/// # Errors
/// When it has not been unpacked.
pub(crate) fn unpacked(tool: &str) -> Result<PathBuf, Error> {
    program::unpacked(tool)
}

async fn deploy(kind: Kind, setup: &Setup) -> Result<Box<dyn Deployment>, Error> {
    if setup.disk_bytes.is_some() && !matches!(kind, Kind::Postgres | Kind::PgBouncer) {
        bail!("it lives in memory, and is given no disk of its own");
    }
    Ok(match kind {
        Kind::Redis => Box::new(Single::start("redis-server", "redis", setup).await?),
        Kind::Valkey8 => Box::new(Single::start("valkey-8-server", "valkey-8", setup).await?),
        Kind::Valkey9 => Box::new(Single::start("valkey-9-server", "valkey-9", setup).await?),
        Kind::RedisCluster => Box::new(Cluster::start(setup).await?),
        Kind::RedisSentinel => Box::new(Sentinel::start(setup).await?),
        Kind::RedisTls => Box::new(Single::start_secure(setup).await?),
        Kind::Postgres => Box::new(Postgres::start(setup).await?),
        Kind::PgBouncer => Box::new(Bouncer::start(setup).await?),
    })
}

fn is_of_a_taken_port(error: &Error) -> bool {
    let text = format!("{error:#}");
    text.contains("Address already in use") || text.contains("another server is at")
}
