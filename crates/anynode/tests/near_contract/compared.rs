//! A near cache in front of a store, whose every answer is compared with the store's.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use anynode::{
    NearCache, NearCacheOptions,
    core::{
        Channel, Create, Draft, Facts, Found, Freshness, Handle, Item, Listing, Live, NodeEntry,
        NodeId, Page, Replace, Revoke, Revoked, Roll, Store, Swept, Touch, UserId, Version, Wanted,
        store::Result,
    },
};
use async_trait::async_trait;

/// A node with a near cache whose every answer is compared with the store's.
///
/// A copy that has caught up with the store may only be used if it says what the store says. It
/// is asked between two loads: where these agree, nothing happened in between.
#[derive(Debug)]
pub(crate) struct Compared {
    near: NearCache,
    store: Arc<dyn Store>,
    /// Whatever lived once. If it does not live now, it never will again.
    lived: Arc<Mutex<HashSet<Handle>>>,
}

/// Longer than anything here takes: a server may stand still while the machine writes back.
const PATIENCE: Duration = Duration::from_secs(60);

/// A near cache in front of each handle on one store.
pub(crate) fn compared(
    stores: Vec<Arc<dyn Store>>,
    options: &NearCacheOptions,
) -> Vec<Arc<dyn Store>> {
    let lived = Arc::<Mutex<_>>::default();
    let nodes = stores.into_iter().map(|store| {
        let near = options.clone().over_arc(store.clone());
        let lived = lived.clone();
        Arc::new(Compared { near, store, lived }) as Arc<dyn Store>
    });
    nodes.collect()
}

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

    fn keeps_copies(&self) -> bool {
        self.near.keeps_copies()
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

    async fn leave(&self, node: &NodeId) -> Result<()> {
        self.near.leave(node).await
    }

    async fn call_roll(&self) -> Result<Roll> {
        self.near.call_roll().await
    }

    async fn inspect(&self) -> Result<Facts> {
        self.near.inspect().await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.near.sweep(limit).await
    }
}
