//! What is told when there is no room to remember a revocation: what is at stake, and once.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anynode_core::near::{Full, Reassert};

use crate::{clock::boot_time, store::redis::NAME};

/// What was told of the room there is.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Whether the last recall left something out.
    left_out: AtomicBool,
    /// When it was last told that what was heard had no room.
    told: Mutex<Option<Duration>>,
}

// === impl Room ===

impl Room {
    /// Notes what came of a recall. A store with many tombstones has as many at the next gap, so
    /// that it is told once, until all fit again.
    ///
    /// Nothing that was acknowledged depends on it: whoever revokes remembers it, and so does
    /// whoever hears of it, in the other half of the room.
    pub(super) fn recalled(&self, recalled: Result<(), Full>, live: usize) {
        let left_out = recalled.is_err();
        if left_out {
            count();
        }
        if self.left_out.swap(left_out, Ordering::SeqCst) || !left_out {
            return;
        }
        tracing::warn!(
            store = NAME,
            live,
            room = Reassert::CAPACITY / 2,
            "there are more revocations than this node recalls: after a fail-over it writes those \
             again that it makes or hears of, but not all that others made while it was not \
             connected"
        );
    }

    /// Notes that a revocation that was made or heard of has no room, which is told once a
    /// window.
    pub(super) fn is_full(&self, full: &Full) {
        count();
        let now = boot_time();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|at| now < at + Reassert::WINDOW) {
            return;
        }
        *told = Some(now);
        tracing::error!(
            store = NAME,
            %full,
            "revocations come faster than this node can remember them: it does not write them \
             again after a fail-over, and answers its own as acknowledged by a quorum only"
        );
    }
}

fn count() {
    metrics::counter!("anynode_revocations_not_remembered_total", "store" => NAME).increment(1);
}
