//! One server: the connection that calls share, and how it is made anew when it breaks.

use std::{
    fmt, io,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, RedisConnectionInfo, Value,
    aio::MultiplexedConnection,
};
use tokio::{sync::Mutex, time::timeout};

use super::{connection::Connection, fault::Fault, gate::Gate, options::Target};
use crate::{
    clock::boot_time,
    random,
    store::net::{self, Address, Security},
};

/// One server and the connection to it, which all calls share: replies come in the order of
/// the calls, so that many are on the way at once.
pub(super) struct Link {
    address: Address,
    setup: Arc<Setup>,
    current: Arc<RwLock<Option<Arc<Connection>>>>,
    /// Held by the one task that connects.
    connecting: Arc<Mutex<Attempts>>,
}

/// How connections are made.
#[derive(Clone)]
pub(super) struct Setup {
    security: Security,
    info: RedisConnectionInfo,
    /// What calls have to pass before they are sent over one.
    pub(super) gate: Arc<Gate>,
}

#[derive(Default)]
struct Attempts {
    failed: u32,
    not_before: Duration,
}

/// A server that does not let itself be connected to is left alone for a random part of this,
/// doubled with each failure up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(10);

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A connection is not given up for another to the same address before it is this old.
const RENEWED_AFTER: Duration = Duration::from_secs(1);

/// How long one attempt to connect may take: with TLS and the greeting it is three or four round
/// trips, of a slow network as well. It outlives the call that began it, whose deadline holds.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(3);

// === impl Setup ===

impl Setup {
    pub(super) fn new(target: &Target) -> Self {
        let mut info = Self::bare().set_db(target.db);
        if let Some(login) = &target.login {
            info = info.set_password(&login.password);
            if let Some(user) = &login.user {
                info = info.set_username(user);
            }
        }
        Self {
            security: target.security.clone(),
            info,
            gate: Arc::new(Gate::open()),
        }
    }

    /// The same without user, password and database: sentinels mostly have none.
    pub(super) fn anonymous(&self) -> Self {
        Self {
            security: self.security.clone(),
            info: Self::bare(),
            gate: self.gate.clone(),
        }
    }

    pub(super) fn security(&self) -> &Security {
        &self.security
    }

    /// Refuses an address that a server named and that may not be dialled in plain text.
    pub(super) fn admits(&self, address: &Address) -> bool {
        self.security.admits(&address.host)
    }

    /// Makes a connection of its own, with `config` for pushes; calls on it have no deadline
    /// but those that the caller gives them.
    ///
    /// # Errors
    /// [`Fault::Unreached`], or what the server says to a login it does not accept.
    pub(super) async fn connect(
        &self,
        address: &Address,
        config: AsyncConnectionConfig,
        limit: Duration,
    ) -> Result<Connection, Fault> {
        let greeting = async {
            let stream = net::dial(address, &self.security, limit)
                .await
                .map_err(|error| Fault::Unreached(Arc::new(error)))?;
            let config = config.set_response_timeout(None);
            MultiplexedConnection::new_with_config(&self.info, stream, config)
                .await
                .map_err(|error| Fault::of_connecting(&error))
        };
        let (client, driver) = timeout(limit, greeting)
            .await
            .map_err(|_| Fault::Unreached(Arc::new(io::ErrorKind::TimedOut.into())))??;
        Ok(Connection::new(client, tokio::spawn(driver)))
    }

    fn bare() -> RedisConnectionInfo {
        RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            // A user may be forbidden to name its client, and the name serves nothing.
            .set_skip_set_lib_name()
    }
}

// === impl Link ===

impl Link {
    pub(super) fn new(address: Address, setup: Arc<Setup>) -> Self {
        Self {
            address,
            setup,
            current: Arc::default(),
            connecting: Arc::default(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The connection, made anew if it broke: by one task, however many wait for it.
    pub(super) async fn connection(&self, until: Duration) -> Result<Arc<Connection>, Fault> {
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        let late = |_| Fault::Late { sent: false };
        let left = until.saturating_sub(boot_time());
        let connecting = self.connecting.clone();
        let mut attempts = timeout(left, connecting.lock_owned()).await.map_err(late)?;
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        let pause = attempts.not_before.saturating_sub(boot_time());
        let left = until.saturating_sub(boot_time());
        timeout(left, tokio::time::sleep(pause))
            .await
            .map_err(late)?;
        // It goes on when this caller's time is up: if each attempt had only what is left to
        // the one who made it, none would succeed while connecting takes long.
        let (address, setup, current) = (
            self.address.clone(),
            self.setup.clone(),
            self.current.clone(),
        );
        let attempt = tokio::spawn(async move {
            let config = AsyncConnectionConfig::new();
            match setup.connect(&address, config, CONNECT_MAX).await {
                Ok(connection) => {
                    *attempts = Attempts::default();
                    let connection = Arc::new(connection);
                    let mut slot = current.write().unwrap_or_else(PoisonError::into_inner);
                    *slot = Some(connection.clone());
                    Ok(connection)
                }
                Err(fault) => {
                    attempts.not_before = boot_time() + jittered(attempts.failed);
                    attempts.failed = attempts.failed.saturating_add(1);
                    Err(fault)
                }
            }
        });
        let left = until.saturating_sub(boot_time());
        let attempted = timeout(left, attempt).await.map_err(late)?;
        attempted.unwrap_or(Err(Fault::Late { sent: false }))
    }

    /// Sends a command over the shared connection.
    pub(super) async fn send(&self, command: &Cmd, until: Duration) -> Result<Value, Fault> {
        let connection = self.connection(until).await?;
        self.ask(&connection, command, until).await
    }

    /// The same over this connection of its own.
    pub(super) async fn ask(
        &self,
        connection: &Arc<Connection>,
        command: &Cmd,
        until: Duration,
    ) -> Result<Value, Fault> {
        let reply = connection.send(command, until).await;
        if reply.as_ref().is_err_and(Fault::is_of_role) {
            connection.set_let(false);
        }
        self.keep_or_drop(connection, reply.as_ref().err());
        reply
    }

    /// Sends commands over the shared connection together.
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        until: Duration,
    ) -> Result<Vec<Result<Value, Fault>>, Fault> {
        let connection = self.connection(until).await?;
        self.ask_all(&connection, commands, until).await
    }

    /// The same over this connection of its own.
    pub(super) async fn ask_all(
        &self,
        connection: &Arc<Connection>,
        commands: &Pipeline,
        until: Duration,
    ) -> Result<Vec<Result<Value, Fault>>, Fault> {
        let replies = connection.send_all(commands, until).await;
        let is_of_role = |reply: &Result<_, Fault>| reply.as_ref().is_err_and(Fault::is_of_role);
        if replies
            .as_ref()
            .is_ok_and(|replies| replies.iter().any(is_of_role))
        {
            connection.set_let(false);
        }
        self.keep_or_drop(connection, replies.as_ref().err());
        replies
    }

    /// A connection that is late and silent is not used again: half-open ones never say that
    /// they broke, and behind a late reply all later ones wait. Where others have replies, the
    /// way is slow or the call had little time, and connecting anew would only add to that.
    fn keep_or_drop(&self, connection: &Arc<Connection>, fault: Option<&Fault>) {
        match fault {
            Some(Fault::Lost) => {}
            Some(Fault::Late { .. }) if connection.is_silent() => {}
            _ => return,
        }
        let mut current = self.slot_mut();
        if current
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, connection))
        {
            *current = None;
        }
    }

    /// Has the next call connect anew. A name, or an address that moves, leads to another server
    /// when that takes over, and the connection to the former stays open. Whoever waits for a
    /// reply on it still gets it.
    pub(super) fn renew(&self) {
        let is_old = |it: &Arc<Connection>| it.age() >= RENEWED_AFTER;
        let mut current = self.slot_mut();
        if current.as_ref().is_some_and(is_old) {
            *current = None;
        }
    }

    fn usable(&self) -> Option<Arc<Connection>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone().filter(|current| !current.is_broken())
    }

    fn slot_mut(&self) -> std::sync::RwLockWriteGuard<'_, Option<Arc<Connection>>> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.address)
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setup({:?})", self.security)
    }
}

/// A pause before the try after the `attempt`-th failure: a random part of [`PAUSE`], doubled
/// with each, so that the nodes of a fleet do not come back in step.
pub(super) fn jittered(attempt: u32) -> Duration {
    let most = PAUSE.saturating_mul(1 << attempt.min(10)).min(PAUSE_MAX);
    let share = u32::try_from(random::number() % 1_024).expect("less than 1024");
    most * (share + 1) / 1_024
}
