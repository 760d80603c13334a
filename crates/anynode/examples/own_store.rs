//! A store of one's own, and the proof that it is one: the laws of the contract suite.
//!
//! ```text
//! cargo run  --example own_store
//! cargo test --example own_store
//! ```
//! This one wraps another store and counts its round trips. Write yours the same way: implement
//! every verb (none has a default body, so that a wrapper cannot forget one), then let
//! `contract_tests!` say whether it keeps the laws L1 to L13.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anynode::{
    SystemClock,
    core::{
        Channel, Create, Draft, Facts, Found, Handle, Item, Listing, Live, MemoryStore, NodeEntry,
        NodeId, Page, Replace, Revoke, Revoked, Roll, Store, Swept, Touch, UserId, Version, Wanted,
        store::Result,
    },
};
use async_trait::async_trait;

/// A store that counts how often it is asked.
#[derive(Debug)]
struct Counted<S> {
    store: S,
    round_trips: AtomicU64,
}

impl<S> Counted<S> {
    fn new(store: S) -> Self {
        let round_trips = AtomicU64::new(0);
        Self { store, round_trips }
    }

    fn count(&self) -> &S {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        &self.store
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Counted<S> {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        self.count().create(draft).await
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        self.count().load(handle).await
    }

    fn keeps_copies(&self) -> bool {
        self.store.keeps_copies()
    }

    fn copy(&self, wanted: &Wanted) -> Option<Found> {
        self.store.copy(wanted)
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.count().load_for(wanted).await
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        self.count().replace(base, draft).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        self.count().touch(batch).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        self.count().revoke(revoke).await
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        self.count().list(user, page).await
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        self.count().scan(cursor, limit).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        self.count().watch(node).await
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        self.count().nodes().await
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        self.count().leave(node).await
    }

    async fn call_roll(&self) -> Result<Roll> {
        self.count().call_roll().await
    }

    async fn inspect(&self) -> Result<Facts> {
        self.count().inspect().await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.count().sweep(limit).await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = Counted::new(MemoryStore::new(Arc::new(SystemClock)));
    store.load(&Handle::from_bytes([1; 16])).await?;
    store.sweep(100).await?;
    println!("{} round trips", store.round_trips.load(Ordering::Relaxed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anynode::core::{
        ManualClock,
        contract::{MovedClock, Opening, Runner, Task},
    };
    use tokio::{runtime::Runtime, task::JoinSet};

    use super::*;

    struct Tokio;

    #[async_trait]
    impl Runner for Tokio {
        async fn parallel(&self, tasks: Vec<Task>) {
            let mut running = JoinSet::new();
            for task in tasks {
                running.spawn(task);
            }
            while let Some(ended) = running.join_next().await {
                ended.unwrap();
            }
        }

        async fn patience(&self) {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }

    /// All nodes of this world share one store.
    fn open(clock: Arc<ManualClock>, nodes: usize) -> Opening {
        Box::pin(async move {
            let store: Arc<dyn Store> = Arc::new(Counted::new(MemoryStore::new(clock)));
            vec![store; nodes]
        })
    }

    fn run<F: Future>(future: F) -> F::Output {
        Runtime::new().unwrap().block_on(future)
    }

    anynode::core::contract_tests! {
        world: MovedClock::new(Tokio, open),
        run: run,
        clock: moved,
    }
}
