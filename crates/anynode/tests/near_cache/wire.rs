//! A store whose channels a test can cut, silence and have refused.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use anynode::core::{
    BarrierId, Channel, ChannelKind, Create, Draft, Error, ErrorKind, Event, Facts, Found, Handle,
    Item, Listing, Live, NodeEntry, NodeId, Page, Replace, Revoke, Revoked, Roll, RollId, Snapshot,
    Store, Swept, Touch, UserId, Version, Wanted, store::Result,
};
use async_trait::async_trait;
use tokio::sync::Notify;

/// The store as one node reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    store: Arc<dyn Store>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    mode: Mutex<Mode>,
    changed: Notify,
    open: AtomicUsize,
}

/// What becomes of the channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Good,
    /// Nothing comes and nothing is answered, and nobody says so.
    Silent,
    /// Every use fails.
    Cut,
    /// The heartbeat is refused.
    Refused,
    /// Barriers are begun, and that they have passed is never told.
    Withheld,
}

#[derive(Debug)]
struct WireChannel {
    channel: Box<dyn Channel>,
    state: Arc<State>,
}

// === impl Wire ===

impl Wire {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let state = Arc::default();
        Self { store, state }
    }

    pub(crate) fn turn(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
        self.state.changed.notify_waiters();
    }

    /// How many channels are open.
    pub(crate) fn channels(&self) -> usize {
        self.state.open.load(SeqCst)
    }
}

// === impl State ===

impl State {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }

    async fn let_through(&self) -> Result<()> {
        let error = || Error::new(ErrorKind::Unavailable, "wire", "watch");
        match self.mode() {
            Mode::Good | Mode::Withheld => Ok(()),
            Mode::Silent => pending().await,
            Mode::Cut => Err(error()),
            Mode::Refused => Err(error().with_refusal()),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Channel for WireChannel {
    fn kind(&self) -> ChannelKind {
        self.channel.kind()
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        self.state.let_through().await?;
        self.channel.snapshot().await
    }

    async fn next(&mut self) -> Result<Event> {
        loop {
            let changed = self.state.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.state.mode() {
                Mode::Good | Mode::Refused | Mode::Withheld => {}
                Mode::Silent => return pending().await,
                Mode::Cut => self.state.let_through().await?,
            }
            tokio::select! {
                event = self.channel.next() => match event {
                    Ok(Event::Passed(..)) if self.state.mode() == Mode::Withheld => {}
                    event => return event,
                },
                () = changed => {}
            }
        }
    }

    async fn ready(&mut self) -> Result<Option<Event>> {
        self.state.let_through().await?;
        self.channel.ready().await
    }

    async fn barrier(&mut self) -> Result<BarrierId> {
        match self.state.mode() {
            // It was sent, and its answer does not come.
            Mode::Silent => self.channel.barrier().await,
            _ => {
                self.state.let_through().await?;
                self.channel.barrier().await
            }
        }
    }

    async fn answer(&mut self, roll: RollId) -> Result<()> {
        self.state.let_through().await?;
        self.channel.answer(roll).await
    }
}

impl Drop for WireChannel {
    fn drop(&mut self) {
        self.state.open.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Wire {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        self.store.create(draft).await
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        self.store.load(handle).await
    }

    fn keeps_copies(&self) -> bool {
        self.store.keeps_copies()
    }

    fn copy(&self, wanted: &Wanted) -> Option<Found> {
        self.store.copy(wanted)
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.store.load_for(wanted).await
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        self.store.replace(base, draft).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        self.store.touch(batch).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        self.store.revoke(revoke).await
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        self.store.list(user, page).await
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        self.store.scan(cursor, limit).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        if self.state.mode() == Mode::Cut {
            self.state.let_through().await?;
        }
        let channel = self.store.watch(node).await?;
        self.state.open.fetch_add(1, SeqCst);
        let state = self.state.clone();
        Ok(Box::new(WireChannel { channel, state }))
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        self.store.nodes().await
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        self.store.leave(node).await
    }

    async fn call_roll(&self) -> Result<Roll> {
        self.store.call_roll().await
    }

    async fn inspect(&self) -> Result<Facts> {
        self.store.inspect().await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.store.sweep(limit).await
    }
}
