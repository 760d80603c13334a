//! What the laws start from: nodes on a fresh store, sessions and users, and a channel.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{Task, World, node::Node};
use crate::{
    Binding, Channel, Device, Draft, Event, Handle, Kind, Live, Moment, NodeId, Payload, Record,
    SecretHash, UserId, Version, WriteId,
};

/// Rounds of a race: enough that each planted bug is met, few enough for a store that needs a
/// millisecond for each call.
pub(super) const ROUNDS: usize = 60;

/// Idle timeout of a session that no law lets expire.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// Absolute lifetime of a session that no law lets expire.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Nodes on one fresh store.
pub(super) struct Scene<'w> {
    pub(super) world: &'w dyn World,
    pub(super) nodes: Vec<Node>,
    pub(super) random: Random,
}

/// Numbers without pattern, the same in each run (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

/// The channel of a node.
pub(super) struct Watch<'w> {
    world: &'w dyn World,
    pub(super) channel: Box<dyn Channel>,
}

// === impl Scene ===

impl<'w> Scene<'w> {
    /// So many nodes on one fresh store.
    pub(super) async fn open(world: &'w dyn World, nodes: usize) -> Self {
        let stores = world.stores(nodes).await;
        assert_eq!(stores.len(), nodes, "the world opens as many as asked for");
        Self {
            world,
            nodes: stores.into_iter().map(Node).collect(),
            random: Random(0x0061_6e79_6e6f_6465),
        }
    }

    /// The first node.
    pub(super) fn node(&self) -> Node {
        self.nodes[0].clone()
    }

    /// The last node: the other one, where there are two.
    pub(super) fn other(&self) -> Node {
        self.nodes[self.nodes.len() - 1].clone()
    }

    /// A new anonymous session that outlives the law.
    pub(super) fn draft(&mut self) -> Draft {
        Draft {
            handle: Handle::from_bytes(self.random.bytes()),
            kind: Kind::Session,
            secret: SecretHash::from_bytes(self.random.bytes()),
            secret_since: Moment::NOW,
            previous: None,
            version: Version::first(self.write_id()),
            user: None,
            created_at: Moment::NOW,
            authenticated_at: None,
            idle_timeout: HOUR,
            deadline: Moment::After(DAY),
            payload: Payload::new(self.random.bytes::<32>()),
            device: Device::default(),
        }
    }

    /// A new session of a user.
    pub(super) fn draft_of(&mut self, user: &UserId) -> Draft {
        let mut draft = self.draft();
        draft.user = Some(user.clone());
        draft.authenticated_at = Some(Moment::NOW);
        draft
    }

    /// A new session that goes unused after one unit.
    pub(super) fn idle_soon(&mut self) -> Draft {
        let mut draft = self.draft();
        draft.idle_timeout = self.world.unit();
        draft
    }

    /// A new session that reaches its absolute deadline after one unit.
    pub(super) fn absolute_soon(&mut self) -> Draft {
        let mut draft = self.draft();
        draft.deadline = Moment::After(self.world.unit());
        draft
    }

    /// An anonymous session in the store.
    pub(super) async fn session(&mut self) -> Live {
        let draft = self.draft();
        self.node().created(&draft).await
    }

    /// A session of a user in the store.
    pub(super) async fn session_of(&mut self, user: &UserId) -> Live {
        let draft = self.draft_of(user);
        self.node().created(&draft).await
    }

    /// The next version of a record, with another payload.
    pub(super) fn next(&mut self, record: &Record) -> Draft {
        next(record, &mut self.random)
    }

    pub(super) fn write_id(&mut self) -> WriteId {
        WriteId::from_bytes(self.random.bytes())
    }

    /// Lets so many units pass on the store's clock.
    pub(super) async fn wait(&self, units: u32) {
        self.world.wait(self.world.unit() * units).await;
    }

    /// Runs all of them at the same time.
    pub(super) async fn parallel(&self, tasks: Vec<Task>) {
        self.world.parallel(tasks).await;
    }

    /// The channel of a node that registers under this name.
    pub(super) async fn watch(&self, node: &Node, name: &str) -> Watch<'w> {
        let id = NodeId::new(name).expect("a name of letters");
        let channel = node.0.watch(&id).await.expect("watch answers");
        Watch {
            world: self.world,
            channel,
        }
    }
}

/// The next version of a record, with another payload.
pub(super) fn next(record: &Record, random: &mut Random) -> Draft {
    let version = record.version.next(WriteId::from_bytes(random.bytes()));
    let mut draft = record.draft(version);
    draft.payload = Payload::new(random.bytes::<32>());
    draft
}

/// A user of this name.
pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).expect("1 to 255 bytes")
}

/// A task of this future.
pub(super) fn task(future: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(future)
}

/// Lets the other tasks have their turn: those of the same thread and those of others, which
/// may be more than there are processors.
pub(super) async fn give_way() {
    let mut given = false;
    std::thread::yield_now();
    poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Begins a call and gives it up at its first wait, as a request does whose client went away;
/// the answer, if it never had to wait.
pub(super) fn begin_and_drop<T>(call: impl Future<Output = T>) -> Option<T> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// Waits for what has to happen; panics when the world's patience ends before.
pub(super) async fn within<T>(world: &dyn World, what: &str, future: impl Future<Output = T>) -> T {
    let (mut future, mut end) = (pin!(future), world.patience());
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(output);
        }
        assert!(end.as_mut().poll(context).is_pending(), "no {what} in time");
        Poll::Pending
    })
    .await
}

/// The binding of a record that has one.
pub(super) fn binding(record: &Record) -> &Binding {
    record.binding.as_ref().expect("the session is bound")
}

// === impl Watch ===

impl Watch<'_> {
    /// Everything that is delivered before a barrier that begins now has passed.
    pub(super) async fn until_passed(&mut self) -> Vec<Event> {
        let events = read_until_passed(self.channel.as_mut());
        within(self.world, "passing of the barrier", events).await
    }
}

/// Everything that is delivered before a barrier that begins now has passed.
pub(super) async fn read_until_passed(channel: &mut dyn Channel) -> Vec<Event> {
    let barrier = channel.barrier().await.expect("barrier answers");
    let mut events = Vec::new();
    loop {
        let event = channel.next().await.expect("the channel holds");
        if matches!(event, Event::Passed(id, _) if id == barrier) {
            return events;
        }
        events.push(event);
    }
}

// === impl Random ===

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]);
        }
        bytes
    }

    /// Another source, for a task of its own.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }
}
