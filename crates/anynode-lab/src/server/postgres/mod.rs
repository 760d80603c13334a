//! PostgreSQL, with a standby or not.

mod bouncer;
mod instance;
mod sql;
mod template;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, bail};
use async_trait::async_trait;
use tokio::time::sleep;

use self::instance::Instance;
use super::certificate::Certificate;
use super::deployment::{Deployment, Url};
use super::disk::Disk;
use super::place::{self, Place};
use super::port;
use super::setup::{Persistence, Setup, Standby};
use super::tool::Tool;
use crate::clock::boot_time;

pub(super) use self::bouncer::Bouncer;

/// The user that a store is opened as, and the name of the database that it owns.
const USER: &str = "anynode";

/// The password of all users.
const PASSWORD: &str = "anynode-lab";

/// How long a standby may take to catch up with its primary.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(20);

/// As many files of the log as a server keeps by default (`min_wal_size`).
const LOG_FILES: usize = 5;

/// A primary, and a standby if there is to be one.
#[derive(Debug)]
pub(super) struct Postgres {
    setup: Setup,
    certificate: Certificate,
    primary: Instance,
    standby: Option<Instance>,
    /// How many data directories there have been.
    directories: usize,
    /// Dropped after the server that works on it.
    disk: Option<Disk>,
    place: Place,
}

// === impl Postgres ===

impl Postgres {
    /// Starts a primary, and a standby if the setup has one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) async fn start(setup: &Setup) -> Result<Self, Error> {
        let template = template::made().await?;
        let place = Place::new("postgres")?;
        let disk = match setup.disk_bytes {
            Some(bytes) => Some(place.mount(bytes)?),
            None => None,
        };
        let data = disk
            .as_ref()
            .map_or(place.path(), Disk::path)
            .join("data-0");
        template::copy(&template, &data)?;
        let certificate = Certificate::write(place.path())?;
        let settings = settings(setup, &certificate);
        let primary = Instance::start(&data, place.path(), port::free()?, settings).await?;
        let mut postgres = Self {
            setup: setup.clone(),
            certificate,
            primary,
            standby: None,
            directories: 1,
            disk,
            place,
        };
        if postgres.disk.is_some() {
            postgres.grow_log().await?;
        }
        postgres.follow().await?;
        Ok(postgres)
    }

    /// Starts a standby from a copy of the primary if the setup wants one and there is none.
    async fn follow(&mut self) -> Result<(), Error> {
        if self.setup.standby == Standby::None || self.standby.is_some() {
            return Ok(());
        }
        let data = self.next_directory()?;
        let settings = settings(&self.setup, &self.certificate);
        instance::back_up(&self.primary, &data)?;
        let standby = Instance::start(&data, self.place.path(), port::free()?, settings).await?;
        self.standby = Some(standby);
        let is_followed = "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming'";
        self.wait_until(is_followed).await?;
        if self.setup.standby == Standby::Synchronous {
            // Before there was a standby, every commit would have waited for it.
            self.tell("ALTER SYSTEM SET synchronous_standby_names = '*'")
                .await?;
            self.tell("SELECT pg_reload_conf()").await?;
            let is_synchronous = "SELECT count(*) > 0 FROM pg_stat_replication \
                                  WHERE sync_state IN ('sync', 'quorum')";
            self.wait_until(is_synchronous).await?;
        }
        Ok(())
    }

    /// Gives the server the log that one has which has been at work for a while: files that were
    /// written before and wait to be written again. On a full disk no file can be added, and a
    /// server that needs one stops.
    async fn grow_log(&self) -> Result<(), Error> {
        for _ in 0..LOG_FILES {
            // Nothing is switched where nothing was written.
            self.tell("SELECT pg_logical_emit_message(false, 'anynode-lab', '')")
                .await?;
            self.tell("SELECT pg_switch_wal()").await?;
        }
        self.tell("CHECKPOINT").await.map(drop)
    }

    fn address(&self) -> SocketAddr {
        self.primary.address()
    }

    fn next_directory(&mut self) -> Result<PathBuf, Error> {
        let path = self.place.make(&format!("data-{}", self.directories))?;
        self.directories += 1;
        instance::keep_private(&path)?;
        place::give_away(&path)?;
        Ok(path)
    }

    async fn tell(&self, sql: &str) -> Result<String, Error> {
        sql::ask(self.primary.address(), sql).await
    }

    /// Waits until the primary answers this question with yes.
    async fn wait_until(&self, question: &str) -> Result<(), Error> {
        let begun = boot_time();
        while self.tell(question).await? != "t" {
            if boot_time() - begun > FOLLOW_TIMEOUT {
                bail!("the standby does not follow after {FOLLOW_TIMEOUT:?}");
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

#[async_trait]
impl Deployment for Postgres {
    fn url(&self) -> Url {
        url_at(self.address())
    }

    /// The certificate is for a name, not for what the plain URL has.
    fn secure_url(&self) -> Option<Url> {
        let port = self.address().port();
        let text = format!("postgres://{USER}:{PASSWORD}@localhost:{port}/{USER}");
        let authority = self.certificate.authority.display().to_string();
        Some(Url::new(text, "schema").with("tls_ca", &authority))
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![self.address()]
    }

    fn pids(&self) -> Vec<u32> {
        let instances = [Some(&self.primary), self.standby.as_ref()];
        let instances = instances.into_iter().flatten();
        instances.filter_map(Instance::pid).collect()
    }

    fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    async fn kill(&mut self) -> Result<(), Error> {
        self.primary.kill();
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Error> {
        self.primary.launch().await?;
        self.follow().await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.primary.pause();
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.primary.resume();
        Ok(())
    }

    /// The standby takes over the address as well, as it does where a virtual address or a
    /// proxy stands before the two; it runs alone until the next restart.
    async fn fail_over(&mut self) -> Result<(), Error> {
        let mut standby = self.standby.take().context("there is no standby")?;
        self.primary.kill();
        let promoted = sql::ask(standby.address(), "SELECT pg_promote()").await?;
        if promoted != "t" {
            bail!("the standby does not become the primary in time");
        }
        standby.stop();
        standby.set_port(self.primary.address().port());
        standby.launch().await?;
        self.primary = standby;
        Ok(())
    }

    async fn flush(&self) -> Result<(), Error> {
        let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
                      WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
        let tables = sql::ask_in(self.primary.address(), USER, tables).await?;
        let tables = tables.lines().collect::<Vec<_>>().join(", ");
        if tables.is_empty() {
            return Ok(());
        }
        let truncate = format!("TRUNCATE {tables}");
        let done = sql::ask_in(self.primary.address(), USER, &truncate).await;
        done.map(drop)
    }

    async fn command(&self, words: &[&str]) -> Result<String, Error> {
        sql::ask_in(self.primary.address(), USER, &words.join(" ")).await
    }

    async fn command_at(&self, server: SocketAddr, words: &[&str]) -> Result<String, Error> {
        sql::ask_in(server, USER, &words.join(" ")).await
    }

    async fn tool(&self) -> Result<Tool, Error> {
        self.primary.tool()
    }
}

/// The URL of a store at this address.
fn url_at(address: SocketAddr) -> Url {
    let text = format!("postgres://{USER}:{PASSWORD}@{address}/{USER}");
    Url::new(text, "schema")
}

/// The lines of the configuration.
fn settings(setup: &Setup, certificate: &Certificate) -> Vec<(String, String)> {
    let is_durable = match setup.persistence {
        Persistence::None => "off",
        Persistence::EverySecond | Persistence::Always => "on",
    };
    let commit = match setup.persistence {
        Persistence::None | Persistence::Always => "on",
        Persistence::EverySecond => "off",
    };
    // What was acknowledged before it was on disk is to be lost when the server is killed: by
    // default it would be written in the next moment.
    let unwritten_for = match setup.persistence {
        Persistence::Always => "10s",
        Persistence::None | Persistence::EverySecond => "200ms",
    };
    let Certificate {
        certificate, key, ..
    } = certificate;
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let ours = [
        ("ssl", "on"),
        ("ssl_cert_file", &certificate),
        ("ssl_key_file", &key),
        ("fsync", is_durable),
        ("full_page_writes", is_durable),
        ("synchronous_commit", commit),
        ("wal_writer_delay", unwritten_for),
        ("max_connections", "200"),
        ("wal_level", "replica"),
    ];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ours.into_iter()
        .chain(setup.settings.iter().cloned())
        .collect()
}

/// The directory of what a path names.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
