//! The laws of a store with a near cache in front of each node's handle, and what each copy says
//! compared with what the store says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use anynode::{
    NearCache,
    core::{
        Channel, Create, Draft, Facts, Found, Freshness, Handle, Item, Listing, Live, ManualClock,
        NodeEntry, NodeId, Page, Replace, Revoke, Revoked, Store, Swept, Touch, UserId, Version,
        Wanted,
        contract::{Opening, Runner, Task},
        store::Result,
    },
};
use async_trait::async_trait;
use tokio::{runtime::Runtime, task::JoinSet};

/// Each task as one of the runtime's, on several threads.
struct Tokio;

/// A node with a near cache whose every answer is compared with the store's.
///
/// A copy that has caught up with the store may only be used if it says what the store says. It
/// is asked between two loads: where these agree, nothing happened in between.
#[derive(Debug)]
struct Compared {
    near: NearCache,
    store: Arc<dyn Store>,
    /// Whatever lived once. If it does not live now, it never will again.
    lived: Arc<Mutex<HashSet<Handle>>>,
}

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

// === impl Compared ===

impl Compared {
    async fn compare(&self, handle: &Handle) -> Result<()> {
        let lived = self.lived.lock().unwrap().contains(handle);
        let before = self.store.load(handle).await?;
        self.near.caught_up(PATIENCE).await?;
        let wanted = Wanted::new(*handle, Freshness::Bounded, self.near.now());
        let found = match self.near.copy(&wanted) {
            Some(found) => found,
            None => self.near.load_for(&wanted).await?,
        };
        let after = self.store.load(handle).await?;
        match (before, found.live, after) {
            (Some(before), found, Some(after)) if before.record.version == after.record.version => {
                let found = found.expect("a living session is found");
                assert_eq!(
                    found.record, after.record,
                    "another record than the store's"
                );
                assert!(found.idle_deadline <= after.idle_deadline, "it ends late");
            }
            (None, found, None) if lived => assert_eq!(found, None, "the dead are found"),
            (_, _, Some(after)) => self.lives(&after),
            _ => {}
        }
        Ok(())
    }

    fn lives(&self, live: &Live) {
        self.lived.lock().unwrap().insert(live.record.handle);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Compared {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        let created = self.near.create(draft).await;
        if let Ok(Create::Created(live)) = &created {
            self.lives(live);
        }
        created
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        self.compare(handle).await?;
        self.near.load(handle).await
    }

    fn copy(&self, wanted: &Wanted) -> Option<Found> {
        self.near.copy(wanted)
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.near.load_for(wanted).await
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        self.near.replace(base, draft).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        self.near.touch(batch).await
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        self.near.revoke(revoke).await
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        self.near.list(user, page).await
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        self.near.scan(cursor, limit).await
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        self.near.watch(node).await
    }

    /// The laws count the nodes that they made themselves.
    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        let mut nodes = self.near.nodes().await?;
        nodes.retain(|entry| !entry.node.as_str().starts_with("near-"));
        Ok(nodes)
    }

    async fn inspect(&self) -> Result<Facts> {
        self.near.inspect().await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.near.sweep(limit).await
    }
}

#[async_trait]
impl Runner for Tokio {
    async fn parallel(&self, tasks: Vec<Task>) {
        let mut running = JoinSet::new();
        for task in tasks {
            running.spawn(task);
        }
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    async fn patience(&self) {
        tokio::time::sleep(PATIENCE).await;
    }
}

/// A near cache in front of each of these, all on the clock of the stores.
fn compared(stores: Vec<Arc<dyn Store>>, clock: &Arc<ManualClock>) -> Vec<Arc<dyn Store>> {
    let lived = Arc::<Mutex<_>>::default();
    let nodes = stores.into_iter().map(|store| {
        let options = NearCache::options().with_clock(clock.clone());
        let near = options.over_arc(store.clone());
        let lived = lived.clone();
        Arc::new(Compared { near, store, lived }) as Arc<dyn Store>
    });
    nodes.collect()
}

fn run<F: Future>(future: F) -> F::Output {
    Runtime::new().unwrap().block_on(future)
}

mod memory {
    use anynode::core::{MemoryStore, contract::MovedClock};

    use super::*;

    fn open(clock: Arc<ManualClock>, nodes: usize) -> Opening {
        Box::pin(async move {
            let store = MemoryStore::new(clock.clone());
            let handles = (0..nodes).map(|_| Arc::new(store.clone()) as Arc<dyn Store>);
            compared(handles.collect(), &clock)
        })
    }

    anynode::core::contract_tests! {
        world: MovedClock::new(Tokio, open),
        run: run,
        clock: moved,
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use anynode::{core::contract::MovedClock, store::sqlite::SqliteStore};

    use super::*;

    fn open(clock: Arc<ManualClock>, nodes: usize) -> Opening {
        Box::pin(async move {
            let directory = tempfile::tempdir().unwrap().keep();
            let handles = (0..nodes).map(|_| {
                let options = SqliteStore::options().with_clock(clock.clone());
                let store = options.open(directory.join("sessions.db")).unwrap();
                Arc::new(store) as Arc<dyn Store>
            });
            compared(handles.collect(), &clock)
        })
    }

    anynode::core::contract_tests! {
        world: MovedClock::new(Tokio, open),
        run: run,
        clock: moved,
    }
}
