//! The PostgreSQL store: any number of nodes on one database, behind pgbouncer or not.
//!
//! Read in this order: `version_1.sql` and `schema` for what is kept, `statement` and `upkeep`
//! for what is done with it, `write`, `read` and `sweep` for the verbs, `lane`, `link`, `dial`,
//! `pooled`, `heard` and `ending` for how the server is reached, `authority` and `fence` for whom to believe,
//! `channel` and `change` for how nodes hear of it, `fault` and `reserve` for when it goes wrong.

mod authority;
mod change;
mod channel;
mod dial;
mod ending;
mod fault;
mod fence;
mod fragment;
mod heard;
mod hidden;
mod hint;
mod inspect;
mod lane;
mod link;
mod options;
mod pooled;
mod read;
mod reserve;
mod row;
mod schema;
mod sql;
mod statement;
mod sweep;
mod upkeep;
mod write;

use std::{fmt, sync::Arc, time::Duration};

use anynode_core::{
    Channel, Create, Draft, Facts, Found, Handle, Item, Listing, Live, NodeEntry, NodeId, Page,
    Replace, Revoke, Revoked, Roll, Store, Swept, Touch, UserId, Version, Wanted, store::Result,
};
use async_trait::async_trait;
use tokio_postgres::Row;

pub use self::options::PostgresOptions;
use self::{
    authority::Authority,
    channel::PostgresChannel,
    dial::Dialler,
    fault::{Act, Fault},
    hint::Hints,
    lane::Lane,
    link::Value,
    options::Place,
    reserve::{Reserve, Room},
    sql::Sql,
    statement::Statement,
};
use crate::clock::boot_time;

/// Sessions in a schema of a PostgreSQL database, version 13 or later.
///
/// Requests of many tasks share a few connections without waiting for each other's answers,
/// and each verb is one round trip. A clone is another handle on the same connections.
///
/// Lifetimes are judged by the server's clock. A write that is acknowledged is as durable as
/// the server's `synchronous_commit` makes it; a revocation always waits for the disk, and for
/// the standbys that the server is told to wait for. The calls need a tokio runtime with its
/// timer.
///
/// ```no_run
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use anynode::store::postgres::PostgresStore;
/// use anynode_core::{Handle, Store};
///
/// let store = PostgresStore::open("postgres://app:password@localhost/app").await?;
/// assert!(store.load(&Handle::from_bytes([7; 16])).await?.is_none());
/// # Ok::<(), anynode_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sql: Arc<Sql>,
    dialler: Arc<Dialler>,
    deadline: Duration,
    reads: Arc<Lane>,
    writes: Arc<Lane>,
    revocations: Arc<Lane>,
    reserve: Reserve,
    authority: Authority,
    hints: Hints,
}

const NAME: &str = "postgres";

/// A node is forgotten after this much silence: three times the default lease.
const NODE_SILENCE_MAX: Duration = Duration::from_secs(3);

/// Connections that carry reads: one has the server's process busy at some ten thousand loads a
/// second, so that another helps, and a third hardly.
const READ_LINKS_MAX: usize = 2;

/// How often a call is tried whose disk is full: somebody may fill the reserve, or free it, in
/// between.
const RESERVE_TRIES_MAX: usize = 3;

// === impl PostgresStore ===

impl PostgresStore {
    /// Opens the store that a URL names: `postgres://user:password@host:port/database`.
    ///
    /// Makes the schema if it is not there, and brings an older one up to date. Several hosts,
    /// with commas between them, are asked in turn which of them is the primary.
    ///
    /// | option | meaning |
    /// |---|---|
    /// | `schema=NAME` | the schema; `anynode` by default |
    /// | `tls_ca=FILE` | TLS, and only the authorities in this file are trusted |
    /// | `sslmode=verify-full` | TLS also to this machine; to another it is the default |
    /// | `sslmode=disable` | no TLS, which is refused to another machine |
    /// | `plaintext=allowed` | no TLS to another machine either |
    /// | `pooler=transaction` | a pooler is between that looks like a server |
    ///
    /// # Errors
    /// `Config` when the URL cannot be read, the server does not accept the user, or the schema
    /// was made by a newer anynode; `Unavailable` when no primary can be reached.
    pub async fn open(url: &str) -> Result<Self> {
        PostgresOptions::default().open(url).await
    }

    /// What can be set before opening.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    async fn start(place: Place, options: PostgresOptions) -> Result<Self> {
        let sql = Arc::new(Sql::new(&place.schema_quoted()));
        let limit = options.deadline;
        let dialler = Arc::new(Dialler::new(place, limit));
        let lane = |links_max| Lane::new(sql.clone(), dialler.clone(), links_max);
        let told = |fault: Fault| fault.error("open", Act::Read);
        let link = dialler.dial().await.map_err(told)?;
        schema::open(&link, &dialler, options.missing).await?;
        let revocations = lane(1);
        revocations.adopt(link);
        Ok(Self {
            inner: Arc::new(Inner {
                deadline: limit,
                reads: lane(READ_LINKS_MAX),
                writes: lane(options.connections_max),
                revocations,
                reserve: Reserve::default(),
                authority: Authority::new(lane(1)),
                sql,
                dialler,
                hints: Hints::default(),
            }),
        })
    }
}

// === impl Inner ===

impl Inner {
    /// Until when a verb that begins now has to be answered, on the boot clock, however many
    /// statements it takes.
    fn until(&self) -> Duration {
        boot_time() + self.deadline
    }

    /// Performs a write that has to wait until there is a reserve, as its last parameter says;
    /// the first column of its answer says whether there is.
    async fn ordinary(
        &self,
        until: Duration,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let mut is_waived = anynode_core::planted("ordinary_write_frees_the_reserve");
        for _ in 0..RESERVE_TRIES_MAX {
            let mut values = values.to_vec();
            values.push(&is_waived);
            let answer = if is_waived && anynode_core::planted("ordinary_write_frees_the_reserve") {
                self.despite_full(until, &self.writes, statement, &values)
                    .await
            } else {
                self.writes
                    .call(until, Act::Write, statement, &values)
                    .await
            };
            let rows = self.doubting(answer)?;
            let is_kept = match rows.first() {
                Some(row) => row::value(row, 0, "kept")?,
                None => true,
            };
            if is_kept {
                return Ok(rows);
            }
            is_waived = self.reserve.keep(until, &self.writes).await? == Room::Unknown;
        }
        Err(Fault::Full)
    }

    /// Performs what takes place on a full disk as well: it may have the room of the reserve.
    async fn despite_full(
        &self,
        until: Duration,
        lane: &Arc<Lane>,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let mut tries = 1;
        loop {
            match lane.call(until, Act::Write, statement, values).await {
                Err(fault) if fault.is_full() && tries < RESERVE_TRIES_MAX => {
                    if !self.reserve.free(until, lane).await {
                        return Err(fault);
                    }
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Performs a revocation, on a connection where nothing else waits before it. Where the
    /// server gives no connection for that, the others have to do.
    async fn revocation(
        self: &Arc<Self>,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Row, Fault> {
        let (until, lane) = (self.until(), &self.revocations);
        let answer = match self.despite_full(until, lane, statement, values).await {
            Err(fault) if fault.is_too_many_connections() => {
                let lane = &self.writes;
                self.despite_full(until, lane, statement, values).await
            }
            answer => answer,
        };
        let mut rows = self.doubting(answer)?;
        self.heard_of_changes();
        self.hints.give_soon(self);
        rows.pop().ok_or(Fault::Corrupt("now"))
    }

    /// Wakes the channels of this process, and soon those of the others.
    fn changed(self: &Arc<Self>) {
        self.heard_of_changes();
        self.hints.give(self);
    }

    /// Wakes the channels of this process.
    fn heard_of_changes(&self) {
        let changed = &self.dialler.changed;
        changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// The answer to the caller of a verb.
fn told<T>(verb: &'static str, act: Act, answer: Result<T, Fault>) -> Result<T> {
    answer.map_err(|fault| {
        if let Fault::Corrupt(column) = &fault {
            tracing::error!(
                verb,
                column,
                "postgres: a row cannot be read and was left as it is"
            );
        }
        fault.error(verb, act)
    })
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for PostgresStore {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        draft.check(NAME, "create")?;
        told(
            "create",
            Act::Write,
            write::create(&self.inner, draft).await,
        )
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        let inner = &self.inner;
        let answer = read::load(inner, inner.until(), &inner.reads, handle).await;
        told("load", Act::Read, answer)
    }

    fn keeps_copies(&self) -> bool {
        false
    }

    fn copy(&self, _: &Wanted) -> Option<Found> {
        None
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.load(&wanted.handle).await.map(Found::asked)
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        draft.check(NAME, "replace")?;
        let answer = write::replace(&self.inner, base, draft).await;
        self.inner.changed();
        told("replace", Act::Write, answer)
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        told("touch", Act::Write, write::touch(&self.inner, batch).await)
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        told(
            "revoke",
            Act::Write,
            write::revoke(&self.inner, revoke).await,
        )
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        told("list", Act::Read, read::list(&self.inner, user, page).await)
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        told(
            "scan",
            Act::Read,
            read::scan(&self.inner, cursor, limit).await,
        )
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        self.inner.hints.take(&self.inner);
        let channel = PostgresChannel::open(self.inner.clone(), node.clone()).await;
        Ok(Box::new(told("watch", Act::Read, channel)?))
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        told("nodes", Act::Read, read::nodes(&self.inner).await)
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        told("leave", Act::Write, write::leave(&self.inner, node).await)
    }

    async fn call_roll(&self) -> Result<Roll> {
        let answer = write::call_roll(&self.inner).await;
        told("call_roll", Act::Write, answer.map(Roll::Called))
    }

    async fn inspect(&self) -> Result<Facts> {
        told("inspect", Act::Read, inspect::inspect(&self.inner).await)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        // A sweep that may have taken place is a sweep to be done again.
        told(
            "sweep",
            Act::Read,
            sweep::sweep(&self.inner, limit.max(1)).await,
        )
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresStore({:?})", self.inner.dialler.place)
    }
}
