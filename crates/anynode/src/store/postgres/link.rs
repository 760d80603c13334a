//! One connection, on which the requests of many tasks follow each other without waiting for
//! answers.

use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{
        self, Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_core::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Mutex, MutexGuard, watch},
    task::JoinHandle,
};
use tokio_postgres::{
    AsyncMessage, Client, Connection, Row, Statement as Prepared,
    error::{DbError, Severity},
    types::{ToSql, Type},
};

use super::{
    ending::Ending,
    heard::{Heard, Hearing},
    hidden::Hidden,
    sql::Sql,
    statement::Statement,
};
use crate::{clock::boot_time, store::net::Address};

/// A connection to the primary.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) host: Address,
    /// Whether a pooler may give each statement another connection of the server, so that
    /// nothing can be prepared, nobody can listen, and no statement may follow another that has
    /// not been answered.
    pub(super) is_pooled: bool,
    /// Behind a pooler, held by the one call that is under way.
    turn: Mutex<()>,
    prepared: sync::Mutex<HashMap<&'static str, Prepared>>,
    /// How often the server went on without the standbys that it has to wait for.
    lone_commits: Arc<AtomicU64>,
    hearing: Arc<Hearing>,
    /// How many statements were answered to those who waited.
    answered: AtomicU64,
    is_given_up: AtomicBool,
    /// Whether the server is being asked to give up what it performs.
    is_ending: AtomicBool,
    driver: JoinHandle<()>,
}

/// The right to have a statement under way. Behind a pooler one call has it at a time: a pooler
/// takes the server's connection away when a statement is answered, and if another was on its
/// way by then, its parts may reach different connections, where they would be parameters of a
/// statement that somebody else sent.
pub(super) struct Turn<'link> {
    link: &'link Link,
    held: Option<MutexGuard<'link, ()>>,
}

/// A value of a parameter.
pub(super) type Value<'call> = &'call (dyn ToSql + Sync);

// === impl Link ===

impl Link {
    pub(super) fn new<T>(
        client: Client,
        connection: Connection<Heard, T>,
        host: Address,
        hearing: Arc<Hearing>,
        changed: watch::Sender<u64>,
    ) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let lone_commits = Arc::<AtomicU64>::default();
        Self {
            driver: tokio::spawn(drive(connection, lone_commits.clone(), changed)),
            client,
            host,
            is_pooled: true,
            turn: Mutex::default(),
            prepared: sync::Mutex::default(),
            lone_commits,
            hearing,
            answered: AtomicU64::new(0),
            is_given_up: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
        }
    }

    /// Waits until a statement may be sent, which only behind a pooler takes a while; nothing if
    /// the connection is of no more use then.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        let held = match self.is_pooled {
            true => Some(self.turn.lock().await),
            false => None,
        };
        self.is_open().then_some(Turn { link: self, held })
    }

    /// Performs a statement in one round trip; the first of its kind on this connection is
    /// prepared in another.
    async fn query(
        &self,
        sql: &Sql,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.hearing.asked(boot_time());
        if self.is_pooled {
            let types = statement.types.iter().cloned();
            let hidden: Vec<_> = values.iter().copied().map(Hidden).collect();
            let hidden = hidden.iter().map(|value| value as Value<'_>);
            let typed: Vec<(Value<'_>, Type)> = hidden.zip(types).collect();
            return self.client.query_typed(sql.of(statement), &typed).await;
        }
        let known = self.prepared().get(statement.name).cloned();
        let prepared = match known {
            Some(prepared) => prepared,
            None => {
                let text = sql.of(statement);
                let prepared = self.client.prepare_typed(text, statement.types).await?;
                self.prepared().insert(statement.name, prepared.clone());
                // What was heard is not the answer to what follows.
                self.hearing.asked(boot_time());
                prepared
            }
        };
        let hidden = values.iter().copied().map(Hidden);
        let mut answer = pin!(self.client.query_raw(&prepared, hidden).await?);
        let mut rows = Vec::new();
        while let Some(row) = poll_fn(|context| answer.as_mut().poll_next(context)).await {
            rows.push(row?);
        }
        Ok(rows)
    }

    /// Whether calls may still be made on it.
    pub(super) fn is_open(&self) -> bool {
        !self.is_given_up.load(Ordering::Relaxed) && !self.client.is_closed()
    }

    /// Lets nobody begin another call on it.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    /// How often the server went on without the standbys that it has to wait for.
    pub(super) fn lone_commits(&self) -> u64 {
        self.lone_commits.load(Ordering::Relaxed)
    }

    /// How many statements were answered to those who waited for it.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// How often something came.
    pub(super) fn heard(&self) -> u64 {
        self.hearing.count()
    }

    /// Whether nothing came by now on the boot clock for most of the time that a call may take,
    /// though somebody asked.
    pub(super) fn is_silent(&self, now: Duration, deadline: Duration) -> bool {
        self.hearing.is_silent(now, deadline)
    }

    /// What it takes to end it, for the first who wants that.
    pub(super) fn ending(&self) -> Option<Ending> {
        let is_first = !self.is_ending.swap(true, Ordering::Relaxed);
        is_first.then(|| Ending {
            token: self.client.cancel_token(),
            host: self.host.clone(),
            hearing: self.hearing.clone(),
            driver: self.driver.abort_handle(),
        })
    }

    /// Whether the server is being asked to give up what it performs.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    fn prepared(&self) -> sync::MutexGuard<'_, HashMap<&'static str, Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Performs a statement. Dropped before it was answered, it ends the connection behind a
    /// pooler, where nothing may follow it.
    pub(super) async fn ask(
        mut self,
        sql: &Sql,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let answer = self.link.query(sql, statement, values).await;
        self.link.answered.fetch_add(1, Ordering::Relaxed);
        self.held = None;
        answer
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.held.is_some() {
            self.link.give_up();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Nobody waits for an answer any more, and from a server that is silent none would come.
        // Whoever ends it hears when the server gave up.
        if self.is_given_up.load(Ordering::Relaxed) && !self.is_ending() {
            self.driver.abort();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("host", &self.host)
            .field("is_pooled", &self.is_pooled)
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

/// Reads and writes until the connection ends, counts commits that the standbys may lack, and
/// tells when another node says that something changed. It ends by itself when its link is dropped.
async fn drive<T>(
    mut connection: Connection<Heard, T>,
    lone_commits: Arc<AtomicU64>,
    changed: watch::Sender<u64>,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            AsyncMessage::Notice(notice) if tells_of_a_lone_commit(&notice) => {
                lone_commits.fetch_add(1, Ordering::Relaxed);
            }
            AsyncMessage::Notification(_) => changed.send_modify(|count| *count += 1),
            _ => {}
        }
    }
}

/// Whether the server warns that it went on without the standbys that it has to wait for, which
/// it does when somebody cancels the wait. It has no code of its own, and its text is
/// translated: the place in the server's source tells it from others, such as those of a
/// database that has to be vacuumed soon.
fn tells_of_a_lone_commit(notice: &DbError) -> bool {
    let is_warning = notice
        .parsed_severity()
        .is_none_or(|it| it == Severity::Warning);
    is_warning && notice.file().is_none_or(|file| file.ends_with("syncrep.c"))
}
