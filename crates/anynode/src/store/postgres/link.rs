//! One connection, on which the requests of many tasks follow each other without waiting for
//! answers.

use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    sync::{
        self, Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Mutex, MutexGuard, watch},
    task::JoinHandle,
};
use tokio_postgres::{
    AsyncMessage, Client, Connection, Row, Statement as Prepared,
    types::{ToSql, Type},
};

use super::{hidden::Hidden, sql::Sql, statement::Statement};
use crate::store::net::Address;

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
    warnings: Arc<AtomicU64>,
    answered: AtomicU64,
    is_given_up: AtomicBool,
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
        connection: Connection<TcpStream, T>,
        host: Address,
        changed: watch::Sender<u64>,
    ) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let warnings = Arc::<AtomicU64>::default();
        Self {
            driver: tokio::spawn(drive(connection, warnings.clone(), changed)),
            client,
            host,
            is_pooled: true,
            turn: Mutex::default(),
            prepared: sync::Mutex::default(),
            warnings,
            answered: AtomicU64::new(0),
            is_given_up: AtomicBool::new(false),
        }
    }

    /// Waits until a statement may be sent; nothing if the connection is of no more use then.
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
        let text = sql.of(statement);
        if self.is_pooled {
            let types = statement.types.iter().cloned();
            let hidden: Vec<_> = values.iter().copied().map(Hidden).collect();
            let hidden = hidden.iter().map(|value| value as Value<'_>);
            let typed: Vec<(Value<'_>, Type)> = hidden.zip(types).collect();
            return self.client.query_typed(text, &typed).await;
        }
        let known = self.prepared().get(statement.name).cloned();
        let prepared = match known {
            Some(prepared) => prepared,
            None => {
                let prepared = self.client.prepare_typed(text, statement.types).await?;
                self.prepared().insert(statement.name, prepared.clone());
                prepared
            }
        };
        let hidden: Vec<_> = values.iter().copied().map(Hidden).collect();
        let hidden: Vec<_> = hidden.iter().map(|value| value as Value<'_>).collect();
        self.client.query(&prepared, &hidden).await
    }

    /// Whether calls may still be made on it.
    pub(super) fn is_open(&self) -> bool {
        !self.is_given_up.load(Ordering::Relaxed) && !self.client.is_closed()
    }

    /// Lets nobody begin another call on it.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    /// How often the server has warned.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Relaxed)
    }

    /// How many statements were answered on it.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
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
        if self.is_given_up.load(Ordering::Relaxed) {
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

/// Reads and writes until the connection ends, counts what the server warns of, and tells when
/// another node says that something changed. It ends by itself when its link is dropped.
async fn drive<T>(
    mut connection: Connection<TcpStream, T>,
    warnings: Arc<AtomicU64>,
    changed: watch::Sender<u64>,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            AsyncMessage::Notice(notice) if notice.severity() != "NOTICE" => {
                warnings.fetch_add(1, Ordering::Relaxed);
            }
            AsyncMessage::Notification(_) => changed.send_modify(|count| *count += 1),
            _ => {}
        }
    }
}
