//! What the tests start from: nodes with a near cache each, on one store.

use std::{sync::Arc, time::Duration};

use anynode::{
    NearCache, NearCacheOptions, SystemClock,
    core::{
        Cause, Create, Device, Draft, Found, Freshness, Handle, Kind, Live, MemoryStore, Moment,
        Payload, Replace, Revoke, Secret, SecretHash, Store, UserId, Version, Wanted, WriteId,
        near::Condition,
    },
};

use crate::{
    spy::{Spy, Verb},
    wire::Wire,
};

/// One node: its near cache, the wire to the store, and a spy who counts what goes over it.
pub(crate) struct Node {
    pub(crate) near: Arc<NearCache>,
    pub(crate) wire: Wire,
    pub(crate) spy: Arc<Spy>,
}

/// Longer than anything here takes that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const HOUR: Duration = Duration::from_secs(3_600);

// === impl Node ===

impl Node {
    /// A node on this store that trusts its copies.
    pub(crate) async fn on(store: &MemoryStore, options: NearCacheOptions) -> Self {
        let spy = Spy::new(store.clone());
        let wire = Wire::new(spy.clone());
        let near = Arc::new(options.with_trial(false).over(wire.clone()));
        near.caught_up(PATIENCE).await.unwrap();
        Self { near, wire, spy }
    }

    pub(crate) async fn ask(&self, handle: Handle, freshness: Freshness) -> Found {
        self.find(&Wanted::new(handle, freshness, self.near.now()))
            .await
    }

    pub(crate) async fn find(&self, wanted: &Wanted) -> Found {
        match self.near.copy(wanted) {
            Some(found) => found,
            None => self.near.load_for(wanted).await.unwrap(),
        }
    }

    /// A request like most.
    pub(crate) async fn bounded(&self, handle: Handle) -> Found {
        self.ask(handle, Freshness::Bounded).await
    }

    pub(crate) fn has_copy(&self, handle: Handle) -> bool {
        let wanted = Wanted::new(handle, Freshness::Bounded, self.near.now());
        self.near.copy(&wanted).is_some()
    }

    pub(crate) async fn caught_up(&self) {
        self.near.caught_up(PATIENCE).await.unwrap();
    }

    pub(crate) fn loads(&self) -> usize {
        self.spy.calls(Verb::Load)
    }

    /// A session in the store, and a copy of it on this node.
    pub(crate) async fn with_copy(&self, number: u8) -> Live {
        let live = self.created(&draft(number)).await;
        self.caught_up().await;
        self.bounded(handle(number)).await;
        until(|| self.has_copy(handle(number))).await;
        live
    }

    pub(crate) async fn created(&self, draft: &Draft) -> Live {
        match self.near.create(draft).await.unwrap() {
            Create::Created(live) => live,
            Create::Duplicate => panic!("the handle was free"),
        }
    }

    pub(crate) async fn replaced(&self, live: &Live, payload: u8) -> Live {
        let draft = next(live, payload);
        match self.near.replace(&live.record.version, &draft).await {
            Ok(Replace::Replaced(live)) => live,
            other => panic!("nobody else wrote, but {other:?}"),
        }
    }

    pub(crate) async fn revoke(&self, handle: Handle) {
        let revoke = Revoke::session(handle, Cause::User);
        self.near.revoke(&revoke).await.unwrap();
    }

    pub(crate) async fn until(&self, condition: Condition) {
        until(|| self.near.condition() == condition).await;
    }
}

pub(crate) fn store() -> MemoryStore {
    MemoryStore::new(Arc::new(SystemClock))
}

pub(crate) async fn node() -> Node {
    Node::on(&store(), NearCache::options()).await
}

/// Two nodes on one store.
pub(crate) async fn nodes() -> [Node; 2] {
    let store = store();
    let one = Node::on(&store, NearCache::options()).await;
    [one, Node::on(&store, NearCache::options()).await]
}

pub(crate) fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; 16])
}

pub(crate) fn secret(number: u8) -> SecretHash {
    SecretHash::of(&handle(number), &Secret::from_bytes([number; 16]))
}

pub(crate) fn ada() -> UserId {
    UserId::new("ada").unwrap()
}

/// A session that outlives the test.
pub(crate) fn draft(number: u8) -> Draft {
    Draft {
        handle: handle(number),
        kind: Kind::Session,
        secret: secret(number),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([number; 8])),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: HOUR,
        deadline: Moment::After(HOUR),
        payload: Payload::new([number]),
        device: Device::default(),
    }
}

pub(crate) fn draft_of(number: u8, user: &UserId) -> Draft {
    let mut draft = draft(number);
    draft.user = Some(user.clone());
    draft.authenticated_at = Some(Moment::NOW);
    draft
}

/// The next version of a record, with this payload.
pub(crate) fn next(live: &Live, payload: u8) -> Draft {
    let write = WriteId::from_bytes([payload; 8]);
    let mut draft = live.record.draft(live.record.version.next(write));
    draft.payload = Payload::new([payload]);
    draft
}

pub(crate) fn payload(found: &Found) -> Option<u8> {
    let live = found.live.as_ref()?;
    Some(live.record.payload.as_bytes()[0])
}

/// Waits until it is so.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it becomes so");
}
