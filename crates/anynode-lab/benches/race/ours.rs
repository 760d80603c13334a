//! The near cache on a Redis, whose sessions another handle of the same Redis writes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anynode::NearCache;
use anynode::store::open;
use anynode_core::near::Condition;
use anynode_core::{
    Create, Freshness, Handle, Live, Payload, Replace, Store, Version, Wanted, WriteId,
};

use crate::session;
use crate::workload::Contender;

/// How long the near cache may take until it is trusted.
const PATIENCE: Duration = Duration::from_secs(20);

/// A near cache, and a store that knows nothing of it.
pub(crate) struct Ours {
    cache: NearCache,
    store: Arc<dyn Store>,
    /// The sessions as they were written last.
    lives: Mutex<HashMap<u32, Live>>,
    loads: AtomicUsize,
}

// === impl Ours ===

impl Ours {
    /// Opens both, and waits until the cache is trusted.
    pub(crate) async fn open(url: &str) -> Self {
        let cache = NearCache::from_arc(open(url).await.unwrap());
        let trusted = async {
            while cache.condition() != Condition::Trusted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let is_trusted = tokio::time::timeout(PATIENCE, trusted).await.is_ok();
        assert!(is_trusted, "the near cache is {:?}", cache.condition());
        Self {
            cache,
            store: open(url).await.unwrap(),
            lives: Mutex::default(),
            loads: AtomicUsize::new(0),
        }
    }

    fn written(&self, key: u32) -> Option<Live> {
        self.lives.lock().unwrap().get(&key).cloned()
    }
}

impl Contender for Ours {
    async fn write(&self, key: u32, number: u32) {
        let payload = Payload::new(number.to_be_bytes());
        let write = WriteId::from_bytes(u64::from(number + 1).to_be_bytes());
        let live = match self.written(key) {
            None => {
                let mut draft = session::draft(key, None);
                (draft.version, draft.payload) = (Version::first(write), payload);
                match self.store.create(&draft).await.unwrap() {
                    Create::Created(live) => live,
                    Create::Duplicate => panic!("each key has a session of its own"),
                }
            }
            Some(before) => {
                let base = before.record.version;
                let mut draft = before.record.draft(base.next(write));
                draft.payload = payload;
                match self.store.replace(&base, &draft).await.unwrap() {
                    Replace::Replaced(live) => live,
                    other => panic!("nobody else writes it, but {other:?}"),
                }
            }
        };
        self.lives.lock().unwrap().insert(key, live);
    }

    async fn read(&self, key: u32) -> Option<u32> {
        let arrived = self.cache.now();
        let wanted = Wanted::new(handle(key), Freshness::Bounded, arrived);
        let found = self.cache.load_for(&wanted).await.unwrap();
        // A copy was known before; whoever shares a load of another one asked nobody either.
        if found.as_of.is_none() {
            self.loads.fetch_add(1, Ordering::Relaxed);
        }
        found.live.as_ref().map(number)
    }

    async fn truth(&self, key: u32) -> Option<u32> {
        let live = self.store.load(&handle(key)).await.unwrap();
        live.as_ref().map(number)
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::Relaxed)
    }
}

fn handle(key: u32) -> Handle {
    session::handle(key)
}

fn number(live: &Live) -> u32 {
    let bytes = live.record.payload.as_bytes();
    u32::from_be_bytes(bytes.try_into().expect("it is what was written"))
}
