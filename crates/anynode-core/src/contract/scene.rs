//! What the laws start from: nodes on a fresh store, sessions and users, and a channel.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{Task, World};
use crate::{
    Binding, Cause, Channel, Create, Device, Draft, Effect, Event, Handle, Item, Kind, Live,
    Moment, NodeId, Page, Payload, Record, Replace, Revoke, Revoked, SecretHash, Store, Swept,
    Touch, UserEntry, UserId, Version, WriteId,
};

/// Rounds of a race: enough that each planted bug is met, few enough for a store that needs a
/// millisecond for each call.
pub(super) const ROUNDS: usize = 60;

/// Idle timeout of a session that no law lets expire.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// Absolute lifetime of a session that no law lets expire.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A store as one node sees it. Every verb panics on an error: an answer is owed.
#[derive(Clone, Debug)]
pub(super) struct Node(pub(super) Arc<dyn Store>);

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
            random: Random(0x616e_796e_6f64_65),
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

// === impl Node ===

impl Node {
    pub(super) async fn create(&self, draft: &Draft) -> Create {
        self.0.create(draft).await.expect("create answers")
    }

    /// Creates a session whose handle is free.
    pub(super) async fn created(&self, draft: &Draft) -> Live {
        match self.create(draft).await {
            Create::Created(live) => live,
            Create::Duplicate => panic!("the handle was free"),
        }
    }

    pub(super) async fn load(&self, handle: &Handle) -> Option<Live> {
        self.0.load(handle).await.expect("load answers")
    }

    pub(super) async fn is_alive(&self, handle: &Handle) -> bool {
        self.load(handle).await.is_some()
    }

    /// Loads a session that is alive.
    pub(super) async fn loaded(&self, handle: &Handle) -> Live {
        self.load(handle).await.expect("the session is alive")
    }

    pub(super) async fn replace(&self, base: &Version, draft: &Draft) -> Replace {
        self.0.replace(base, draft).await.expect("replace answers")
    }

    /// Replaces a record that nobody else writes.
    pub(super) async fn replaced(&self, base: &Record, draft: &Draft) -> Live {
        match self.replace(&base.version, draft).await {
            Replace::Replaced(live) => live,
            other => panic!("nobody else wrote, but: {other:?}"),
        }
    }

    pub(super) async fn touch(&self, handle: Handle, age: Duration) {
        self.touch_all(&[Touch { handle, age }]).await;
    }

    pub(super) async fn touch_all(&self, batch: &[Touch]) {
        self.0.touch(batch).await.expect("touch answers");
    }

    pub(super) async fn revoke(&self, revoke: &Revoke) -> Revoked {
        self.0.revoke(revoke).await.expect("revoke answers")
    }

    pub(super) async fn revoke_session(&self, handle: Handle) -> Revoked {
        self.revoke(&Revoke::session(handle, Cause::User)).await
    }

    pub(super) async fn revoke_user(&self, user: &UserId) -> UserEntry {
        let revoke = Revoke::user(user.clone(), Cause::User);
        entry(&self.revoke(&revoke).await)
    }

    pub(super) async fn revoke_all_but(&self, user: &UserId, spared: Handle) -> UserEntry {
        let revoke = Revoke::user_except(user.clone(), spared, Cause::User);
        entry(&self.revoke(&revoke).await)
    }

    /// The live sessions of a user, read page by page.
    pub(super) async fn list(&self, user: &UserId, limit: usize) -> Vec<Live> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit };
            let listing = self.0.list(user, &page).await.expect("list answers");
            assert!(listing.sessions.len() <= page.limit(), "a page is bounded");
            all.extend(listing.sessions);
            let Some(next) = listing.next else {
                return all;
            };
            assert!(Some(next) > after, "every page moves on");
            after = Some(next);
        }
    }

    /// The handles of the live sessions of a user.
    pub(super) async fn handles(&self, user: &UserId) -> Vec<Handle> {
        let sessions = self.list(user, Page::LIMIT_MAX).await;
        sessions.iter().map(|live| live.record.handle).collect()
    }

    pub(super) async fn sweep(&self, limit: usize) -> Swept {
        self.0.sweep(limit).await.expect("sweep answers")
    }

    /// Sweeps until everything had its turn at least twice.
    pub(super) async fn sweep_all(&self) {
        for _ in 0..2 {
            let mut calls = 0;
            while self.sweep(100).await.more {
                calls += 1;
                assert!(calls < 10_000, "sweeping comes to an end");
            }
        }
    }

    /// Everything the store keeps, read page by page.
    pub(super) async fn scan(&self, limit: usize) -> Vec<Item> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let items = self.0.scan(cursor.as_ref(), limit).await;
            let items = items.expect("scan answers");
            assert!(items.len() <= limit, "a scan is bounded");
            let Some(last) = items.last().map(handle_of) else {
                return all;
            };
            assert!(Some(last) > cursor, "every scan moves on");
            cursor = Some(last);
            all.extend(items);
        }
    }
}

/// The handle of what a scan gave.
pub(super) fn handle_of(item: &Item) -> Handle {
    match item {
        Item::Record(record, _) => record.handle,
        Item::Tombstone(tombstone) => tombstone.handle,
    }
}

fn entry(revoked: &Revoked) -> UserEntry {
    match revoked.effect {
        Effect::User(entry) => entry,
        other => panic!("a user was revoked, but: {other:?}"),
    }
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
