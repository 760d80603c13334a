//! Room set aside in the database, so that a full disk still takes revocations (L13).
//!
//! It helps as long as the server has a log to write to: where the log itself has to grow and
//! cannot, PostgreSQL stops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use super::{
    fault::{Act, Fault},
    lane::{Lane, before},
    upkeep,
};
use crate::clock::boot_time;

/// What this node knows of the table `reserve`, which is everybody's.
#[derive(Debug)]
pub(super) struct Reserve {
    /// Until when there is no point in filling it, and what it is worth meanwhile; held while
    /// that is tried, so that a thousand writers make one attempt.
    last: Mutex<(Duration, Result<Room, Fault>)>,
    /// Whether this node has seen that it is not there.
    is_lost: AtomicBool,
}

/// Whether there is room for an ordinary write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The reserve is there.
    Kept,
    /// Somebody has a lock on the reserve, and nothing says that the disk is full.
    Unknown,
}

/// An attempt takes all the room that is left and some milliseconds, so on a full disk not every
/// refused write makes one.
const RETRY: Duration = Duration::from_secs(1);

// === impl Reserve ===

impl Default for Reserve {
    fn default() -> Self {
        Self {
            last: Mutex::new((Duration::ZERO, Ok(Room::Unknown))),
            is_lost: AtomicBool::new(false),
        }
    }
}

impl Reserve {
    /// Makes the reserve unless it is there.
    pub(super) async fn keep(&self, until: Duration, lane: &Arc<Lane>) -> Result<Room, Fault> {
        let mut last = before(until, self.last.lock()).await.ok_or(Fault::Busy)?;
        if boot_time() < last.0 {
            return last.1.clone();
        }
        let keeping = lane.call(until, Act::Write, &upkeep::KEEP_RESERVE, &[]);
        let room = match keeping.await {
            // It is in no log, so what the standbys have of it is nothing.
            Ok(_) | Err(Fault::Alone) => {
                if self.is_lost.swap(false, Ordering::Relaxed) {
                    tracing::warn!("postgres: the reserve is there again; all writes are taken");
                }
                return Ok(Room::Kept);
            }
            Err(fault) if fault.is_locked() && !self.is_lost.load(Ordering::Relaxed) => {
                Ok(Room::Unknown)
            }
            // What became of this is not known, but the write that wants it did not take place.
            Err(fault) if fault.is_locked() || fault.leaves_a_write_open() => Err(Fault::Full),
            Err(fault) => {
                if fault.is_full() {
                    self.lose();
                }
                Err(fault)
            }
        };
        *last = (boot_time() + RETRY, room.clone());
        room
    }

    /// Gives its room back to the disk; false when that is not possible.
    pub(super) async fn free(&self, until: Duration, lane: &Arc<Lane>) -> bool {
        if anynode_core::planted("reserve_stays") {
            return false;
        }
        self.lose();
        let freeing = lane.call(until, Act::Write, &upkeep::FREE_RESERVE, &[]);
        match freeing.await {
            Ok(_) | Err(Fault::Alone) => true,
            Err(fault) => {
                let error = fault.error("revoke", Act::Read);
                tracing::error!(%error, "postgres: the disk is full, and the reserve stays");
                false
            }
        }
    }

    fn lose(&self) {
        if !self.is_lost.swap(true, Ordering::Relaxed) {
            tracing::warn!("postgres: the disk is full; only revocations are taken");
        }
    }
}
