//! What the tests start from: a server, a store on it, sessions, and a channel.

use std::time::Duration;

use anynode::store::postgres::PostgresStore;
use anynode_core::{
    Channel, Create, Device, Draft, Event, Handle, Kind, Live, Moment, NodeId, Payload, Record,
    SecretHash, Store, UserId, Version, WriteId,
};
use anynode_lab::server::{self, Server, Setup};

/// A server with the store of one schema in it.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) url: String,
    pub(crate) store: PostgresStore,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        Self::open_with(&Setup::default()).await
    }

    pub(crate) async fn open_with(setup: &Setup) -> Self {
        let server = Server::start_with(server::Kind::Postgres, setup)
            .await
            .unwrap();
        let url = server.fresh_url();
        let store = PostgresStore::open(&url).await.unwrap();
        Self { server, url, store }
    }

    /// SQL by hand, in which `{s}` is the schema.
    pub(crate) async fn sql(&self, text: &str) -> String {
        let schema = self.url.rsplit_once("schema=").unwrap().1;
        let text = text.replace("{s}", schema);
        self.server.command(&[&text]).await.unwrap()
    }

    pub(crate) async fn created(&self, draft: &Draft) -> Live {
        match self.store.create(draft).await.unwrap() {
            Create::Created(live) => live,
            Create::Duplicate => panic!("the handle was taken"),
        }
    }

    pub(crate) async fn watch(&self) -> Box<dyn Channel> {
        let node = NodeId::new("watcher").unwrap();
        self.store.watch(&node).await.unwrap()
    }
}

/// A session that outlives its test, with a handle of this number.
pub(crate) fn draft(number: u32) -> Draft {
    let mut handle = [0; 16];
    handle[..4].copy_from_slice(&number.to_be_bytes());
    Draft {
        handle: Handle::from_bytes(handle),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([7; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([1; 8])),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(3_600),
        deadline: Moment::After(Duration::from_secs(86_400)),
        payload: Payload::new(*b"the data of the session"),
        device: Device::default(),
    }
}

pub(crate) fn draft_of(number: u32, name: &str) -> Draft {
    Draft {
        user: Some(user(name)),
        ..draft(number)
    }
}

/// The next version of a record.
pub(crate) fn next(record: &Record) -> Draft {
    let write = record.version.counter.to_be_bytes();
    record.draft(record.version.next(WriteId::from_bytes(write)))
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// What comes before a barrier that begins now.
pub(crate) async fn until_passed(channel: &mut dyn Channel) -> Vec<Event> {
    let barrier = channel.barrier().await.unwrap();
    let mut events = Vec::new();
    loop {
        match channel.next().await.unwrap() {
            Event::Passed(id, _) if id == barrier => return events,
            event => events.push(event),
        }
    }
}

/// A handle as SQL has it.
pub(crate) fn bytea(handle: &Handle) -> String {
    let digits = handle.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    format!("'\\x{}'", digits.collect::<String>())
}
