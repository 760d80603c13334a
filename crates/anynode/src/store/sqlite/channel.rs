//! The invalidation channel: `PRAGMA data_version` says that something was committed, the
//! change table says what.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use anynode_core::{
    BarrierId, Channel, ChannelKind, Event, Handle, NodeId, RollId, Snapshot, Timestamp,
    store::Result,
};
use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{Inner, fault::Fault, file::Role, pause::Pause, read, row, write, writer::Urgency};
use crate::clock::boot_time;

/// A connection that does nothing but listen: `data_version` changes with every commit of any
/// *other* connection, in this process or another.
pub(super) struct SqliteChannel {
    store: Arc<Inner>,
    node: NodeId,
    db: Connection,
    /// The newest change that was delivered or is in `ready`.
    cursor: i64,
    /// The `data_version` up to which `cursor` is complete.
    seen: Option<i64>,
    ready: VecDeque<Event>,
    begun: VecDeque<Begun>,
    barriers: u64,
}

/// A barrier that has not passed.
struct Begun {
    id: BarrierId,
    /// It passes when the changes up to this one have been delivered.
    newest: i64,
    at: Timestamp,
}

/// How often a channel that waits looks for commits. Whoever asks gets a fresh look at once, so
/// this delays only those who wait.
const POLL: Duration = Duration::from_millis(20);

/// How many changes are read at once.
const CHANGES_PER_READ: usize = 256;

const CHANGES: &str = "SELECT seq, kind, key FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2";

// === impl SqliteChannel ===

impl SqliteChannel {
    pub(super) async fn open(store: Arc<Inner>, node: NodeId) -> Result<Self> {
        let db = store.file.connect(Role::Read);
        let mut channel = Self {
            db: db.map_err(|fault| fault.error("watch"))?,
            store,
            node,
            cursor: 0,
            seen: None,
            ready: VecDeque::new(),
            begun: VecDeque::new(),
            barriers: 0,
        };
        heartbeat(&channel.store, &channel.node).await?;
        channel.cursor = channel
            .asking("watch", |db| read::newest_change(db))
            .await?;
        Ok(channel)
    }

    /// Performs a read on the channel's own connection, waiting out a recovery of the file.
    async fn asking<T>(
        &mut self,
        verb: &'static str,
        act: impl Fn(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T> {
        let mut patience = Patience::new(self.store.deadline);
        loop {
            match act(&mut self.db) {
                Err(fault) if fault.is_busy() && patience.lasts() => patience.rest().await,
                answer => return answer.map_err(|fault| fault.error(verb)),
            }
        }
    }

    /// Looks once: afterwards `ready` holds what was committed before this call, or a part of
    /// it and the next look reads on.
    fn look(&mut self) -> Result<(), Fault> {
        // Read before the changes: a commit between the two is found again at the next look.
        let version = self
            .db
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if self.seen != Some(version) {
            let read = self.read_on()?;
            if read < CHANGES_PER_READ {
                self.seen = Some(version);
            }
        }
        while let Some(begun) = self.begun.pop_front_if(|begun| begun.newest <= self.cursor) {
            self.ready.push_back(Event::Passed(begun.id, begun.at));
        }
        Ok(())
    }

    /// Reads changes after the cursor, and tells how many.
    fn read_on(&mut self) -> Result<usize, Fault> {
        let moment = self.db.unchecked_transaction()?;
        let newest = read::newest_change(&moment)?;
        let mut events = Vec::new();
        let mut cursor = self.cursor;
        let mut read = 0;
        {
            let mut statement = moment.prepare_cached(CHANGES)?;
            let limit = i64::try_from(CHANGES_PER_READ).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![self.cursor, limit])?;
            while let Some(row) = rows.next()? {
                let seq = row::integer(row, 0, "seq")?;
                if seq != cursor + 1 {
                    events.clear();
                    events.push(Event::Flush);
                }
                cursor = seq;
                events.push(event(&moment, row)?);
                read += 1;
            }
        }
        // The numbers have no gaps. Where some are missing they were swept, or the file is
        // another one than it was.
        if read < CHANGES_PER_READ && cursor != newest {
            events.clear();
            events.push(Event::Flush);
            cursor = newest;
        }
        self.cursor = cursor;
        self.ready.extend(events);
        Ok(read)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Channel for SqliteChannel {
    fn kind(&self) -> ChannelKind {
        ChannelKind::ValidatedPerRead
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        let clock = self.store.clock.clone();
        self.asking("watch", move |db| read::snapshot(db, clock.now()))
            .await
    }

    async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.ready().await? {
                return Ok(event);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn ready(&mut self) -> Result<Option<Event>> {
        let mut patience = Patience::new(self.store.deadline);
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match self.look() {
                // A look that read as much as it may has left some.
                Ok(()) if self.ready.is_empty() => return Ok(None),
                Ok(()) => {}
                // The lock of a recovery says nothing of what was committed.
                Err(fault) if fault.is_busy() && patience.lasts() => patience.rest().await,
                Err(fault) => return Err(fault.error("watch")),
            }
        }
    }

    async fn barrier(&mut self) -> Result<BarrierId> {
        let at = heartbeat(&self.store, &self.node).await?;
        // What was acknowledged before this call is in the file, and its changes have numbers
        // up to this one.
        let newest = self.asking("watch", |db| read::newest_change(db)).await?;
        self.barriers += 1;
        let id = BarrierId(self.barriers);
        self.begun.push_back(Begun { id, newest, at });
        Ok(id)
    }

    /// The roll is never called here.
    async fn answer(&mut self, _: RollId) -> Result<()> {
        Ok(())
    }
}

impl fmt::Debug for SqliteChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteChannel")
            .field("node", &self.node)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// How long a lock on the file is waited for.
struct Patience {
    until: Duration,
    pause: Pause,
}

impl Patience {
    fn new(deadline: Duration) -> Self {
        Self {
            until: boot_time() + deadline,
            pause: Pause::default(),
        }
    }

    fn lasts(&self) -> bool {
        boot_time() < self.until
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.pause.next()).await;
    }
}

/// Tells the store that the node lives, and answers the store's clock then.
async fn heartbeat(store: &Inner, node: &NodeId) -> Result<Timestamp> {
    let node = node.clone();
    let act = move |db: &_, now| {
        write::heartbeat(db, &node, now)?;
        Ok(now)
    };
    store.writer.write("watch", Urgency::Upkeep, act).await
}

/// What a row of the change table tells.
fn event(db: &Connection, change: &rusqlite::Row<'_>) -> Result<Event, Fault> {
    match row::integer(change, 1, "kind")? {
        1 => Ok(Event::Changed(handle(change)?)),
        2 => {
            let handle = handle(change)?;
            // Swept since then: its deadline has passed, but a copy may still be there.
            let tombstone = read::tombstone_of(db, handle.as_bytes())?;
            Ok(tombstone.map_or(Event::Changed(handle), Event::Revoked))
        }
        3 => {
            let user = row::user(change, 2)?;
            let entry = read::entry(db, &user)?.map(|(entry, _)| entry);
            Ok(Event::User(user, entry.unwrap_or_default()))
        }
        _ => Err(Fault::Corrupt("kind")),
    }
}

fn handle(change: &rusqlite::Row<'_>) -> Result<Handle, Fault> {
    Ok(Handle::from_bytes(row::bytes(change, 2, "key")?))
}
