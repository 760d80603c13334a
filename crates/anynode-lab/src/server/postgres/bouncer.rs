//! pgbouncer in front of PostgreSQL.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Error, bail};
use async_trait::async_trait;
use tokio::time::sleep;

use super::{PASSWORD, Postgres, USER, sql};
use crate::clock::boot_time;
use crate::server::deployment::{Deployment, Url};
use crate::server::disk::Disk;
use crate::server::place::Place;
use crate::server::port;
use crate::server::process::{Order, Process, Rights};
use crate::server::program;
use crate::server::setup::Setup;
use crate::server::tool::Tool;

/// How long it may take to pass on its first question.
const START_TIMEOUT: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(10);

/// PostgreSQL, and a pgbouncer that gives a connection to whoever has a transaction to run.
#[derive(Debug)]
pub(in crate::server) struct Bouncer {
    process: Process,
    address: SocketAddr,
    postgres: Postgres,
    _place: Place,
}

// === impl Bouncer ===

impl Bouncer {
    /// Starts both.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(in crate::server) async fn start(setup: &Setup) -> Result<Self, Error> {
        let postgres = Postgres::start(setup).await?;
        let place = Place::new("pgbouncer")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port::free()?));
        let order = order(&place, address, postgres.address())?;
        let process = order.start()?;
        let mut bouncer = Self {
            process,
            address,
            postgres,
            _place: place,
        };
        bouncer.wait_until_it_passes_on().await?;
        Ok(bouncer)
    }

    async fn wait_until_it_passes_on(&mut self) -> Result<(), Error> {
        let begun = boot_time();
        while let Err(error) = sql::ask_as(USER, self.address, USER, "SELECT 1").await {
            if let Some(status) = self.process.ended()? {
                return Err(self.process.failure(&format!("ended with {status}")));
            }
            if boot_time() - begun > START_TIMEOUT {
                let what = format!("passes nothing on after {START_TIMEOUT:?} ({error:#})");
                return Err(self.process.failure(&what));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// Writes the configuration of a pgbouncer at this address that leads to that server.
fn order(place: &Place, address: SocketAddr, server: SocketAddr) -> Result<Order, Error> {
    let users = place.path().join("users");
    fs::write(&users, format!("\"{USER}\" \"{PASSWORD}\"\n"))?;
    let conf = place.path().join("conf");
    let text = format!(
        "[databases]\n\
         {USER} = host={} port={} dbname={USER}\n\
         [pgbouncer]\n\
         listen_addr = {}\n\
         listen_port = {}\n\
         unix_socket_dir =\n\
         auth_type = scram-sha-256\n\
         auth_file = {}\n\
         pool_mode = transaction\n\
         max_client_conn = 2000\n\
         default_pool_size = 150\n\
         server_login_retry = 0.1\n",
        server.ip(),
        server.port(),
        address.ip(),
        address.port(),
        users.display(),
    );
    fs::write(&conf, text)?;
    Ok(Order {
        name: "pgbouncer".to_owned(),
        program: program::script("pgbouncer", "pgbouncer")?,
        arguments: vec![conf.into()],
        rights: Rights::NeverRoot,
        farewell: "KILL",
        log: place.path().join("log"),
    })
}

#[async_trait]
impl Deployment for Bouncer {
    fn url(&self) -> Url {
        super::url_at(self.address)
    }

    fn secure_url(&self) -> Option<Url> {
        None
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![self.address]
    }

    fn pids(&self) -> Vec<u32> {
        let mut pids = self.postgres.pids();
        pids.push(self.process.pid());
        pids
    }

    fn disk(&self) -> Option<&Disk> {
        self.postgres.disk()
    }

    async fn kill(&mut self) -> Result<(), Error> {
        self.postgres.kill().await
    }

    async fn restart(&mut self) -> Result<(), Error> {
        self.postgres.restart().await?;
        self.wait_until_it_passes_on().await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.postgres.pause().await
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.postgres.resume().await
    }

    async fn fail_over(&mut self) -> Result<(), Error> {
        self.postgres.fail_over().await?;
        self.wait_until_it_passes_on().await
    }

    async fn flush(&self) -> Result<(), Error> {
        self.postgres.flush().await
    }

    /// Goes to PostgreSQL itself, as its superuser.
    async fn command(&self, words: &[&str]) -> Result<String, Error> {
        self.postgres.command(words).await
    }

    async fn command_at(&self, server: SocketAddr, words: &[&str]) -> Result<String, Error> {
        if server == self.address {
            bail!("pgbouncer takes no commands: ask the server behind it");
        }
        self.postgres.command_at(server, words).await
    }

    /// Goes to PostgreSQL itself, as commands do.
    async fn tool(&self) -> Result<Tool, Error> {
        self.postgres.tool().await
    }
}
