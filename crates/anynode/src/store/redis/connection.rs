//! A connection to a server: what was sent over it, what came back, and whether calls may be.

use std::{
    fmt,
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection};
use tokio::{sync::OnceCell, task::JoinHandle, time::timeout};

use super::{
    fault::{Fault, Refusal},
    fence::Process,
};
use crate::clock::boot_time;

/// A connection whose replies are read by a task of its own.
pub(super) struct Connection {
    client: MultiplexedConnection,
    driver: JoinHandle<()>,
    /// On the boot clock.
    made_at: Duration,
    /// When it last gave a reply, in milliseconds on the boot clock.
    heard: AtomicU64,
    /// Whether calls may be sent over it; see `gate`.
    is_let: AtomicBool,
    /// Whether somebody has asked who is at its other end, to let calls through.
    is_asked: AtomicBool,
    /// Why they may not, where the server itself refused.
    refusal: Mutex<Option<Refusal>>,
    /// Who is at its other end, once that was asked.
    pub(super) process: OnceCell<Process>,
}

/// A connection on which a call is late is given up when no other had a reply for so long.
const SILENCE: Duration = Duration::from_secs(1);

// === impl Connection ===

impl Connection {
    /// It has just been made.
    pub(super) fn new(client: MultiplexedConnection, driver: JoinHandle<()>) -> Self {
        let connection = Self {
            client,
            driver,
            made_at: boot_time(),
            heard: AtomicU64::default(),
            is_let: AtomicBool::default(),
            is_asked: AtomicBool::default(),
            refusal: Mutex::default(),
            process: OnceCell::new(),
        };
        connection.hear();
        connection
    }

    /// For how long there has been one.
    pub(super) fn age(&self) -> Duration {
        boot_time().saturating_sub(self.made_at)
    }

    /// Whether it broke, as far as that was noticed.
    pub(super) fn is_broken(&self) -> bool {
        self.driver.is_finished()
    }

    /// Whether what the server says may be believed, as far as is known.
    pub(super) fn is_let(&self) -> bool {
        self.is_let.load(Ordering::SeqCst)
    }

    pub(super) fn set_let(&self, is_let: bool) {
        self.refuse(None);
        self.is_let.store(is_let, Ordering::SeqCst);
    }

    /// Whether the caller is the first to find out whether calls may be sent over it.
    pub(super) fn begins_to_ask(&self) -> bool {
        !self.is_asked.swap(true, Ordering::SeqCst)
    }

    /// Notes that the server takes no muster.
    pub(super) fn refuse(&self, refusal: Option<Refusal>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.clone()
    }

    fn hear(&self) {
        self.heard.store(millis(boot_time()), Ordering::Relaxed);
    }

    /// Whether it had no reply for long.
    pub(super) fn is_silent(&self) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        millis(boot_time()).saturating_sub(heard) >= millis(SILENCE)
    }

    /// Sends a command and waits for its reply until `until` on the boot clock.
    pub(super) async fn send(&self, command: &Cmd, until: Duration) -> Result<Value, Fault> {
        let mut client = self.client.clone();
        let reply = before(until, client.send_packed_command(command)).await?;
        self.hear();
        match reply {
            Ok(Value::ServerError(error)) => Err(Fault::of_server(&error)),
            Ok(value) => Ok(value),
            Err(error) => Err(Fault::of_driver(error)),
        }
    }

    /// Sends commands together; each has a reply of its own.
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        until: Duration,
    ) -> Result<Vec<Result<Value, Fault>>, Fault> {
        let mut client = self.client.clone();
        let sending = client.send_packed_commands(commands, 0, commands.len());
        let replies = before(until, sending).await?.map_err(Fault::of_driver)?;
        self.hear();
        if replies.len() != commands.len() {
            return Err(Fault::Lost);
        }
        let judged = replies.into_iter().map(|reply| match reply {
            Value::ServerError(error) => Err(Fault::of_server(&error)),
            value => Ok(value),
        });
        Ok(judged.collect())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn before<F: Future>(until: Duration, reply: F) -> Result<F::Output, Fault> {
    let left = until.saturating_sub(boot_time());
    timeout(left, reply)
        .await
        .map_err(|_| Fault::Late { sent: true })
}
