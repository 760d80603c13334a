//! How a connection is made: to the primary, as the user of the URL, and knowing whether a
//! pooler is between.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anynode_core::store::Loss;

use tokio::{net::TcpStream, sync::watch};
use tokio_postgres::{NoTls, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    NAME,
    fault::Fault,
    fence::Seen,
    fragment::seen,
    link::Link,
    options::{Place, Pooler},
    pooled, row,
};
use crate::{
    clock::boot_time,
    store::net::{self, Address, Security, Tls},
};

/// Makes connections.
#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) place: Place,
    /// The deadline of a call. An attempt to connect is several round trips and may take twice
    /// as long.
    pub(super) limit: Duration,
    /// Counts the changes that are known of.
    pub(super) changed: watch::Sender<u64>,
    /// What the server said of itself last.
    seen: Mutex<Option<Seen>>,
}

/// What a connection asks first: whose history is it of, and is the server's process the one
/// that the greeting named?
const FIRST: &str = concat!("SELECT ", seen!(), ", pg_backend_pid()");

// === impl Dialler ===

impl Dialler {
    pub(super) fn new(place: Place, limit: Duration) -> Self {
        Self {
            place,
            limit,
            changed: watch::Sender::new(0),
            seen: Mutex::default(),
        }
    }

    /// Takes note of what a server says of itself, and raises it when that may mean a loss.
    pub(super) fn note(&self, now: &Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.replace(now.clone());
        if before.is_some_and(|before| before.judge(now) == Loss::PerhapsLost) {
            metrics::counter!("anynode_possible_lost_writes_total", "store" => NAME).increment(1);
            tracing::error!(
                "postgres: another server took over that may lack writes which were \
                 acknowledged, revocations among them"
            );
        }
    }

    /// Connects to the first host that is a primary.
    pub(super) async fn dial(&self) -> Result<Arc<Link>, Fault> {
        let until = boot_time() + self.limit * 2;
        let mut last = Fault::Busy;
        for (done, host) in self.place.hosts.iter().enumerate() {
            // One host that is silent may not use up the time of all.
            let hosts_left = u32::try_from(self.place.hosts.len() - done).unwrap_or(1);
            let share = until.saturating_sub(boot_time()) / hosts_left;
            let dialled = tokio::time::timeout(share, self.dial_host(host, share)).await;
            match dialled.unwrap_or(Err(timed_out())) {
                Ok(link) => return Ok(link),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    async fn dial_host(&self, host: &Address, limit: Duration) -> Result<Arc<Link>, Fault> {
        let security = &self.place.security;
        let tcp = net::reach(host, security, limit)
            .await
            .map_err(unreachable)?;
        let mut config = tokio_postgres::Config::new();
        config
            .user(&self.place.user)
            .dbname(&self.place.database)
            .application_name("anynode");
        if let Some(password) = &self.place.password {
            config.password(password);
        }
        if cfg!(planted = "postgres_write_is_told_before_it_is_kept") {
            config.options("-c synchronous_commit=off");
        }
        let link = match security {
            Security::PlainOnThisMachine | Security::PlainAnywhere => {
                config.ssl_mode(SslMode::Disable);
                let (client, connection) = config.connect_raw(tcp, NoTls).await.map_err(login)?;
                Link::new(client, connection, host.clone(), self.changed.clone())
            }
            Security::Tls(tls) => {
                config.ssl_mode(SslMode::Require);
                let connecting = config.connect_raw(tcp, over(tls, host));
                let (client, connection) = connecting.await.map_err(login)?;
                Link::new(client, connection, host.clone(), self.changed.clone())
            }
        };
        self.greet(link).await
    }

    async fn greet(&self, mut link: Link) -> Result<Arc<Link>, Fault> {
        let row = link
            .client
            .query_typed_one(FIRST, &[])
            .await
            .map_err(login)?;
        self.note(&Seen::read(&row, 0)?);
        let process: i32 = row::value(&row, Seen::COLUMNS, "process")?;
        let pooled = self.place.pooler == Pooler::Transaction
            || pooled::process_of(&link.client).await != Some(process);
        link.is_pooled = pooled;
        Ok(Arc::new(link))
    }
}

impl Dialler {
    /// Has the server give up what it performs on a connection that nobody waits for any more:
    /// a commit that waits for a standby would hold the server's process for ever.
    pub(super) fn cancel(&self, link: &Arc<Link>) {
        let (token, host, limit) = (link.client.cancel_token(), link.host.clone(), self.limit);
        let security = self.place.security.clone();
        tokio::spawn(async move {
            let cancelling = async {
                let tcp = net::reach(&host, &security, limit).await.ok()?;
                match &security {
                    Security::PlainOnThisMachine | Security::PlainAnywhere => {
                        token.cancel_query_raw(tcp, NoTls).await.ok()
                    }
                    Security::Tls(tls) => token.cancel_query_raw(tcp, over(tls, &host)).await.ok(),
                }
            };
            // Best effort: whoever waited has been told that the outcome is open.
            let _ = tokio::time::timeout(limit, cancelling).await;
        });
    }
}

type OverTls = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect;

/// What speaks TLS to this host.
fn over(tls: &Tls, host: &Address) -> OverTls {
    let mut make = MakeRustlsConnect::new(tls.config().clone());
    let made = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut make, &host.host);
    made.unwrap_or_else(|never| match never {})
}

fn unreachable(error: io::Error) -> Fault {
    Fault::Unreachable(Arc::new(error))
}

fn timed_out() -> Fault {
    unreachable(io::ErrorKind::TimedOut.into())
}

/// What a failure before the first statement means: nothing was asked of the server yet.
fn login(error: tokio_postgres::Error) -> Fault {
    if let Some(code) = error.code() {
        return Fault::Refused(code.clone());
    }
    let told = error.to_string();
    if told.contains("TLS") {
        return Fault::Config(
            "the server speaks no TLS, or its certificate is not for this name or not of an \
             authority that is trusted"
                .to_owned(),
        );
    }
    if told.contains("authentication") || told.contains("configuration") {
        return Fault::Config("the server asks for a proof that the URL does not hold".to_owned());
    }
    unreachable(io::Error::other(error))
}
