//! The invalidation channel of the store in memory.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    task::{Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    store::{
        BarrierId, Channel, ChannelKind, Event, NodeEntry, NodeId, Result, RollId, Snapshot,
        memory::shelf::Shelf,
    },
    time::{Clock, Timestamp},
};

/// Everyone who watches a store in memory.
pub(super) struct Watchers {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queues: HashMap<u64, Queue>,
    nodes: HashMap<NodeId, Node>,
    opened: u64,
    rolls: u64,
}

/// A node that has registered.
#[derive(Clone, Copy)]
struct Node {
    heartbeat_at: Timestamp,
    answered: Option<RollId>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct MemoryChannel {
    watchers: Arc<Watchers>,
    node: NodeId,
    queue: u64,
    shelf: Arc<RwLock<Shelf>>,
    barriers: u64,
}

/// Events that wait for a slow watcher. Beyond it they are replaced by one flush, so that a
/// watcher that stopped reading costs a bounded amount of memory and misses nothing.
const EVENTS_MAX: usize = 10_000;

/// A node is forgotten after this much silence: three times the default lease.
const SILENCE_MAX: Duration = Duration::from_secs(3);

// === impl Watchers ===

impl Watchers {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Hands an event to everyone who watches. Called while the write's lock is held, so that
    /// events have the order of the writes.
    pub(super) fn tell(&self, event: &Event) {
        self.state().tell(event);
    }

    /// Asks everyone who watches for an answer.
    pub(super) fn call_roll(&self) -> RollId {
        let mut state = self.state();
        state.rolls += 1;
        let roll = RollId(state.rolls);
        state.tell(&Event::Roll(roll));
        roll
    }

    pub(super) fn nodes(&self) -> Vec<NodeEntry> {
        let now = self.clock.now();
        let mut state = self.state();
        let lives = |node: &Node| now.since(node.heartbeat_at) < SILENCE_MAX;
        state.nodes.retain(|_, node| lives(node));
        let nodes = state.nodes.iter();
        nodes
            .map(|(id, node)| NodeEntry {
                node: id.clone(),
                heartbeat_at: node.heartbeat_at,
                answered: node.answered,
            })
            .collect()
    }

    pub(super) fn leave(&self, node: &NodeId) {
        self.state().nodes.remove(node);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watchers({})", self.state().queues.len())
    }
}

// === impl State ===

impl State {
    fn tell(&mut self, event: &Event) {
        for queue in self.queues.values_mut() {
            queue.push(event.clone());
        }
    }

    fn heartbeat(&mut self, node: &NodeId, now: Timestamp) {
        let fresh = Node {
            heartbeat_at: now,
            answered: None,
        };
        self.nodes.entry(node.clone()).or_insert(fresh).heartbeat_at = now;
    }
}

// === impl Queue ===

impl Queue {
    fn push(&mut self, event: Event) {
        if self.events.len() >= EVENTS_MAX {
            // Barriers keep their place behind the flush: what they promise holds, since the
            // flush stands in for everything before it.
            self.events
                .retain(|event| matches!(event, Event::Passed(..)));
            self.events.push_front(Event::Flush);
        }
        self.events.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

// === impl MemoryChannel ===

impl MemoryChannel {
    pub(super) fn open(watchers: Arc<Watchers>, shelf: Arc<RwLock<Shelf>>, node: NodeId) -> Self {
        let now = watchers.clock.now();
        let mut state = watchers.state();
        state.opened += 1;
        let queue = state.opened;
        state.queues.insert(queue, Queue::default());
        state.heartbeat(&node, now);
        drop(state);
        Self {
            watchers,
            shelf,
            node,
            queue,
            barriers: 0,
        }
    }
}

#[async_trait]
impl Channel for MemoryChannel {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Leased
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        // Events of writes between the opening and now are queued as well: repeated, not lost.
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        Ok(shelf.snapshot(self.watchers.clock.now()))
    }

    async fn next(&mut self) -> Result<Event> {
        poll_fn(|context| {
            let mut state = self.watchers.state();
            let queue = state.queues.entry(self.queue).or_default();
            let Some(event) = queue.events.pop_front() else {
                queue.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            Poll::Ready(Ok(event))
        })
        .await
    }

    async fn ready(&mut self) -> Result<Option<Event>> {
        let mut state = self.watchers.state();
        let queue = state.queues.entry(self.queue).or_default();
        Ok(queue.events.pop_front())
    }

    async fn barrier(&mut self) -> Result<BarrierId> {
        self.barriers += 1;
        let (id, now) = (BarrierId(self.barriers), self.watchers.clock.now());
        let mut state = self.watchers.state();
        state.heartbeat(&self.node, now);
        let queue = state.queues.entry(self.queue).or_default();
        if crate::planted("barrier_overtakes_event") {
            queue.events.push_front(Event::Passed(id, now));
            return Ok(id);
        }
        queue.push(Event::Passed(id, now));
        Ok(id)
    }

    async fn answer(&mut self, roll: RollId) -> Result<()> {
        let mut state = self.watchers.state();
        if let Some(node) = state.nodes.get_mut(&self.node) {
            node.answered = node.answered.max(Some(roll));
        }
        Ok(())
    }
}

impl Drop for MemoryChannel {
    fn drop(&mut self) {
        self.watchers.state().queues.remove(&self.queue);
    }
}
