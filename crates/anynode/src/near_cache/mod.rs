//! Copies of sessions on the node, for as long as they may be trusted: the near cache.
//!
//! Core decides which copy may be used and when ([`anynode_core::near`]); what is here asks,
//! waits and locks. What is claimed of it, why that holds and what is outside of it stands in
//! `docs/near-cache.md` of the repository. Read in this order:
//!
//! - `options`: what can be chosen, and why the defaults are what they are;
//! - `inner`: what all calls share, and what is done about each event;
//! - `listen`, `validate`: how the channel of the store is followed, under a lease or at each
//!   read;
//! - `trial`: before anything is trusted, the order of that channel is tried;
//! - `desk`: one shard of the copies and the loads under way for it, behind one lock;
//! - `read`, `load`: a copy, or else a load that many may share;
//! - `write`: writes go through, and the copies follow what was acknowledged;
//! - `open`: connections that are closed when their session ends;
//! - `figures`: what is counted.

mod desk;
mod figures;
mod inner;
mod listen;
mod load;
mod open;
mod options;
mod read;
mod trial;
mod validate;
mod write;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anynode_core::{
    Channel, Create, Draft, Facts, Found, Handle, Item, Listing, Live, NodeEntry, NodeId, Page,
    Replace, Revoke, Revoked, Roll, Store, Swept, Touch, UserId, Version, Wanted, near::Condition,
    store::Result,
};
use async_trait::async_trait;
use tokio::task::AbortHandle;

use self::inner::Inner;
pub(crate) use self::open::Hold;
pub use self::options::NearCacheOptions;

/// A store that keeps copies of what it read from another one.
///
/// A request that hits a copy asks nobody. What was revoked or written on any node is known
/// here as soon as the store's channel tells of it: nearby that is about a millisecond on Redis,
/// some ten on PostgreSQL, and up to 333 behind a pooler. At the latest it is when the lease has
/// run out, 1.01 s after the acknowledgement, and as long again as a deposed primary of the store
/// may still answer, which `anynode doctor` tells. A node that cannot know asks the store. On
/// SQLite there is no lease: the file is asked at every read whether anything was committed.
///
/// It is a store like any other: each write goes through before any copy changes, and
/// [`Store::load`] always asks the store. Only [`Store::copy`] and [`Store::load_for`], by which
/// [`SessionLayer`](crate::SessionLayer) reads, answer from copies.
///
/// The channel is opened when the cache is made or, outside of a runtime of tokio, by the first
/// call; until it is there every call goes through. Before that its order is tried, and a server
/// or proxy that breaks it is refused ([`NearCacheOptions::with_trial`]). It is closed when the
/// cache is dropped.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use anynode::{NearCache, SessionLayer, SystemClock, core::MemoryStore};
/// use std::sync::Arc;
///
/// let store = MemoryStore::new(Arc::new(SystemClock));
/// let layer = SessionLayer::new(NearCache::new(store));
/// # });
/// ```
pub struct NearCache {
    inner: Arc<Inner>,
    /// Who follows the channel; nobody ever will where it was closed before it was opened.
    listening: OnceLock<Option<AbortHandle>>,
}

// === impl NearCache ===

impl NearCache {
    /// Copies of what is in `store`, everything at its default.
    pub fn new(store: impl Store) -> Self {
        Self::options().over(store)
    }

    /// As [`NearCache::new`], for a store that others hold too or that was opened by URL.
    pub fn from_arc(store: Arc<dyn Store>) -> Self {
        Self::options().over_arc(store)
    }

    /// What can be chosen beforehand.
    pub fn options() -> NearCacheOptions {
        NearCacheOptions::default()
    }

    /// Waits until all that the store acknowledged before this call is known here, or gives up
    /// after `limit`. It costs a barrier, which is a small write.
    ///
    /// # Errors
    /// `Unavailable` when the channel did not prove it in time.
    pub async fn caught_up(&self, limit: Duration) -> Result<()> {
        self.listen();
        self.inner.caught_up(limit).await
    }

    /// What the clock says that is counted on: the machine's boot clock.
    pub fn now(&self) -> Duration {
        self.inner.now()
    }

    /// How the channel stands.
    pub fn condition(&self) -> Condition {
        self.inner.condition()
    }

    /// The name under which this node is registered with the store.
    pub fn node(&self) -> &NodeId {
        &self.inner.node
    }

    /// How many copies there are, whether they may be used now or not.
    pub fn copies(&self) -> usize {
        self.inner.size().0
    }

    /// How many bytes the copies take, everything counted.
    pub fn bytes(&self) -> usize {
        self.inner.size().1
    }

    /// Ends the near cache, for good, and takes the node out of the registry, so that no receipt
    /// of a revocation waits for it ([`AdminSessions::revoke_and_confirm`]). To be called when the
    /// server has answered its last request: there are no copies after this, every read goes
    /// through, and for connections that are still open the store is asked again and again.
    ///
    /// Without it a node that ended is waited for until it was silent for 3 seconds, and 20 on
    /// Redis.
    ///
    /// # Errors
    /// Those of [`Store::leave`].
    ///
    /// [`AdminSessions::revoke_and_confirm`]: crate::AdminSessions::revoke_and_confirm
    pub async fn close(&self) -> Result<()> {
        self.leave(self.node()).await
    }

    /// How long a lease is for.
    pub(crate) fn term(&self) -> Duration {
        self.inner.options.term
    }

    /// Holds a connection open of a session that was so as of `known`, for as long as that is
    /// known to live, and not longer than for `patience` when it is not known.
    pub(crate) fn hold(&self, live: &Live, known: Duration, patience: Duration) -> Hold {
        self.listen();
        self.inner.hold(live, known, patience)
    }

    fn start(store: Arc<dyn Store>, options: NearCacheOptions) -> Self {
        let cache = Self {
            inner: Arc::new(Inner::new(store, options)),
            listening: OnceLock::new(),
        };
        cache.listen();
        cache
    }

    /// Opens the channel, once and where there is a runtime.
    fn listen(&self) {
        if self.listening.get().is_some() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let start = || {
                let listening = runtime.spawn(listen::listen(self.inner.clone()));
                Some(listening.abort_handle())
            };
            self.listening.get_or_init(start);
        }
    }

    fn stop_listening(&self) {
        if anynode_core::planted("near_listens_for_ever") {
            return;
        }
        if let Some(listening) = self.listening.get_or_init(|| None) {
            listening.abort();
        }
    }

    /// What all calls share, with the channel on its way.
    fn inner(&self) -> &Inner {
        self.listen();
        &self.inner
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for NearCache {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        self.inner().create(draft).await
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        self.inner().load(handle).await
    }

    fn keeps_copies(&self) -> bool {
        true
    }

    fn copy(&self, wanted: &Wanted) -> Option<Found> {
        self.inner.copy(wanted)
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.inner().load_for(wanted).await
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        self.inner().replace(base, draft).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        self.inner().touch(batch).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        self.inner().revoke(revoke).await
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        self.inner().list(user, page).await
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        self.inner.store.scan(cursor, limit).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        self.inner.store.watch(node).await
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        self.inner.store.nodes().await
    }

    /// This node's own name ends the near cache as well: see [`NearCache::close`].
    async fn leave(&self, node: &NodeId) -> Result<()> {
        if node == self.node() {
            self.stop_listening();
        }
        self.inner.leave(node).await
    }

    async fn call_roll(&self) -> Result<Roll> {
        self.inner.store.call_roll().await
    }

    async fn inspect(&self) -> Result<Facts> {
        self.inner.store.inspect().await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.inner.store.sweep(limit).await
    }
}

impl Drop for NearCache {
    fn drop(&mut self) {
        self.stop_listening();
    }
}

impl fmt::Debug for NearCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCache")
            .field("store", &self.inner.store)
            .field("condition", &self.condition())
            .finish_non_exhaustive()
    }
}
