//! What can be chosen of a near cache.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anynode_core::{
    Clock, NodeId, Store,
    near::{Bounds, Horizon, Limits},
};

use super::NearCache;
use crate::clock::boot_time;

/// What can be chosen of a [`NearCache`] before it is made.
///
/// ```
/// # use anynode::{NearCache, SystemClock, core::MemoryStore};
/// # use std::sync::Arc;
/// let store = MemoryStore::new(Arc::new(SystemClock));
/// let cache = NearCache::options().with_bytes_max(256 << 20).over(store);
/// ```
#[derive(Clone, Debug)]
pub struct NearCacheOptions {
    pub(super) bounds: Bounds,
    pub(super) age_max: Duration,
    pub(super) term: Duration,
    pub(super) loads_max: usize,
    pub(super) patience: Duration,
    pub(super) revocations_max: usize,
    pub(super) node: Option<NodeId>,
    pub(super) is_tried: bool,
    pub(super) clock: BootClock,
}

/// What the node counts leases and ages on.
#[derive(Clone, Debug)]
pub(super) enum BootClock {
    OfTheMachine,
    Given(Arc<dyn Clock>, Arc<AtomicU64>),
}

/// Copies of 500 bytes take 700, so that this many sessions fit into [`BYTES_MAX`].
const COPIES_MAX: usize = 100_000;

/// What a web server has to spare beside its application.
const BYTES_MAX: usize = 64 << 20;

/// Loads at once. At half a millisecond each these are 128,000 a second, more than a store gives
/// to one node; and when all copies are lost at once, twenty nodes still ask for no more than a
/// thousand records at a time.
const LOADS_MAX: usize = 64;

/// How long a load waits for its turn: as long as the calls of the stores may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Half of it is for what was revoked before the channel was opened, which is every session that
/// somebody logged out of within its absolute lifetime. A hundred bytes each, when they are there.
const REVOCATIONS_MAX: usize = 1_000_000;

/// What a lease may be for.
const TERM_MIN: Duration = Duration::from_millis(10);
const TERM_MAX: Duration = Duration::from_secs(60 * 60);

/// The largest number of shards, which are locked one by one.
const DESKS_MAX: usize = 64;

/// A shard holds at least this many copies and bytes, so that a few that are large or fall
/// together do not push each other out.
const DESK_COPIES_MIN: usize = 256;
const DESK_BYTES_MIN: usize = 1 << 20;

// === impl NearCacheOptions ===

impl NearCacheOptions {
    /// How many copies there are at most. Default: 100,000.
    #[must_use]
    pub fn with_copies_max(mut self, copies_max: usize) -> Self {
        self.bounds.copies_max = copies_max;
        self
    }

    /// How many bytes the copies take at most, everything counted. Default: 64 MiB.
    #[must_use]
    pub fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bounds.bytes_max = bytes_max;
        self
    }

    /// How old a copy gets at most, whatever the channel says. Default: 60 seconds.
    #[must_use]
    pub fn with_age_max(mut self, age_max: Duration) -> Self {
        self.age_max = age_max;
        self
    }

    /// How long a lease is for, and so for how long a node that is cut off may go on. Three
    /// heartbeats are sent within it. Default: 1 second; at least 10 ms, and at most an hour.
    ///
    /// Who asks for receipts has to know of a longer one
    /// ([`AdminSessions::with_lease`](crate::AdminSessions::with_lease)), and counts on no more than
    /// 3 seconds: a node that was silent for so long may be registered no more. The companion cookie,
    /// by which clients see their own writes on every node, lives for 2. The program assumes the
    /// default.
    #[must_use]
    pub fn with_lease(mut self, term: Duration) -> Self {
        self.term = term.clamp(TERM_MIN, TERM_MAX);
        self
    }

    /// How many loads are under way at once. Default: 64.
    #[must_use]
    pub fn with_loads_max(mut self, loads_max: usize) -> Self {
        self.loads_max = loads_max.clamp(1, 1 << 16);
        self
    }

    /// How many revocations are remembered, each for ten minutes; those from before the channel was
    /// opened take up half of the room at most, and more of them are left to the store. One more
    /// that is heard, and nothing is answered from copies for ten minutes. Default: 1,000,000.
    #[must_use]
    pub fn with_revocations_max(mut self, revocations_max: usize) -> Self {
        self.revocations_max = revocations_max;
        self
    }

    /// The name of this node, for whoever lists the nodes. Each process has to have one of its own:
    /// two under one name count as one, and one of them would confirm a receipt for both. Default:
    /// one that nobody else has.
    #[must_use]
    pub fn with_node(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// Whether the order of the store's channel is tried before anything is trusted, by 8 sessions
    /// of nobody that end within a minute. Where a server or a proxy breaks it, no copy is used
    /// and every read goes through; an error is logged that says why, and it is tried again
    /// every minute. Default: yes. `anynode doctor` tries more.
    #[must_use]
    pub fn with_trial(mut self, is_tried: bool) -> Self {
        self.is_tried = is_tried;
        self
    }

    /// A clock to count on in place of the machine's boot clock: for tests. Requests then have
    /// to say by [`NearCache::now`] when they arrived.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = BootClock::Given(clock, Arc::default());
        self
    }

    /// Copies of what is in `store`.
    pub fn over(self, store: impl Store) -> NearCache {
        self.over_arc(Arc::new(store))
    }

    /// As [`NearCacheOptions::over`], for a store that others hold too.
    pub fn over_arc(self, store: Arc<dyn Store>) -> NearCache {
        NearCache::start(store, self)
    }

    /// How many shards there are, and what each is limited to.
    pub(super) fn desks(&self) -> (usize, Limits) {
        let Bounds {
            copies_max,
            bytes_max,
        } = self.bounds;
        let desks = (copies_max / DESK_COPIES_MIN)
            .min(bytes_max / DESK_BYTES_MIN)
            .clamp(1, DESKS_MAX);
        let mut limits = Limits::new(Bounds {
            copies_max: copies_max / desks,
            bytes_max: bytes_max / desks,
        });
        limits.age_max = self.age_max;
        (desks, limits)
    }
}

impl Default for NearCacheOptions {
    fn default() -> Self {
        Self {
            bounds: Bounds {
                copies_max: COPIES_MAX,
                bytes_max: BYTES_MAX,
            },
            age_max: Limits::AGE_MAX,
            term: Horizon::TERM,
            loads_max: LOADS_MAX,
            patience: PATIENCE,
            revocations_max: REVOCATIONS_MAX,
            node: None,
            is_tried: true,
            clock: BootClock::OfTheMachine,
        }
    }
}

// === impl BootClock ===

impl BootClock {
    pub(super) fn now(&self) -> Duration {
        match self {
            Self::OfTheMachine => boot_time(),
            // However slowly it moves, what comes later is later.
            Self::Given(clock, asked) => {
                let nanos = asked.fetch_add(1, Ordering::SeqCst);
                Duration::from_millis(clock.now().as_millis()) + Duration::from_nanos(nanos)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_shared_out_and_small_ones_are_not_cut_to_pieces() {
        let desks = |copies, bytes| {
            let options = NearCacheOptions::default();
            let options = options.with_copies_max(copies).with_bytes_max(bytes);
            let (desks, limits) = options.desks();
            assert!(limits.bounds.copies_max * desks <= copies);
            assert!(limits.bounds.bytes_max * desks <= bytes);
            desks
        };
        assert_eq!(desks(COPIES_MAX, BYTES_MAX), DESKS_MAX);
        assert_eq!(desks(10, BYTES_MAX), 1);
        assert_eq!(desks(COPIES_MAX, 3 << 20), 3);
        assert_eq!(desks(0, 0), 1);
    }
}
