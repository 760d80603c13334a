//! A few connections for one purpose, opened as they are needed and replaced when they end.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio_postgres::Row;

use super::{
    dial::Dialler,
    fault::{Act, Fault},
    link::{Link, Value},
    sql::Sql,
    statement::Statement,
};
use crate::{clock::boot_time, store::net::Address};

/// Connections that stand for each other.
///
/// Purposes have lanes of their own, because on one connection answers come in the order of
/// the requests: a read behind a write waits for the disk, and any call behind a revocation for
/// the standbys.
#[derive(Debug)]
pub(super) struct Lane {
    sql: Arc<Sql>,
    dialler: Arc<Dialler>,
    deadline: Duration,
    links: Mutex<Vec<Arc<Link>>>,
    links_max: usize,
    /// Held while one is made, so that a thousand callers make one.
    dialling: Arc<tokio::sync::Mutex<LastFailure>>,
    room: Semaphore,
    /// No further connection is made before this time, in milliseconds on the boot clock.
    narrow_until: AtomicU64,
}

/// When the last attempt to connect failed, on the boot clock, and why; for those who waited for
/// it.
type LastFailure = Option<(Duration, Fault)>;

/// How many calls of a lane may be under way; further ones wait for room, up to their deadline.
const CALLS_MAX: usize = 4_096;

/// How many connections there may be behind a pooler, where each has one statement under way.
/// Poolers let few clients in by default: pgbouncer 100, which is five nodes.
const POOLED_LINKS_MAX: usize = 8;

/// How often a call is sent anew after what surely did not happen.
const TRIES_MAX: usize = 5;

/// A failure to connect answers those who come this soon after it.
const FAILURE_FRESH: Duration = Duration::from_millis(50);

/// How long the connections that there are have to do after the server gave no other.
const NARROW: Duration = Duration::from_secs(1);

// === impl Lane ===

impl Lane {
    pub(super) fn new(sql: Arc<Sql>, dialler: Arc<Dialler>, links_max: usize) -> Arc<Self> {
        Arc::new(Self {
            deadline: dialler.limit,
            sql,
            dialler,
            links: Mutex::default(),
            links_max,
            dialling: Arc::default(),
            room: Semaphore::new(CALLS_MAX),
            narrow_until: AtomicU64::new(0),
        })
    }

    /// Takes a connection that was made elsewhere.
    pub(super) fn adopt(&self, link: Arc<Link>) {
        self.links().push(link);
    }

    /// Performs a statement before this time on the boot clock.
    pub(super) async fn call(
        self: &Arc<Self>,
        until: Duration,
        act: Act,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let _room = self.room(until).await?;
        let mut tries = 1;
        loop {
            let link = match self.least_busy() {
                Some(link) => link,
                None => before(until, self.link())
                    .await
                    .unwrap_or(Err(Fault::Busy))?,
            };
            let turn = match link.is_pooled {
                true => before(until, link.turn()).await.ok_or(Fault::Busy)?,
                false => link.turn().await,
            };
            let Some(turn) = turn else {
                continue;
            };
            let (lone_commits, answered) = (link.lone_commits(), link.answered());
            let asked = before(until, turn.ask(&self.sql, statement, values)).await;
            let fault = match asked {
                Some(Ok(_)) if act == Act::Write && link.lone_commits() != lone_commits => {
                    Fault::Alone
                }
                Some(Ok(rows)) => return Ok(rows),
                Some(Err(error)) => Fault::from(error),
                None => Fault::Late,
            };
            self.judge(&link, &fault, link.answered() != answered);
            // It was not the one that nobody waited for, and was undone in its place.
            let is_undone = fault.is_cancelled() && link.is_ending();
            if !(is_undone || fault.is_worth_another_try(act)) || tries == TRIES_MAX {
                return Err(fault);
            }
            tries += 1;
        }
    }

    /// Room for a call. Whoever waits needs a timer, and hardly ever does anybody wait.
    async fn room(&self, until: Duration) -> Result<SemaphorePermit<'_>, Fault> {
        if let Ok(room) = self.room.try_acquire() {
            return Ok(room);
        }
        let room = before(until, self.room.acquire()).await;
        Ok(room.ok_or(Fault::Busy)?.expect("it is never closed"))
    }

    /// What a failure says of the connection. Where others were answered since a call that is late
    /// was made, the server or the way to it is slow, and connecting anew would only add to that.
    /// Bytes alone say nothing: behind a garbled length all that follows is taken for one answer
    /// that never ends.
    fn judge(&self, link: &Arc<Link>, fault: &Fault, others_were_answered: bool) {
        match fault {
            Fault::Late if !others_were_answered || link.is_silent(boot_time(), self.deadline) => {
                self.dialler.end(link);
                self.drop_link(link);
            }
            Fault::Late => {
                // Perhaps nobody asks on it again who would find it silent.
                let (dialler, link, limit) = (self.dialler.clone(), link.clone(), self.deadline);
                tokio::spawn(async move {
                    tokio::time::sleep(limit).await;
                    if link.is_silent(boot_time(), limit) {
                        dialler.end(&link);
                    }
                });
            }
            fault if fault.ends_the_link() => self.drop_link(link),
            _ => {}
        }
    }

    /// Whether a pooler is between.
    pub(super) async fn is_pooled(self: &Arc<Self>) -> Result<bool, Fault> {
        Ok(self.link().await?.is_pooled)
    }

    /// The server that is asked.
    pub(super) async fn host(self: &Arc<Self>) -> Result<Address, Fault> {
        Ok(self.link().await?.host.clone())
    }

    /// The connection with the fewest calls under way. Makes one if there is none; if all are
    /// busy and there may be more, another is made meanwhile for later calls.
    async fn link(self: &Arc<Self>) -> Result<Arc<Link>, Fault> {
        if let Some(link) = self.least_busy() {
            return Ok(link);
        }
        let came = boot_time();
        let failure = self.dialling.clone().lock_owned().await;
        if let Some(link) = self.least_busy() {
            return Ok(link);
        }
        if let Some((at, fault)) = failure.as_ref()
            && came.saturating_sub(FAILURE_FRESH) <= *at
        {
            return Err(fault.clone());
        }
        // It goes on when this caller's time is up: if each attempt had only what is left to
        // the one who made it, none would succeed while connecting takes long.
        let lane = self.clone();
        let dialling = tokio::spawn(async move { lane.dial(failure).await });
        dialling.await.unwrap_or(Err(Fault::Busy))
    }

    async fn dial(&self, mut failure: OwnedMutexGuard<LastFailure>) -> Result<Arc<Link>, Fault> {
        let dialled = self.dialler.dial().await;
        match &dialled {
            Ok(link) => self.links().push(link.clone()),
            Err(fault) => *failure = Some((boot_time(), fault.clone())),
        }
        dialled
    }

    fn least_busy(self: &Arc<Self>) -> Option<Arc<Link>> {
        let (mut links, now) = (self.links(), boot_time());
        // Those who asked on a silent one may all have stopped waiting before the deadline, so
        // that nobody else finds out.
        links.retain(|link| {
            if link.is_silent(now, self.deadline) {
                self.dialler.end(link);
            }
            link.is_open()
        });
        // Every call under way holds the connection that it is on.
        let link = links
            .iter()
            .min_by_key(|link| Arc::strong_count(link))?
            .clone();
        let is_busy = Arc::strong_count(&link) > 2;
        let may_be_more = || millis(now) >= self.narrow_until.load(Ordering::Relaxed);
        if is_busy && links.len() < self.links_max_of(&link) && may_be_more() {
            let lane = self.clone();
            tokio::spawn(async move { lane.widen().await });
        }
        Some(link)
    }

    /// Makes another connection, unless somebody is making one. Where the server has no room
    /// for it, those that there are have to do.
    async fn widen(&self) {
        let Ok(_alone) = self.dialling.try_lock() else {
            return;
        };
        let links_max = self
            .links()
            .first()
            .map_or(self.links_max, |link| self.links_max_of(link));
        if self.links().len() >= links_max {
            return;
        }
        match self.dialler.dial().await {
            Ok(link) => self.links().push(link),
            Err(_) => {
                let until = millis(boot_time() + NARROW);
                self.narrow_until.store(until, Ordering::Relaxed);
            }
        }
    }

    fn links_max_of(&self, link: &Link) -> usize {
        match link.is_pooled {
            true => self.links_max.max(POOLED_LINKS_MAX),
            false => self.links_max,
        }
    }

    /// Takes the connection out: whoever waits for an answer on it still gets it.
    fn drop_link(&self, link: &Arc<Link>) {
        link.give_up();
        self.links().retain(|known| !Arc::ptr_eq(known, link));
    }

    fn links(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

/// What the future gives before this time on the boot clock.
pub(super) async fn before<F: Future>(until: Duration, future: F) -> Option<F::Output> {
    let left = until.saturating_sub(boot_time());
    tokio::time::timeout(left, future).await.ok()
}
