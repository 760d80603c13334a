//! The near cache's own shard, asked and filled as by a node whose lease never ends.

use std::time::Duration;

use anynode_core::{
    BarrierId, ChannelKind, Device, Draft, Event, Handle, Kind, Live, Moment, Payload, SecretHash,
    Snapshot, Timestamp, Version, WriteId,
    near::{
        Answer, Ask, Bounds, Feed, Freshness, Horizon, Limits, Look, Reassert, Shard, StoreShard,
    },
};

use crate::policies::Policy;

/// What ships.
pub(crate) struct Shipped {
    horizon: Horizon,
    memory: Reassert,
    shard: Shard,
    live: Live,
}

const STORE: StoreShard = StoreShard(0);
const NOW: Duration = Duration::from_secs(1);

// === impl Shipped ===

impl Shipped {
    pub(crate) fn new(room: usize) -> Self {
        let bounds = Bounds {
            copies_max: room,
            bytes_max: usize::MAX,
        };
        let (horizon, at) = (
            Horizon::new(ChannelKind::Leased, Horizon::TERM, 1),
            Timestamp::from_millis(1),
        );
        let mut memory = Reassert::new(Reassert::WINDOW, 1);
        let mut feed = Feed::new(STORE);
        feed.opened(&horizon);
        feed.snapshot(&Snapshot::default(), &mut memory, &horizon, NOW)
            .expect("it is empty");
        feed.began(BarrierId(1), NOW);
        let passed = Event::Passed(BarrierId(1), at);
        let (_, told) = feed.hear(&passed, &mut memory, &horizon, NOW);
        told.expect("no revocation");
        Self {
            horizon,
            memory,
            shard: Shard::new(Limits::new(bounds)),
            live: session().live(at, None),
        }
    }
}

impl Policy for Shipped {
    fn request(&mut self, key: u64) -> bool {
        let handle = Handle::from_bytes(u128::from(key).to_be_bytes());
        let ask = Ask {
            handle,
            shard: STORE,
            secret: None,
            seen: None,
            freshness: Freshness::Bounded,
            arrived: NOW,
            now: NOW,
        };
        if let Look::Hit(_) = self.shard.look(&ask, &self.horizon) {
            return true;
        }
        std::sync::Arc::make_mut(&mut self.live.record).handle = handle;
        let answer = Answer {
            token: self.horizon.token(),
            sent: NOW,
            live: &self.live,
            shard: STORE,
            user_shard: STORE,
        };
        self.shard.insert(&answer, NOW, &self.horizon, &self.memory);
        false
    }
}

fn session() -> Draft {
    Draft {
        handle: Handle::from_bytes([0; 16]),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([0; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([0; 8])),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(60),
        deadline: Moment::After(Duration::from_secs(60)),
        payload: Payload::new([]),
        device: Device::default(),
    }
}
