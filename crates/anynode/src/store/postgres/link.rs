//! One connection, on which the requests of many tasks follow each other without waiting for
//! answers.

use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
};
use tokio_postgres::{
    AsyncMessage, Client, Connection, Row, Statement as Prepared,
    types::{ToSql, Type},
};

use super::{sql::Sql, statement::Statement};
use crate::store::net::Address;

/// A connection to the primary.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) host: Address,
    /// Whether a pooler may give each statement another connection of the server, so that
    /// nothing can be prepared and nobody can listen.
    pub(super) is_pooled: bool,
    prepared: Mutex<HashMap<&'static str, Prepared>>,
    warnings: Arc<AtomicU64>,
    is_given_up: AtomicBool,
    driver: JoinHandle<()>,
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
            prepared: Mutex::default(),
            warnings,
            is_given_up: AtomicBool::new(false),
        }
    }

    /// Performs a statement in one round trip; the first of its kind on this connection is
    /// prepared in another.
    pub(super) async fn ask(
        &self,
        sql: &Sql,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let text = sql.of(statement);
        if self.is_pooled {
            let types = statement.types.iter().cloned();
            let typed: Vec<(Value<'_>, Type)> = values.iter().copied().zip(types).collect();
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
        self.client.query(&prepared, values).await
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

    fn prepared(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
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
