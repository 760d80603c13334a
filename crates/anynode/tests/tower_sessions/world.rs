//! A store adapter on a store whose clock the test moves.

use std::{collections::HashMap, sync::Arc};

use anynode::{
    AdminSessions,
    adapter::{StoreAdapter, user_id},
    core::{ManualClock, MemoryStore, Store, Timestamp},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::tower_sessions::{
    Expiry, Session, SessionStore,
    session::{Id, Record},
};

pub(super) const LOGIN: &str = "axum-login.data";

/// The 1st of January 2030.
pub(super) const NOW: Duration = Duration::seconds(1_893_456_000);

pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) store: Arc<dyn Store>,
    pub(super) adapter: StoreAdapter,
}

pub(super) fn world() -> World {
    let millis = NOW.whole_milliseconds().try_into().expect("after 1970");
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(millis)));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    World {
        adapter: StoreAdapter::from_arc(store.clone()),
        store,
        clock,
    }
}

pub(super) fn record(data: Value) -> Record {
    Record {
        id: Id::default(),
        data: serde_json::from_value(data).expect("an object"),
        expiry_date: OffsetDateTime::UNIX_EPOCH + NOW + Duration::hours(1),
    }
}

pub(super) fn login(user: Value) -> Value {
    json!({ LOGIN: { "user_id": user, "auth_hash": [1, 2] } })
}

/// What a handler can see of a record's data.
pub(super) fn visible(record: &Record) -> HashMap<String, Value> {
    let data = record.data.clone().into_iter();
    data.filter(|(key, _)| !key.starts_with('\0')).collect()
}

// === impl World ===

impl World {
    pub(super) async fn created(&self, data: Value) -> Id {
        let mut record = record(data);
        self.adapter.create(&mut record).await.expect("creates");
        record.id
    }

    pub(super) async fn load(&self, id: Id) -> Option<Record> {
        SessionStore::load(&self.adapter, &id).await.expect("loads")
    }

    pub(super) async fn loaded(&self, id: Id) -> Record {
        self.load(id).await.expect("alive")
    }

    pub(super) async fn data(&self, id: Id) -> Value {
        json!(visible(&self.loaded(id).await))
    }

    pub(super) fn session(&self, id: Id) -> Session {
        let expiry = Expiry::AtDateTime(OffsetDateTime::UNIX_EPOCH + NOW + Duration::hours(1));
        Session::new(Some(id), Arc::new(self.adapter.clone()), Some(expiry))
    }

    pub(super) fn admin(&self) -> AdminSessions {
        AdminSessions::new(self.store.clone())
    }

    pub(super) async fn listed(&self, user: &str) -> usize {
        let user = user_id(user).expect("a name");
        let page = self.admin().list(&user, None).await.expect("a list");
        page.0.len()
    }
}
