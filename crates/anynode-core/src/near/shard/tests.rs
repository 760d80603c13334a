//! Which copies get in, and for which request one may be used.

use super::*;
use crate::{
    near::{Assertion, Freshness, Through, through},
    session::{
        Cause, Epoch, Payload, SecretHash, UserEntry, UserId, Version, WriteId,
        record::tests::draft,
    },
    store::{ChannelKind, Tombstone},
    time::Timestamp,
};

mod reads;
mod writes;

const A: StoreShard = StoreShard(0);
const B: StoreShard = StoreShard(1);
const HANDLE: Handle = Handle::from_bytes([1; 16]);
const STORE: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SECRET: SecretHash = SecretHash::from_bytes([9; 32]);
const OTHER: SecretHash = SecretHash::from_bytes([8; 32]);

/// A node with two shards of the store, both trusted as of 100.0 s, and one shard of copies.
struct Node {
    horizon: Horizon,
    memory: Reassert,
    shard: Shard,
}

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn node() -> Node {
    let bounds = Bounds {
        copies_max: 100,
        bytes_max: 1 << 20,
    };
    let node = Node {
        horizon: Horizon::new(ChannelKind::Leased, Horizon::TERM, 2),
        memory: Reassert::new(Reassert::WINDOW, 10),
        shard: Shard::new(Limits::new(bounds)),
    };
    node.trusted(100.0);
    node
}

fn ada() -> UserId {
    UserId::new("ada").expect("a name")
}

/// What the store answers of the session in its `counter`-th version.
fn version(counter: u64) -> Live {
    let mut draft = draft(1);
    let write = WriteId::from_bytes(counter.to_be_bytes());
    draft.version = Version { counter, write };
    draft.payload = Payload::new(counter.to_be_bytes());
    draft.live(STORE, None)
}

/// The same, bound to ada, whose entry is on the other shard of the store.
fn bound(counter: u64) -> Live {
    let mut draft = version(counter)
        .record
        .draft(version(counter).record.version);
    draft.user = Some(ada());
    draft.live(STORE, None)
}

fn ask(now: f64) -> Ask<'static> {
    Ask {
        handle: HANDLE,
        shard: A,
        secret: Some(&SECRET),
        seen: None,
        freshness: Freshness::Bounded,
        arrived: at(now),
        now: at(now),
    }
}

impl Node {
    fn trusted(&self, as_of: f64) {
        self.horizon.trust(A, Some(at(as_of)));
        self.horizon.trust(B, Some(at(as_of)));
    }

    /// A load that is sent and answered at once, and kept.
    fn loaded(&mut self, live: &Live, sent: f64) {
        let token = self.horizon.token();
        assert_eq!(self.insert(live, token, sent), Fill::Kept);
    }

    fn insert(&mut self, live: &Live, token: Token, sent: f64) -> Fill {
        let answer = answer(live, token, sent);
        self.shard
            .insert(&answer, at(sent), &self.horizon, &self.memory)
    }

    fn wrote(&mut self, live: &Live, token: Token, sent: f64) -> Fill {
        let answer = answer(live, token, sent);
        self.shard
            .wrote(&answer, at(sent), &self.horizon, &self.memory)
    }

    fn forget(&mut self) {
        self.shard.forget(&HANDLE, &self.horizon);
    }

    fn look(&mut self, ask: Ask<'_>) -> Result<u64, Why> {
        match self.shard.look(&ask, &self.horizon) {
            Look::Hit(hit) => Ok(hit.version().counter),
            Look::Miss(miss) => Err(miss.why),
        }
    }
}

fn answer(live: &Live, token: Token, sent: f64) -> Answer<'_> {
    Answer {
        token,
        sent: at(sent),
        live,
        shard: A,
        user_shard: B,
    }
}
