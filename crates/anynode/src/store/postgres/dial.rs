//! How a connection is made: to the primary, as the user of the URL, and knowing whether a
//! pooler is between.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anynode_core::store::{Loss, Standbys};

use tokio::{net::TcpStream, sync::watch};
use tokio_postgres::{NoTls, config::SslMode, error::SqlState, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    NAME,
    fault::Fault,
    fence::{Known, Seen},
    fragment::{seen, standbys},
    heard::Heard,
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
    /// What the server said of itself so far.
    known: Mutex<Known>,
    /// The connections there are: none is of use any more when another server was promoted.
    links: Mutex<Vec<Weak<Link>>>,
    /// Whether the primary did not prove that it is one, so that the others are asked as well.
    is_doubted: AtomicBool,
}

/// What a connection asks first: whose history is it of, is the server's process the one that
/// the greeting named, and are warnings told?
const FIRST: &str = concat!(
    "SELECT ",
    seen!(),
    ", pg_backend_pid(), current_setting('client_min_messages')"
);

/// Under which settings the server does not warn: so it would not tell that it went on without
/// the standbys that a commit has to wait for.
const HIDING: [&str; 3] = ["error", "fatal", "panic"];

const HIDDEN: &str = "client_min_messages hides that a commit did not reach its standbys; set it \
                      to warning for the role";

/// What nobody has for a password: it is said to who may be anybody.
const WRONG_PASSWORD: &str = "anynode doctor knocks";

// === impl Dialler ===

impl Dialler {
    pub(super) fn new(place: Place, limit: Duration) -> Self {
        Self {
            place,
            limit,
            changed: watch::Sender::new(0),
            known: Mutex::default(),
            links: Mutex::default(),
            is_doubted: AtomicBool::new(false),
        }
    }

    /// Takes note of what a server says of itself that was asked at this time, and raises it
    /// when that may mean a loss. Connections to another server than this are given up, so that
    /// no proof of one stands for an answer of the other.
    ///
    /// # Errors
    /// [`Fault::Deposed`] when another was promoted since.
    pub(super) fn note(&self, now: &Seen, asked: Duration) -> Result<(), Fault> {
        let loss = self.known().note(now, asked, boot_time())?;
        if loss != Loss::Same {
            let links = std::mem::take(&mut *self.links());
            let links = links.iter().filter_map(Weak::upgrade);
            links.for_each(|link| link.give_up());
        }
        if loss == Loss::PerhapsLost {
            metrics::counter!("anynode_possible_lost_writes_total", "store" => NAME).increment(1);
            tracing::error!(
                "postgres: another server took over that may lack writes which were \
                 acknowledged, revocations among them"
            );
        }
        Ok(())
    }

    /// Asks all hosts when it connects the next time, or only until one is a primary.
    pub(super) fn doubt(&self, is_doubted: bool) {
        self.is_doubted.store(is_doubted, Ordering::Relaxed);
    }

    /// Takes note of what a server says of its standbys, and tells the most that is known.
    pub(super) fn hear(&self, said: Standbys) -> Standbys {
        self.known().hear(said)
    }

    /// Takes note of how many standbys a commit waits for.
    pub(super) fn hear_awaited(&self, awaited: u32) {
        let mut known = self.known();
        let standbys = known.standbys();
        if standbys.awaited != awaited {
            known.hear(Standbys {
                awaited,
                ..standbys
            });
        }
    }

    /// Whether commits wait for standbys, one of which could take the server's place.
    pub(super) fn awaits_standbys(&self) -> bool {
        self.known().standbys().awaited > 0
    }

    fn links(&self) -> MutexGuard<'_, Vec<Weak<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the first host that is a primary; where that is in doubt, to the one that
    /// was promoted last.
    pub(super) async fn dial(&self) -> Result<Arc<Link>, Fault> {
        let until = boot_time() + self.limit * 2;
        let is_doubted = self.is_doubted.load(Ordering::Relaxed);
        let mut dialled = Err(Fault::Busy);
        for (done, host) in self.place.hosts.iter().enumerate() {
            // One host that is silent may not use up the time of all.
            let hosts_left = u32::try_from(self.place.hosts.len() - done).unwrap_or(1);
            let share = until.saturating_sub(boot_time()) / hosts_left;
            let asked = tokio::time::timeout(share, self.dial_host(host, share)).await;
            match (asked.unwrap_or(Err(timed_out())), &dialled) {
                (Ok(link), _) if !is_doubted => return Ok(link),
                // Whoever answers after another and is not refused was promoted after it.
                (Ok(link), _) => dialled = Ok(link),
                (Err(fault), Err(_)) => dialled = Err(fault),
                (Err(_), Ok(_)) => {}
            }
        }
        dialled
    }

    async fn dial_host(&self, host: &Address, limit: Duration) -> Result<Arc<Link>, Fault> {
        let password = self.place.password.as_deref();
        let link = self.connect(host, limit, password).await?;
        self.greet(link).await
    }

    /// Whether the host lets in who has the name of the user and not the password.
    pub(super) async fn believes_anybody(&self, host: &Address) -> Result<bool, Fault> {
        let knocking = self.connect(host, self.limit, Some(WRONG_PASSWORD));
        let knocked = tokio::time::timeout(self.limit, knocking).await;
        match knocked.unwrap_or(Err(timed_out())) {
            Ok(_) => Ok(true),
            Err(Fault::Refused(code)) if !is_no_answer(&code) => Ok(false),
            Err(Fault::Config(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    async fn connect(
        &self,
        host: &Address,
        limit: Duration,
        password: Option<&str>,
    ) -> Result<Link, Fault> {
        let security = &self.place.security;
        let tcp = net::reach(host, security, limit)
            .await
            .map_err(unreachable)?;
        let tcp = Heard::new(tcp);
        let hearing = tcp.hearing();
        let mut config = tokio_postgres::Config::new();
        config
            .user(&self.place.user)
            .dbname(&self.place.database)
            .application_name("anynode");
        if let Some(password) = password {
            config.password(password);
        }
        if anynode_core::planted("postgres_write_is_told_before_it_is_kept") {
            config.options("-c synchronous_commit=off");
        }
        Ok(match security {
            Security::PlainOnThisMachine | Security::PlainAnywhere => {
                config.ssl_mode(SslMode::Disable);
                let (client, connection) = config.connect_raw(tcp, NoTls).await.map_err(login)?;
                Link::new(
                    client,
                    connection,
                    host.clone(),
                    hearing,
                    self.changed.clone(),
                )
            }
            Security::Tls(tls) => {
                config.ssl_mode(SslMode::Require);
                let connecting = config.connect_raw(tcp, over(tls, host));
                let (client, connection) = connecting.await.map_err(login)?;
                Link::new(
                    client,
                    connection,
                    host.clone(),
                    hearing,
                    self.changed.clone(),
                )
            }
        })
    }

    async fn greet(&self, mut link: Link) -> Result<Arc<Link>, Fault> {
        let asked = boot_time();
        let row = link
            .client
            .query_typed_one(FIRST, &[])
            .await
            .map_err(login)?;
        self.note(&Seen::read(&row, 0)?, asked)?;
        let process: i32 = row::value(&row, Seen::COLUMNS, "process")?;
        let pooled = self.place.pooler == Pooler::Transaction
            || pooled::process_of(&link.client).await != Some(process);
        link.is_pooled = pooled;
        if HIDING.contains(&row::value(&row, Seen::COLUMNS + 1, "client_min_messages")?) {
            if pooled {
                return Err(Fault::Config(HIDDEN.to_owned()));
            }
            let telling = link
                .client
                .batch_execute("SET client_min_messages = warning");
            telling.await.map_err(login)?;
        }
        let link = Arc::new(link);
        let mut links = self.links();
        links.retain(|known| known.strong_count() > 0);
        links.push(Arc::downgrade(&link));
        Ok(link)
    }
}

pub(super) type OverTls = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect;

/// What speaks TLS to this host.
pub(super) fn over(tls: &Tls, host: &Address) -> OverTls {
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

/// Whether a server that refused said nothing of the password.
fn is_no_answer(code: &SqlState) -> bool {
    ["53", "57", "58", "XX"]
        .iter()
        .any(|class| code.code().starts_with(class))
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
