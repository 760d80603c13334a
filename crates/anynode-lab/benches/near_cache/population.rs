//! So many sessions, in a near cache and in a plain map.

use std::{sync::Arc, time::Duration};

use anynode::{NearCache, SystemClock};
use anynode_core::{
    Create, Device, Draft, Freshness, MemoryStore, Secret, SessionId, Store, Wanted,
    near::Condition,
};

use crate::{plain::Plain, session};

/// Sessions of users who are logged in, so that a hit needs all that a hit can need.
pub(crate) struct Population {
    pub(crate) ids: Vec<SessionId>,
    pub(crate) cache: NearCache,
    pub(crate) plain: Plain,
    /// What a copy takes: bytes that the process grew by, and bytes that the cache counts.
    pub(crate) bytes: (f64, f64),
}

/// What each record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Without,
    /// The label of a browser and an address, 29 bytes.
    With,
}

const DAY: Duration = Duration::from_secs(86_400);

/// How long a near cache may take until it may be used.
const PATIENCE: Duration = Duration::from_secs(20);

// === impl Population ===

impl Population {
    pub(crate) async fn filled(sessions: u32, label: Label) -> Self {
        let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
        let plain = Plain::new();
        let mut ids = Vec::new();
        for number in 0..sessions {
            let (id, draft) = draft(number, label);
            match store.create(&draft).await.unwrap() {
                Create::Created(live) => plain.insert(live.record),
                Create::Duplicate => panic!("the store is new"),
            }
            ids.push(id);
        }
        let room = usize::try_from(sessions).unwrap();
        let cache = NearCache::options()
            .with_copies_max(2 * room)
            .with_bytes_max(usize::MAX)
            .with_age_max(DAY)
            .over_arc(store);
        trusted(&cache).await;
        let before = resident();
        for id in &ids {
            let found = cache.load_for(&wanted(&cache, id)).await.unwrap();
            assert!(found.live.is_some(), "the session is alive");
        }
        let grown = resident() - before;
        assert_eq!(cache.copies(), room, "there is a copy of each");
        let each = f64::from(sessions);
        let counted: f64 = u32::try_from(cache.bytes()).unwrap().into();
        Self {
            ids,
            bytes: (grown / each, counted / each),
            cache,
            plain,
        }
    }

    /// Waits until copies may be used again, should the machine have stood still.
    pub(crate) fn await_trust(&self) {
        let begun = self.cache.now();
        while self.cache.condition() != Condition::Trusted {
            assert!(self.cache.now() < begun + PATIENCE, "it is trusted again");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What the middleware asks for a request that bears this id and comes in now.
pub(crate) fn wanted(cache: &NearCache, id: &SessionId) -> Wanted {
    let mut wanted = Wanted::new(id.handle(), Freshness::Bounded, cache.now());
    wanted.secret = Some(id.secret_hash());
    wanted
}

/// Waits until copies may be used.
pub(crate) async fn trusted(cache: &NearCache) {
    let becomes = async {
        while cache.condition() != Condition::Trusted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let became = tokio::time::timeout(PATIENCE, becomes).await;
    became.expect("a near cache on a store that answers is trusted");
}

/// The session with this number, of a user of its own, and its id.
pub(crate) fn draft(number: u32, label: Label) -> (SessionId, Draft) {
    let draft = session::draft(number, Some(session::user(number)));
    let mut secret = [0; 16];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    let id = SessionId::new(draft.handle, Secret::from_bytes(secret));
    let draft = Draft {
        secret: id.secret_hash(),
        idle_timeout: DAY,
        device: match label {
            Label::Without => Device::default(),
            Label::With => draft.device,
        },
        ..draft
    };
    (id, draft)
}

/// Bytes of memory that this process has.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<f64>().unwrap() * 1024.0
}
