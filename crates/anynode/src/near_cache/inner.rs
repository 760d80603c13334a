//! What all calls of a near cache share, and what is done about each event.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anynode_core::{
    Channel, ChannelKind, Event, Handle, NodeId, Snapshot, Store,
    near::{
        Act, Assertion, Condition, Feed, Flights, Full, Horizon, Reassert, Shard, StoreShard,
        revoked,
    },
    store::{Error, ErrorKind, Result},
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit, watch},
    time::sleep,
};

use super::{desk::Desk, figures, open::Opens, options::NearCacheOptions};
use crate::random;

/// What all calls of a near cache share.
pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) options: NearCacheOptions,
    pub(super) node: NodeId,
    /// Made when the channel is opened for the first time: before that nothing may be kept.
    copies: OnceLock<Copies>,
    memory: Mutex<Memory>,
    pub(super) feed: Mutex<Feed>,
    /// The channel of a store whose copies are validated at every read.
    pub(super) validator: tokio::sync::Mutex<Option<Box<dyn Channel>>>,
    /// Whether the channel was tried and did not keep its order.
    pub(super) is_out_of_order: AtomicBool,
    /// The turns of those who load.
    herd: Semaphore,
    /// Has the one who listens look at once.
    pub(super) nudge: Notify,
    /// A barrier has passed, or something was lost.
    pub(super) moved: watch::Sender<()>,
    /// The open connections, which close with their sessions.
    pub(super) opens: Opens,
}

/// The copies, and what is known of them.
pub(super) struct Copies {
    pub(super) kind: ChannelKind,
    pub(super) horizon: Horizon,
    desks: Box<[Mutex<Desk>]>,
}

/// What is left to be done by the one who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    /// The snapshot is to be read before anything is trusted again.
    ReadSnapshot,
}

/// What was revoked, and when it was last looked through for what may be forgotten.
struct Memory {
    revocations: Reassert,
    looked_through: Duration,
}

/// The whole store: its channels tell of everything, also where it has several primaries.
pub(super) const STORE: StoreShard = StoreShard(0);

/// How long a revocation may be remembered longer than it has to be. To look a full memory
/// through takes some milliseconds.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// After so long a heartbeat that was under way has arrived, mostly: if not, receipts wait for the
/// node until it was silent for long enough.
const BEAT_LANDS: Duration = Duration::from_millis(100);

// === impl Inner ===

impl Inner {
    pub(super) fn new(store: Arc<dyn Store>, options: NearCacheOptions) -> Self {
        let node = options.node.clone().unwrap_or_else(|| {
            let name = format!("near-{:016x}", random::number());
            NodeId::new(name).expect("letters, digits and a hyphen")
        });
        let memory = Memory {
            revocations: Reassert::new(Reassert::WINDOW, options.revocations_max),
            looked_through: Duration::ZERO,
        };
        Self {
            store,
            node,
            copies: OnceLock::new(),
            memory: Mutex::new(memory),
            feed: Mutex::new(Feed::new(STORE)),
            validator: tokio::sync::Mutex::default(),
            is_out_of_order: AtomicBool::new(false),
            herd: Semaphore::new(options.loads_max),
            nudge: Notify::new(),
            moved: watch::channel(()).0,
            opens: Opens::new(options.term),
            options,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.options.clock.now()
    }

    /// The copies; `None` before the channel was opened for the first time.
    pub(super) fn copies(&self) -> Option<&Copies> {
        self.copies.get()
    }

    /// Notes that a channel was opened, the first one or another: all copies are old.
    ///
    /// # Errors
    /// `Config` when it is of another kind than the first one.
    pub(super) fn opened(&self, kind: ChannelKind) -> Result<&Copies> {
        let copies = self.copies.get_or_init(|| Copies::new(kind, &self.options));
        if copies.kind != kind {
            let error = Error::new(ErrorKind::Config, "near cache", "watch");
            return Err(error.with_detail("the store changed the kind of its channel"));
        }
        self.feed().opened(&copies.horizon);
        self.opens.flush();
        Ok(copies)
    }

    /// Takes a node out of the registry. This one's own gives its lease up before, since receipts
    /// wait for it no more.
    pub(super) async fn leave(&self, node: &NodeId) -> Result<()> {
        if *node == self.node && !anynode_core::planted("near_leaves_with_its_lease") {
            self.end();
            // A heartbeat that is under way would register it again.
            sleep(BEAT_LANDS).await;
        }
        self.store.leave(node).await
    }

    /// Gives up the lease and the copies, for good.
    fn end(&self) {
        self.feed().left();
        if let Some(copies) = self.copies() {
            self.feed().lost(&copies.horizon);
            // A route that takes old ones needs no lease, and what is revoked is heard no more.
            copies.clear();
        }
        self.opens.trusts(None);
        // No heartbeat comes that would publish it.
        figures::publish(self);
    }

    /// Learns what was revoked before the channel was opened.
    pub(super) fn learn(&self, copies: &Copies, snapshot: &Snapshot) {
        let now = self.now();
        let learned = {
            let (mut feed, mut memory) = (self.feed(), self.memory(now));
            feed.snapshot(snapshot, &mut memory.revocations, &copies.horizon, now)
        };
        if let Err(full) = learned {
            figures::not_remembered();
            tracing::warn!(
                %full,
                "more revocations are live than this node recalls; until their sessions would \
                 have ended they are refused by the store alone"
            );
        }
        for tombstone in &snapshot.revoked {
            copies.forget(&tombstone.handle);
        }
        self.opens.learn(snapshot);
    }

    /// Applies an event. All of it is done when this returns, so that the next one may come.
    pub(super) fn hear(&self, copies: &Copies, event: &Event) -> Next {
        let now = self.now();
        let (act, told) = {
            let (mut feed, mut memory) = (self.feed(), self.memory(now));
            feed.hear(event, &mut memory.revocations, &copies.horizon, now)
        };
        raise(told);
        if let Event::Passed(..) = event {
            self.moved.send_replace(());
        }
        let next = match act {
            Act::Nothing => Next::GoOn,
            Act::Forget(handle) => {
                copies.forget(&handle);
                Next::GoOn
            }
            Act::ReadSnapshot => Next::ReadSnapshot,
        };
        self.opens.hear(event, copies.horizon.as_of(STORE));
        next
    }

    /// Notes that the channel had nothing left to tell when it was asked then.
    pub(super) fn feed_validated(&self, copies: &Copies, asked: Duration) {
        {
            let (mut feed, memory) = (self.feed(), self.memory(asked));
            feed.validated(asked, &memory.revocations, &copies.horizon);
        }
        self.opens.trusts(copies.horizon.as_of(STORE));
    }

    /// Notes that the channel was lost, or that the store refused the heartbeat.
    pub(super) fn missed(&self, error: &Error) {
        if let Some(copies) = self.copies() {
            match error.is_refusal() && !anynode_core::planted("near_refused_reads_through") {
                true => self.feed().refused(&copies.horizon),
                false if anynode_core::planted("near_lost_channel_keeps_lease") => {}
                false => self.feed().lost(&copies.horizon),
            }
            self.opens.trusts(copies.horizon.as_of(STORE));
        }
        self.moved.send_replace(());
    }

    /// Applies a revocation of this node's own, which the store acknowledged.
    pub(super) fn revoked(&self, copies: &Copies, assertion: Assertion) {
        let now = self.now();
        let event = assertion.event();
        let (act, told) = {
            let mut memory = self.memory(now);
            revoked(assertion, &mut memory.revocations, &copies.horizon, now)
        };
        raise(told);
        if let Act::Forget(handle) = act {
            copies.forget(&handle);
        }
        self.opens.hear(&event, copies.horizon.as_of(STORE));
    }

    /// Waits until everything is known that was acknowledged before this call.
    pub(super) async fn caught_up(&self, limit: Duration) -> Result<()> {
        let since = self.now();
        let mut moved = self.moved.subscribe();
        let waiting = async {
            loop {
                if let Some(copies) = self.copies() {
                    if copies.kind == ChannelKind::ValidatedPerRead {
                        self.validate(copies, since).await;
                    }
                    if copies.horizon.as_of(STORE) >= Some(since) {
                        return;
                    }
                }
                self.nudge.notify_one();
                if moved.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(limit, waiting).await.map_err(|_| {
            let error = Error::new(ErrorKind::Unavailable, "near cache", "watch");
            error.with_detail("the channel did not prove in time that nothing is missing")
        })
    }

    /// Waits for the turn of another load, which lasts until the answer is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if anynode_core::planted("near_herd_unbounded") {
            return None;
        }
        Some(self.herd.acquire().await.expect("it is never closed"))
    }

    pub(super) fn condition(&self) -> Condition {
        let now = self.now();
        if self.is_out_of_order.load(Ordering::Relaxed) {
            return Condition::OutOfOrder;
        }
        let Some(copies) = self.copies() else {
            return match self.feed().has_left() {
                true => Condition::Left,
                false => Condition::Starting,
            };
        };
        let (feed, memory) = (self.feed(), self.memory(now));
        feed.condition(&memory.revocations, &copies.horizon, now)
    }

    /// How many copies there are, and how many bytes they take.
    pub(super) fn size(&self) -> (usize, usize) {
        self.copies().map_or((0, 0), |copies| {
            let sizes = copies.desks.iter().map(|desk| locked(desk).size());
            sizes.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
        })
    }

    /// What is known to be revoked, for as long as the answer is held.
    pub(super) fn with_memory<T>(&self, read: impl FnOnce(&Reassert) -> T) -> T {
        read(&self.memory(self.now()).revocations)
    }

    pub(super) fn feed(&self) -> MutexGuard<'_, Feed> {
        locked(&self.feed)
    }

    /// Nothing else is locked while it is held, but for whoever holds the feed or a desk before.
    fn memory(&self, now: Duration) -> MutexGuard<'_, Memory> {
        let mut memory = locked(&self.memory);
        if memory.looked_through + FORGET_EVERY <= now {
            memory.looked_through = now;
            memory.revocations.forget(now);
        }
        memory
    }
}

// === impl Copies ===

impl Copies {
    fn new(kind: ChannelKind, options: &NearCacheOptions) -> Self {
        let (desks, limits) = options.desks();
        let desk = |_| Mutex::new(Desk::new(limits, Flights::of(kind, options.term)));
        Self {
            kind,
            horizon: Horizon::new(kind, options.term, 1),
            desks: (0..desks).map(desk).collect(),
        }
    }

    /// The desk of a handle, for as long as it is held; nothing is awaited meanwhile.
    pub(super) fn desk(&self, handle: &Handle) -> MutexGuard<'_, Desk> {
        locked(&self.desks[Shard::of(handle, self.desks.len())])
    }

    /// Forgets a session, by whatever it was ended or changed.
    pub(super) fn forget(&self, handle: &Handle) {
        self.desk(handle).forget(handle, &self.horizon);
    }

    fn clear(&self) {
        self.desks.iter().for_each(|desk| locked(desk).clear());
    }

    /// The hits since it was last asked.
    pub(super) fn take_hits(&self) -> u64 {
        self.desks.iter().map(|desk| locked(desk).take_hits()).sum()
    }
}

fn raise(told: Result<(), Full>) {
    if let Err(full) = told {
        figures::not_remembered();
        tracing::error!(%full, "nothing is answered from copies for ten minutes");
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
