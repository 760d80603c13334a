//! The SQLite store: one file, and any number of processes of one machine on it.
//!
//! Read in this order: `schema` and `version_1.sql` for what is kept, `read`, `write` and
//! `sweep` for what is done with it, `readers`, `writer`, `transact` and `line` for where and when that runs,
//! `channel` for how nodes hear of it, `reserve` and `fault` for when it goes wrong.

mod channel;
mod fault;
mod file;
mod inspect;
mod line;
mod options;
mod pause;
mod read;
mod readers;
mod reserve;
mod row;
mod schema;
mod sweep;
mod transact;
mod write;
mod writer;

use std::{fmt, path::Path, sync::Arc, thread, time::Duration};

use anynode_core::{
    Channel, Clock, Create, Draft, Durability, Facts, Found, Handle, Item, Listing, Live,
    NodeEntry, NodeId, Page, Replace, Revoke, Revoked, Roll, Store, Swept, Touch, UserId, Version,
    Wanted,
    store::{Error, ErrorKind, Result},
};
use async_trait::async_trait;
use tokio::{sync::oneshot, time::timeout};

pub use self::options::SqliteOptions;
use self::{
    channel::SqliteChannel,
    file::File,
    readers::Readers,
    transact::Transactor,
    writer::{Urgency, Writer},
};

/// Sessions in one SQLite file, shared by all processes of one machine.
///
/// Reads run where they are called, in some microseconds and without a hop to another thread;
/// writes go through one thread of the process, which commits what is waiting together. A
/// clone is another handle on the same connections.
///
/// Lifetimes are judged by the wall clock of the machine. What is acknowledged survives the
/// death of every process; revocations survive a power failure as well, other writes of the
/// last seconds may not. The calls need a tokio runtime with its timer.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("sessions.db");
/// use anynode::store::sqlite::SqliteStore;
/// use anynode_core::{Handle, Store};
///
/// let store = SqliteStore::open(&path)?;
/// assert!(store.load(&Handle::from_bytes([7; 16])).await?.is_none());
/// # Ok::<(), anynode_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    readers: Readers,
    writer: Writer,
}

const NAME: &str = "sqlite";

/// A node is forgotten after this much silence: three times the default lease.
const NODE_SILENCE_MAX: Duration = Duration::from_secs(3);

// === impl SqliteStore ===

impl SqliteStore {
    /// Opens the store in the file at `path`, or named by a URL such as `sqlite:sessions.db`.
    ///
    /// A missing file is made, readable by its owner alone; its directory has to exist. Brings
    /// an older file up to date. Blocks for some milliseconds, or while another process does
    /// the same.
    ///
    /// # Errors
    /// `Config` when the file cannot be made or used, was written by a newer anynode, or belongs
    /// to another application; `Unavailable` when it is locked for longer than the deadline.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        SqliteOptions::default().open(path)
    }

    /// What can be set before opening.
    pub fn options() -> SqliteOptions {
        SqliteOptions::default()
    }

    fn start(path: &Path, options: SqliteOptions) -> Result<Self> {
        let file = File::open(path, options.missing, options.deadline)?;
        let transactor = Transactor::new(file.clone(), options.bytes_max);
        let writer = Writer::start(transactor, &options)?;
        Ok(Self {
            inner: Arc::new(Inner {
                readers: Readers::new(file.clone(), options.deadline),
                file,
                clock: options.clock,
                deadline: options.deadline,
                writer,
            }),
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for SqliteStore {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        draft.check(NAME, "create")?;
        let draft = draft.clone();
        let act = move |db: &_, now| write::create(db, &draft, now);
        let writer = &self.inner.writer;
        writer.write("create", Urgency::Ordinary, act).await
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        let readers = &self.inner.readers;
        let kept = readers.read("load", |db| read::kept(db, handle)).await?;
        let now = self.inner.clock.now();
        let alive = kept.filter(|kept| kept.is_alive(now));
        Ok(alive.map(|kept| kept.live(now)))
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
        let (base, draft) = (*base, draft.clone());
        let act = move |db: &_, now| write::replace(db, &base, &draft, now);
        let writer = &self.inner.writer;
        writer.write("replace", Urgency::Ordinary, act).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let batch = batch.to_vec();
        let act = move |db: &_, now| write::touch(db, &batch, now);
        let writer = &self.inner.writer;
        writer.write("touch", Urgency::Ordinary, act).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        let revoke = revoke.clone();
        let act = move |db: &_, now| {
            Ok(Revoked {
                durability: Durability::Majority,
                at: now,
                effect: write::revoke(db, &revoke, now)?,
            })
        };
        let writer = &self.inner.writer;
        writer.write("revoke", Urgency::Revocation, act).await
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        let clock = &self.inner.clock;
        let readers = &self.inner.readers;
        let act = |db: &_| read::list(db, user, page, || clock.now());
        readers.read("list", act).await
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        let readers = &self.inner.readers;
        let act = |db: &_| read::scan(db, cursor, limit);
        readers.read("scan", act).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        let channel = SqliteChannel::open(self.inner.clone(), node.clone()).await?;
        Ok(Box::new(channel))
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        let since = self.inner.clock.now().back(NODE_SILENCE_MAX);
        let readers = &self.inner.readers;
        readers.read("nodes", |db| read::nodes(db, since)).await
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        let node = node.clone();
        let act = move |db: &_, _| write::leave(db, &node);
        self.inner.writer.write("leave", Urgency::Upkeep, act).await
    }

    /// Every read asks the file first, so that nobody has anything to answer.
    async fn call_roll(&self) -> Result<Roll> {
        Ok(Roll::Validated)
    }

    async fn inspect(&self) -> Result<Facts> {
        let (reply, answer) = oneshot::channel();
        let file = self.inner.file.clone();
        thread::spawn(move || {
            // A caller that was dropped does not want to know.
            let _ = reply.send(inspect::inspect(&file));
        });
        match timeout(self.inner.deadline, answer).await {
            Ok(Ok(facts)) => facts.map_err(|fault| fault.error("inspect")),
            _ => Err(Error::new(ErrorKind::Unavailable, NAME, "inspect")
                .with_detail("the file was not read before the deadline")),
        }
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let limit = limit.max(1);
        let act = move |db: &_, now| sweep::sweep(db, limit, now);
        let writer = &self.inner.writer;
        writer.write("sweep", Urgency::Upkeep, act).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteStore({})", self.inner.file.path().display())
    }
}
