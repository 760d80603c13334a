//! Nodes with near caches, and what is done to their sessions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anynode::NearCache;
use anynode::store::open;
use anynode_core::near::Condition;
use anynode_core::{Create, Live, Replace, Store, Touch, WriteId};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::session;

/// Sessions that are written and touched.
const SESSIONS: u32 = 1_000;

/// How many of them are created at once.
const CREATED_AT_ONCE: usize = 16;

/// Between two writes, each by another node.
const WRITE_EVERY: Duration = Duration::from_millis(50);

/// Between two batches of touches, each by another node.
const TOUCH_EVERY: Duration = Duration::from_millis(100);

/// Touches of a batch.
const BATCH: usize = 200;

/// How long a near cache may take until it is trusted.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nodes with near caches, in this process.
pub(crate) struct Fleet {
    nodes: Vec<NearCache>,
    /// The sessions as they were written last.
    lives: Mutex<Vec<Live>>,
}

// === impl Fleet ===

impl Fleet {
    /// Starts so many nodes on the store of this URL, with sessions in it, and waits until each
    /// trusts its copies.
    pub(crate) async fn start(url: &str, nodes: usize) -> Self {
        let mut fleet = Vec::new();
        for _ in 0..nodes {
            fleet.push(NearCache::from_arc(open(url).await.unwrap()));
        }
        let store = open(url).await.unwrap();
        let fleet = Self {
            nodes: fleet,
            lives: Mutex::new(created(&store).await),
        };
        fleet.trusted().await;
        fleet
    }

    /// Waits until each node trusts its copies.
    pub(crate) async fn trusted(&self) {
        let trusted = async {
            while !self.is_trusted() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let is_trusted = timeout(PATIENCE, trusted).await.is_ok();
        assert!(is_trusted, "a near cache is not trusted");
    }

    /// Writes sessions at a fixed rate for so long, and answers how many.
    pub(crate) async fn write(&self, lasting: Duration) -> u64 {
        let until = Instant::now() + lasting;
        let mut ticks = ticks(WRITE_EVERY);
        let mut written = 0;
        while Instant::now() < until {
            ticks.tick().await;
            let place = written % usize::try_from(SESSIONS).unwrap();
            let before = self.lives.lock().unwrap()[place].clone();
            let base = before.record.version;
            let write = WriteId::from_bytes(u64::try_from(written).unwrap().to_be_bytes());
            let draft = before.record.draft(base.next(write));
            let node = &self.nodes[written % self.nodes.len()];
            match node.replace(&base, &draft).await.unwrap() {
                Replace::Replaced(live) => self.lives.lock().unwrap()[place] = live,
                other => panic!("nobody else writes it, but {other:?}"),
            }
            written += 1;
        }
        u64::try_from(written).unwrap()
    }

    /// Touches sessions in batches for so long, and answers how many times one was touched.
    pub(crate) async fn touch(&self, lasting: Duration) -> u64 {
        let until = Instant::now() + lasting;
        let mut ticks = ticks(TOUCH_EVERY);
        let mut batches = 0;
        while Instant::now() < until {
            ticks.tick().await;
            let batch: Vec<_> = {
                let lives = self.lives.lock().unwrap();
                let places = (batches * BATCH..).map(|place| place % lives.len());
                let touch = |place: usize| touch(&lives[place]);
                places.take(BATCH).map(touch).collect()
            };
            let node = &self.nodes[batches % self.nodes.len()];
            node.touch(&batch).await.unwrap();
            batches += 1;
        }
        u64::try_from(batches * BATCH).unwrap()
    }

    /// Whether every node trusts its copies.
    pub(crate) fn is_trusted(&self) -> bool {
        let mut nodes = self.nodes.iter();
        nodes.all(|node| node.condition() == Condition::Trusted)
    }
}

/// A rate that is caught up with when a turn was late.
fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    ticks
}

async fn created(store: &Arc<dyn Store>) -> Vec<Live> {
    let mut creating = JoinSet::new();
    let numbers: Vec<u32> = (0..SESSIONS).collect();
    for some in numbers.chunks(numbers.len() / CREATED_AT_ONCE) {
        let (store, some) = (store.clone(), some.to_vec());
        creating.spawn(async move {
            let mut lives = Vec::new();
            for number in some {
                match store.create(&session::draft(number, None)).await.unwrap() {
                    Create::Created(live) => lives.push(live),
                    Create::Duplicate => panic!("each number is used once"),
                }
            }
            lives
        });
    }
    creating.join_all().await.concat()
}

fn touch(live: &Live) -> Touch {
    Touch {
        handle: live.record.handle,
        age: Duration::ZERO,
    }
}
