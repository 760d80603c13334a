//! What the tests start from: a server, and nodes with a near cache each.

use std::sync::Arc;
use std::time::Duration;

use anynode::NearCache;
use anynode::store::open;
use anynode_core::near::Condition;
use anynode_core::{
    Cause, Create, Device, Draft, Found, Freshness, Handle, Kind, Live, Moment, Payload, Replace,
    Revoke, SecretHash, Store, Version, Wanted, WriteId,
};
use anynode_lab::server::{self, Server};
use tokio::time::{sleep, timeout};

/// Only failures take that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The lease of the nodes: their default.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// What somebody types into `redis-cli` who deletes all sessions by hand.
pub(crate) const REDIS_DELETES_ALL: [&str; 3] = [
    "EVAL",
    "for _, key in ipairs(redis.call('KEYS', '*:k:s:*')) do redis.call('DEL', key) end",
    "0",
];

/// What somebody types into `psql` who does.
pub(crate) const POSTGRES_DELETES_ALL: [&str; 1] = ["DO $$ DECLARE s text; BEGIN
    FOR s IN SELECT schemaname FROM pg_tables WHERE tablename = 'record' LOOP
        EXECUTE format('DELETE FROM %I.record', s);
    END LOOP; END $$"];

/// Two nodes on one server.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) here: Node,
    pub(crate) there: Node,
}

#[derive(Clone)]
pub(crate) struct Node(pub(crate) Arc<NearCache>);

// === impl Scene ===

impl Scene {
    pub(crate) async fn on(kind: server::Kind) -> Self {
        let server = Server::start(kind).await.unwrap();
        let url = server.fresh_url();
        let [here, there] = [Node::on(&url).await, Node::on(&url).await];
        Self {
            server,
            here,
            there,
        }
    }
}

// === impl Node ===

impl Node {
    async fn on(url: &str) -> Self {
        let node = Self(Arc::new(NearCache::from_arc(open(url).await.unwrap())));
        node.trusted().await;
        node
    }

    pub(crate) async fn trusted(&self) {
        eventually("a lease", async || self.0.condition() == Condition::Trusted).await;
    }

    /// What a request is answered, which is asked again while the store cannot be reached.
    pub(crate) async fn ask(&self, handle: Handle) -> Found {
        loop {
            let wanted = self.wanted(handle);
            if let Some(found) = self.0.copy(&wanted) {
                return found;
            }
            if let Ok(found) = self.0.load_for(&wanted).await {
                return found;
            }
        }
    }

    /// Waits until requests are answered as they have to be since what was just acknowledged. No
    /// request that comes after the bound is answered otherwise.
    pub(crate) async fn sees(&self, handle: Handle, is_new: impl Fn(&Found) -> bool) {
        let bound = self.0.now() + LEASE;
        eventually("what was acknowledged is seen", async || {
            let wanted = self.wanted(handle);
            let found = match self.0.copy(&wanted) {
                Some(found) => Ok(found),
                None => self.0.load_for(&wanted).await,
            };
            let Ok(found) = found else { return false };
            let is_new = is_new(&found);
            assert!(
                is_new || wanted.arrived < bound,
                "an old answer after the bound"
            );
            is_new
        })
        .await;
    }

    pub(crate) fn copy(&self, handle: Handle) -> Option<Found> {
        self.0.copy(&self.wanted(handle))
    }

    pub(crate) fn wanted(&self, handle: Handle) -> Wanted {
        Wanted::new(handle, Freshness::Bounded, self.0.now())
    }

    pub(crate) async fn created(&self, number: u8) -> Live {
        match self.0.create(&draft(number)).await.unwrap() {
            Create::Created(live) => live,
            Create::Duplicate => panic!("the handle was free"),
        }
    }

    /// Asks for a session until there is a copy of it.
    pub(crate) async fn has_copy(&self, handle: Handle) {
        eventually("a copy", async || {
            self.ask(handle).await;
            self.copy(handle).is_some()
        })
        .await;
    }

    /// Writes a session, with this as its payload.
    pub(crate) async fn replaced(&self, live: &Live, payload: u8) -> Live {
        let base = live.record.version;
        let mut draft = live
            .record
            .draft(base.next(WriteId::from_bytes([payload; 8])));
        draft.payload = Payload::new([payload]);
        match self.0.replace(&base, &draft).await.unwrap() {
            Replace::Replaced(live) => live,
            other => panic!("nobody else wrote, but {other:?}"),
        }
    }

    pub(crate) async fn revoke(&self, handle: Handle) {
        let revoke = Revoke::session(handle, Cause::User);
        self.0.revoke(&revoke).await.unwrap();
    }
}

pub(crate) fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; 16])
}

pub(crate) fn payload(found: &Found) -> Option<u8> {
    let live = found.live.as_ref()?;
    Some(live.record.payload.as_bytes()[0])
}

fn draft(number: u8) -> Draft {
    Draft {
        handle: handle(number),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([7; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([number; 8])),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(3_600),
        deadline: Moment::After(Duration::from_secs(86_400)),
        payload: Payload::new([number]),
        device: Device::default(),
    }
}

/// Waits for what has to happen.
pub(crate) async fn eventually(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !happened().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}
