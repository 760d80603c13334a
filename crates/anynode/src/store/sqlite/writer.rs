//! The writer: one thread through which all writes of this process go, in transactions that
//! take what is waiting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anynode_core::{
    Clock, Timestamp,
    store::{Error, ErrorKind, Result},
};
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{NAME, SqliteOptions, fault::Fault, transact::Transactor};
use crate::clock::boot_time;

/// How a write is treated. A transaction holds writes of one urgency only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// An ordinary write: refused when the store is full, and on disk at the next checkpoint.
    Ordinary,
    /// Heartbeats and sweeps: they go through when the store is full.
    Upkeep,
    /// Revocations: as upkeep, and on disk when acknowledged.
    Revocation,
}

/// The sending end of the writer; the thread ends with the last of them.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    deadline: Duration,
}

/// A write that waits for its transaction.
pub(super) trait Job: Send {
    fn urgency(&self) -> Urgency;
    /// When its caller gives up.
    fn until(&self) -> Duration;
    /// Takes the write from its caller, who may no longer count on its not happening; false
    /// when the caller gave up first. Claiming again answers the same.
    fn claim(&mut self) -> bool;
    /// Performs the write inside a transaction; again, if that transaction was undone.
    fn run(&mut self, db: &Connection, now: Timestamp) -> Result<(), Fault>;
    /// Tells the caller, once nothing can change any more.
    fn finish(self: Box<Self>, outcome: Result<(), Failed>);
}

/// Why a transaction did not take place, as far as its stage matters to the caller.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// Before its commit: nothing happened.
    Before(Fault),
    /// In its commit.
    Commit(Fault),
}

struct Pending<T, F> {
    verb: &'static str,
    urgency: Urgency,
    until: Duration,
    act: F,
    answer: Option<T>,
    reply: oneshot::Sender<Result<T>>,
    claim: Arc<AtomicBool>,
    claimed: bool,
}

/// What is known to be true of a transaction soon after the deadline: SQLite is in the midst of
/// it, and a disk that does not answer in this time leaves the outcome open.
const GRACE: Duration = Duration::from_millis(500);

// === impl Writer ===

impl Writer {
    /// Starts the thread.
    pub(super) fn start(transactor: Transactor, options: &SqliteOptions) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(options.queue_max.max(1));
        let (clock, group_max) = (options.clock.clone(), options.group_max.max(1));
        thread::Builder::new()
            .name("anynode-sqlite".to_owned())
            .spawn(move || work(jobs, transactor, clock.as_ref(), group_max))
            .map_err(|error| Error::new(ErrorKind::Unavailable, NAME, "open").with_source(error))?;
        let deadline = options.deadline;
        Ok(Self { queue, deadline })
    }

    /// Performs a write and answers once it is committed. If the caller is dropped, the write
    /// takes place or not, whole in any case.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        verb: &'static str,
        urgency: Urgency,
        act: impl FnMut(&Connection, Timestamp) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let until = boot_time() + self.deadline;
        let (reply, mut answer) = oneshot::channel();
        let claim = Arc::new(AtomicBool::new(false));
        let job = Box::new(Pending {
            verb,
            urgency,
            until,
            act,
            answer: None,
            reply,
            claim: claim.clone(),
            claimed: false,
        });
        let unavailable =
            |detail| Err(Error::new(ErrorKind::Unavailable, NAME, verb).with_detail(detail));
        match timeout(self.deadline, self.queue.send(job)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return unavailable("the writer has ended"),
            Err(_) => return unavailable("too many writes are waiting"),
        }
        let left = until.saturating_sub(boot_time());
        if let Ok(answered) = timeout(left, &mut answer).await {
            return answered.unwrap_or_else(|_| open_ended(verb));
        }
        if !claim.swap(true, Ordering::AcqRel) {
            return Err(Fault::Late.error(verb));
        }
        match timeout(GRACE, answer).await {
            Ok(Ok(answered)) => answered,
            _ => open_ended(verb),
        }
    }
}

fn open_ended<T>(verb: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Indeterminate, NAME, verb)
        .with_detail("the commit was not answered before the deadline"))
}

/// Takes jobs until the last sender is gone.
fn work(
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    mut transactor: Transactor,
    clock: &dyn Clock,
    group_max: usize,
) {
    let mut carried = None;
    while let Some(first) = carried.take().or_else(|| jobs.blocking_recv()) {
        let urgency = first.urgency();
        let mut group = vec![first];
        while group.len() < group_max
            && let Ok(job) = jobs.try_recv()
        {
            if job.urgency() != urgency {
                carried = Some(job);
                break;
            }
            group.push(job);
        }
        transactor.perform(urgency, group, clock);
    }
}

// === impl Pending ===

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: FnMut(&Connection, Timestamp) -> Result<T, Fault> + Send,
{
    fn urgency(&self) -> Urgency {
        self.urgency
    }

    fn until(&self) -> Duration {
        self.until
    }

    fn claim(&mut self) -> bool {
        self.claimed = self.claimed || !self.claim.swap(true, Ordering::AcqRel);
        self.claimed
    }

    fn run(&mut self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        self.answer = None;
        self.answer = Some((self.act)(db, now)?);
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), Failed>) {
        let answer = match outcome {
            Ok(()) => Ok(self.answer.expect("what was committed has run")),
            Err(Failed::Before(fault)) => Err(fault.error(self.verb)),
            Err(Failed::Commit(fault)) => Err(fault.commit_error(self.verb)),
        };
        // A caller that was dropped does not want to know.
        let _ = self.reply.send(answer);
    }
}
