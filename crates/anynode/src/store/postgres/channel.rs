//! The invalidation channel: the change table, read by what one snapshot sees and the one
//! before did not.

use std::{collections::VecDeque, fmt, pin::pin, sync::Arc, time::Duration};

use anynode_core::{
    BarrierId, Channel, ChannelKind, Event, NodeId, RollId, Snapshot, Timestamp,
    store::{Loss, Result},
};
use async_trait::async_trait;
use tokio::sync::watch;
use tokio_postgres::Row;

use super::{
    Inner, change,
    fault::{Act, Fault},
    fence::Seen,
    lane::before,
    link::{Link, Value},
    row,
    statement::Statement,
    told, upkeep,
};
use crate::clock::boot_time;

/// The channel of one node, on a connection of its own.
pub(super) struct PostgresChannel {
    store: Arc<Inner>,
    node: NodeId,
    link: Option<Arc<Link>>,
    /// What the last poll saw.
    cursor: Option<Cursor>,
    /// What the last heartbeat saw. After a crash the server may give the number of a
    /// transaction again that it gave after that: a cursor that knows it would take the new
    /// transaction for the old one. So this is where another connection goes on from.
    sure: Option<Cursor>,
    seen: Option<Seen>,
    changed: watch::Receiver<u64>,
    /// When the last poll ended, on the boot clock.
    polled_at: Duration,
    /// Whether there may be changes since then.
    is_due: bool,
    ready: VecDeque<Event>,
    barriers: u64,
}

/// How far a channel has read.
#[derive(Clone, Debug)]
struct Cursor {
    /// Every transaction that this snapshot sees.
    snapshot: String,
    /// The server's time of it.
    at: Timestamp,
}

/// How long after the last look a channel that waits looks for changes, if nobody says that there
/// are some: well within the lease. Heartbeats look as well. Under the default lease of a second
/// one is due sooner, so that a fleet at rest costs its heartbeats and no polls beside them.
const POLL: Duration = Duration::from_millis(400);

/// How long a channel rests between two looks at least: what hints may ask of it.
pub(super) const POLL_PAUSE: Duration = Duration::from_millis(4);

/// More changes than this between two polls are a flush.
const CHANGES_MAX: usize = 10_000;

/// By how much the time of a snapshot may differ from the moment it was taken.
const SNAPSHOT_SKEW: Duration = Duration::from_secs(60);

// === impl PostgresChannel ===

impl PostgresChannel {
    pub(super) async fn open(store: Arc<Inner>, node: NodeId) -> Result<Self, Fault> {
        let mut channel = Self {
            changed: store.dialler.changed.subscribe(),
            store,
            node,
            link: None,
            cursor: None,
            sure: None,
            seen: None,
            polled_at: Duration::ZERO,
            is_due: false,
            ready: VecDeque::new(),
            barriers: 0,
        };
        channel.heartbeat().await?;
        Ok(channel)
    }

    /// Tells the store that the node lives, also on a full disk, and reads what was committed
    /// before this call.
    async fn heartbeat(&mut self) -> Result<Timestamp, Fault> {
        match self.beat().await {
            Err(fault) if fault.is_full() => {
                let store = self.store.clone();
                if !store.reserve.free(store.until(), &store.revocations).await {
                    return Err(fault);
                }
                self.beat().await
            }
            answer => answer,
        }
    }

    async fn beat(&mut self) -> Result<Timestamp, Fault> {
        let link = self.link().await?;
        let asked = boot_time();
        let (lone_commits, node) = (link.lone_commits(), self.node.clone());
        let cursor = self.cursor.as_ref().map(|cursor| cursor.snapshot.clone());
        let values: [Value<'_>; 3] = [&cursor, &limit(), &node.as_str()];
        let rows = self.ask(&link, &upkeep::HEARTBEAT, &values).await?;
        if link.lone_commits() != lone_commits {
            // It went on without the standbys that it has to wait for.
            self.lose();
            return Err(Fault::Alone);
        }
        let at = self.take(&rows, asked)?;
        self.sure = self.cursor.clone();
        Ok(at)
    }

    /// Reads what was committed before this call.
    async fn poll(&mut self) -> Result<(), Fault> {
        let link = self.link().await?;
        let cursor = self.cursor.as_ref().map(|cursor| cursor.snapshot.clone());
        let values: [Value<'_>; 2] = [&cursor, &limit()];
        let asked = boot_time();
        let rows = self.ask(&link, &upkeep::POLL, &values).await?;
        self.take(&rows, asked)?;
        Ok(())
    }

    /// Tells which call of the roll this node answers, where it heard of it and nowhere else.
    async fn tell(&mut self, roll: RollId) -> Result<(), Fault> {
        let link = self.link.clone().filter(|link| link.is_open());
        let link = link.ok_or(Fault::Busy)?;
        let (node, number) = (self.node.clone(), roll.0.cast_signed());
        let values: [Value<'_>; 2] = [&node.as_str(), &number];
        self.ask(&link, &upkeep::ANSWER, &values).await.map(drop)
    }

    /// The connection; another one if it ended, which goes on from the last sure cursor.
    async fn link(&mut self) -> Result<Arc<Link>, Fault> {
        if let Some(link) = &self.link {
            if link.is_silent(boot_time(), self.store.deadline) {
                self.store.dialler.end(link);
            }
            if link.is_open() {
                return Ok(link.clone());
            }
        }
        self.lose();
        let link = self.store.dialler.dial().await?;
        self.link = Some(link.clone());
        Ok(link)
    }

    fn lose(&mut self) {
        if let Some(link) = self.link.take() {
            link.give_up();
        }
        self.cursor.clone_from(&self.sure);
    }

    async fn ask(
        &mut self,
        link: &Arc<Link>,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let asking = ask(&self.store, link, statement, values);
        let answer = before(self.store.until(), asking).await;
        self.judged(link, answer)
    }

    /// As [`PostgresChannel::ask`], of what may be a lot: for as long as something comes.
    async fn ask_for_all(
        &mut self,
        link: &Arc<Link>,
        statement: &'static Statement,
    ) -> Result<Vec<Row>, Fault> {
        let answer = {
            let mut asking = pin!(ask(&self.store, link, statement, &[]));
            loop {
                let heard = link.heard();
                let answer = before(self.store.until(), &mut asking).await;
                if answer.is_some() || link.heard() == heard {
                    break answer;
                }
            }
        };
        self.judged(link, answer)
    }

    /// Takes note of what a call that was not answered as it should be says of the connection.
    fn judged(&mut self, link: &Arc<Link>, answer: Option<Asked>) -> Result<Vec<Row>, Fault> {
        let fault = match answer {
            Some(Some(Ok(rows))) => return Ok(rows),
            Some(Some(Err(error))) => Fault::from(error),
            // It ended since it was looked at.
            Some(None) => Fault::Busy,
            None => {
                self.store.dialler.end(link);
                Fault::Late
            }
        };
        self.lose();
        Err(fault)
    }

    /// Takes the answer of a poll, all of it or nothing, and tells its time.
    fn take(&mut self, rows: &[Row], asked: Duration) -> Result<Timestamp, Fault> {
        let taken = self.events(rows, asked);
        let (cursor, seen, events) = match taken {
            Ok(taken) => taken,
            Err(fault) => {
                self.lose();
                return Err(fault);
            }
        };
        let at = cursor.at;
        self.cursor = Some(cursor);
        self.seen = Some(seen);
        self.ready.extend(events);
        self.polled_at = boot_time();
        self.is_due = false;
        Ok(at)
    }

    fn events(&self, rows: &[Row], asked: Duration) -> Result<(Cursor, Seen, Vec<Event>), Fault> {
        let first = rows.first().ok_or(Fault::Corrupt("horizon"))?;
        let seen = Seen::read(first, 2)?;
        let cursor = Cursor {
            at: row::time(first, 0, "now")?,
            snapshot: row::value::<&str>(first, 1, "snapshot")?.to_owned(),
        };
        let removed_until = row::time(first, 9, "removed_until")?;
        let is_swept = |cursor: &Cursor| cursor.at <= removed_until + SNAPSHOT_SKEW;
        let is_behind = self.cursor.as_ref().is_some_and(is_swept);
        if self.is_another(&seen, asked)? || is_behind || rows.len() > CHANGES_MAX {
            return Ok((cursor, seen, vec![Event::Flush]));
        }
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(kind) = row::value(row, 10, "kind")? {
                events.push(change::event(kind, row, 11)?);
            }
        }
        Ok((cursor, seen, events))
    }

    /// Whether this is another server than the last time, or the same started anew, to which
    /// the numbers of transactions in the cursor mean nothing.
    fn is_another(&self, now: &Seen, asked: Duration) -> Result<bool, Fault> {
        self.store.dialler.note(now, asked)?;
        let before = self.seen.as_ref();
        Ok(before.is_some_and(|before| before.judge(now) != Loss::Same))
    }

    /// Waits until there may be changes. Where the caller stops waiting, the next call goes on.
    async fn wait(&mut self) {
        if !self.is_due {
            let left = (self.polled_at + POLL).saturating_sub(boot_time());
            // Either way there may be some now.
            let _ = tokio::time::timeout(left, self.changed.changed()).await;
            self.is_due = true;
        }
        // Writers that do not stop are looked at in turns, and not one by one.
        let pause = (self.polled_at + POLL_PAUSE).saturating_sub(boot_time());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        self.changed.mark_unchanged();
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Channel for PostgresChannel {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Leased
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        if let Err(fault) = self.store.prove(self.store.until()).await {
            return told("watch", Act::Read, Err(fault));
        }
        let answer = match self.link().await {
            Ok(link) => self.ask_for_all(&link, &upkeep::SNAPSHOT).await,
            Err(fault) => Err(fault),
        };
        let answer = answer.and_then(|rows| change::snapshot(&rows));
        told("watch", Act::Read, answer)
    }

    async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            self.wait().await;
            told("watch", Act::Read, self.poll().await)?;
        }
    }

    async fn ready(&mut self) -> Result<Option<Event>> {
        Ok(self.ready.pop_front())
    }

    async fn barrier(&mut self) -> Result<BarrierId> {
        // What was acknowledged before this call is visible to the statement of the heartbeat,
        // and so comes with its answer.
        let at = told("watch", Act::Read, self.heartbeat().await)?;
        self.barriers += 1;
        let id = BarrierId(self.barriers);
        self.ready.push_back(Event::Passed(id, at));
        Ok(id)
    }

    async fn answer(&mut self, roll: RollId) -> Result<()> {
        told("watch", Act::Read, self.tell(roll).await)
    }
}

impl fmt::Debug for PostgresChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresChannel")
            .field("node", &self.node)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// What a connection answered; nothing where it ended before it was asked.
type Asked = Option<Result<Vec<Row>, tokio_postgres::Error>>;

async fn ask(
    store: &Inner,
    link: &Link,
    statement: &'static Statement,
    values: &[Value<'_>],
) -> Asked {
    let turn = link.turn().await?;
    Some(turn.ask(&store.sql, statement, values).await)
}

fn limit() -> i64 {
    i64::try_from(CHANGES_MAX + 1).unwrap_or(i64::MAX)
}
