//! Transactions: the write lock, the group, its commit, and what happens when one of these fails.

use std::{sync::Arc, thread, time::Duration};

use anynode_core::Clock;
use rusqlite::Connection;

use super::{
    fault::Fault,
    file::{File, Role},
    line::Line,
    pause::Pause,
    reserve::{RESERVE_BYTES, Reserve},
    writer::{Failed, Job, Urgency},
};
use crate::clock::boot_time;

/// The one write connection of this process.
#[derive(Debug)]
pub(super) struct Transactor {
    file: File,
    reserve: Reserve,
    line: Arc<Line>,
    /// The bound of the file in bytes, if it has one.
    bytes_max: Option<u64>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    db: Connection,
    set_for: Option<Urgency>,
}

type Group = Vec<Box<dyn Job>>;

/// Another process may hold the room for a moment after it was given back: it is filling a
/// reserve that will not fit, or has the removed file open.
const RESERVE_ATTEMPTS: u32 = 3;

/// Longer than it takes to fill a reserve or to read through it.
const RESERVE_PAUSE: Duration = Duration::from_millis(20);

// === impl Transactor ===

impl Transactor {
    pub(super) fn new(file: File, bytes_max: Option<u64>) -> Self {
        Self {
            reserve: Reserve::beside(file.path()),
            line: Arc::new(Line::beside(file.path())),
            file,
            bytes_max,
            open: None,
        }
    }

    /// Performs the group in one transaction and tells every caller. When one of them fails,
    /// each gets a transaction of its own, so that it fails alone.
    pub(super) fn perform(&mut self, urgency: Urgency, mut group: Group, clock: &dyn Clock) {
        let outcome = self.attempt(urgency, &mut group, clock);
        let may_fail_alone = match &outcome {
            Err(Failed::Before(fault)) => !matches!(fault, Fault::Full),
            _ => false,
        };
        if may_fail_alone && group.len() > 1 {
            for job in group {
                let mut alone = vec![job];
                let outcome = self.attempt(urgency, &mut alone, clock);
                finish(alone, &outcome);
            }
            return;
        }
        finish(group, &outcome);
    }

    /// One transaction, and for what may use the reserve more of them with it.
    fn attempt(
        &mut self,
        urgency: Urgency,
        group: &mut Group,
        clock: &dyn Clock,
    ) -> Result<(), Failed> {
        let mut outcome = self.transact(urgency, group, clock);
        for attempt in 0..RESERVE_ATTEMPTS {
            let (Failed::Before(fault) | Failed::Commit(fault)) = match &outcome {
                Ok(()) => break,
                Err(failed) => failed,
            };
            if urgency == Urgency::Ordinary || !fault.is_full() {
                return outcome;
            }
            if attempt > 0 {
                thread::sleep(RESERVE_PAUSE);
            }
            self.reserve.release();
            self.write_back();
            outcome = self.transact(urgency, group, clock);
        }
        // On a full disk a log that grows would take the room that writing it back needs.
        if outcome.is_ok() && self.reserve.is_lost() {
            self.write_back();
        }
        outcome
    }

    fn transact(
        &mut self,
        urgency: Urgency,
        group: &mut Group,
        clock: &dyn Clock,
    ) -> Result<(), Failed> {
        loop {
            self.begin(urgency, group).map_err(Failed::Before)?;
            // From here on a caller who gives up no longer knows the outcome.
            group.retain_mut(|job| job.claim());
            let outcome = self.run(group, clock);
            match &outcome {
                Err(Failed::Before(fault) | Failed::Commit(fault)) if fault.is_busy() => {
                    give_up_late(group);
                }
                _ => return outcome,
            }
            if group.is_empty() {
                return outcome;
            }
        }
    }

    /// Takes the write lock, as soon as it is this process's turn. Whoever's deadline passes
    /// meanwhile is told so; with nobody left there is nothing to begin.
    fn begin(&mut self, urgency: Urgency, group: &mut Group) -> Result<(), Fault> {
        if urgency == Urgency::Ordinary && !self.reserve.keep() {
            return Err(Fault::Full);
        }
        let line = self.line.clone();
        let _head = line.stand();
        let mut pause = Pause::default();
        loop {
            match self
                .ready(urgency)
                .and_then(|db| execute(db, "BEGIN IMMEDIATE"))
            {
                Err(fault) if fault.is_busy() => give_up_late(group),
                begun => return begun,
            }
            if group.is_empty() {
                return Err(Fault::Late);
            }
            pause.sleep();
        }
    }

    fn run(&mut self, group: &mut Group, clock: &dyn Clock) -> Result<(), Failed> {
        let open = self.open.as_ref().expect("a transaction has begun on it");
        let ran = group
            .iter_mut()
            .try_for_each(|job| job.run(&open.db, clock.now()));
        let outcome = match ran {
            Ok(()) => execute(&open.db, "COMMIT").map_err(Failed::Commit),
            Err(fault) => Err(Failed::Before(fault)),
        };
        if outcome.is_err() {
            self.undo();
        }
        outcome
    }

    /// The connection, set to the needs of this urgency.
    fn ready(&mut self, urgency: Urgency) -> Result<&Connection, Fault> {
        if self.open.is_none() {
            let db = self.file.connect(Role::Write)?;
            self.open = Some(Open { db, set_for: None });
        }
        let open = self.open.as_mut().expect("was opened above");
        if open.set_for != Some(urgency) {
            open.set_for = None;
            let synchronous = match urgency {
                Urgency::Ordinary | Urgency::Upkeep => "NORMAL",
                Urgency::Revocation => "FULL",
            };
            open.db
                .execute_batch(&format!("PRAGMA synchronous = {synchronous}"))?;
            if let Some(bytes_max) = self.bytes_max {
                bound(&open.db, urgency, bytes_max)?;
            }
            open.set_for = Some(urgency);
        }
        Ok(&open.db)
    }

    /// Undoes what is left of a transaction. If that fails, closing the connection does it.
    fn undo(&mut self) {
        let Some(open) = &self.open else { return };
        if open.db.is_autocommit() || open.db.execute_batch("ROLLBACK").is_ok() {
            return;
        }
        self.open = None;
    }

    /// Writes the log back into the file, so that it starts over in the room it has.
    fn write_back(&mut self) {
        let Some(open) = &self.open else { return };
        let written = open
            .db
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = written {
            tracing::warn!(%error, "sqlite: the log of a full store was not written back");
        }
    }
}

/// Bounds the file: for ordinary writes as configured, for the others with the reserve added.
fn bound(db: &Connection, urgency: Urgency, bytes_max: u64) -> Result<(), Fault> {
    let page = db.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?;
    let page = u64::try_from(page).unwrap_or(4096).max(1);
    let reserve = match urgency {
        Urgency::Ordinary => 0,
        Urgency::Upkeep | Urgency::Revocation => u64::try_from(RESERVE_BYTES).unwrap_or(u64::MAX),
    };
    let pages = (bytes_max.saturating_add(reserve) / page).clamp(1, u64::from(u32::MAX - 1));
    db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(())
}

fn execute(db: &Connection, sql: &str) -> Result<(), Fault> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Answers those whose deadline has passed.
fn give_up_late(group: &mut Group) {
    let now = boot_time();
    let (late, waiting) = group.drain(..).partition(|job| job.until() <= now);
    *group = waiting;
    finish(late, &Err(Failed::Before(Fault::Late)));
}

fn finish(group: Group, outcome: &Result<(), Failed>) {
    for job in group {
        job.finish(outcome.clone());
    }
}
