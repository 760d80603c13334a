//! What the tests start from: a server, a store on it, sessions, and a channel.

use std::{str::FromStr, time::Duration};

use anynode::store::postgres::PostgresStore;
use anynode_core::{
    Channel, Create, Device, Draft, Event, Handle, Kind, Live, Moment, NodeId, Payload, Record,
    SecretHash, Store, UserId, Version, WriteId,
};
use anynode_lab::server::{self, Server, Setup};
use tokio::time::sleep;
use tokio_postgres::{Client, Config, NoTls};

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

    /// Waits until the server answers this question with yes.
    pub(crate) async fn wait(&self, question: &str) {
        for _ in 0..1_000 {
            if self.sql(question).await == "t" {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("in vain: {question}");
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

/// Statements of one kind, held between the moment they look and the moment they lock: their
/// clock is read, and then waits for a lock that the test has.
pub(crate) struct Held {
    holder: Client,
    url: String,
}

impl Held {
    /// Holds the statements whose text is like this, of the stores that are opened from here.
    pub(crate) async fn of(scene: &Scene, text: &str) -> Self {
        scene
            .sql(&format!(
                "CREATE SCHEMA held; GRANT USAGE ON SCHEMA held TO PUBLIC; \
                 CREATE FUNCTION held.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS \
                 $$ DECLARE taken timestamptz := pg_catalog.clock_timestamp(); \
                 BEGIN IF current_query() LIKE '{text}' THEN \
                 PERFORM pg_advisory_xact_lock_shared(7); END IF; \
                 RETURN taken; END $$; \
                 ALTER ROLE anynode SET search_path = held, pg_catalog"
            ))
            .await;
        let holder = connected(scene).await;
        holder
            .batch_execute("SELECT pg_advisory_lock(7)")
            .await
            .unwrap();
        let url = scene.url.clone();
        Self { holder, url }
    }

    /// A store whose statements are held.
    pub(crate) async fn store(&self) -> PostgresStore {
        let options = PostgresStore::options().with_deadline(Duration::from_secs(20));
        options.open(&self.url).await.unwrap()
    }

    /// Waits until a statement is held.
    pub(crate) async fn wait(&self, scene: &Scene) {
        let waiting = "SELECT count(*) = 1 FROM pg_locks \
                       WHERE locktype = 'advisory' AND NOT granted";
        scene.wait(waiting).await;
    }

    pub(crate) async fn release(&self) {
        let unlock = "SELECT pg_advisory_unlock(7)";
        self.holder.batch_execute(unlock).await.unwrap();
    }
}

/// A connection to the server beside those of the store.
pub(crate) async fn connected(scene: &Scene) -> Client {
    let config = Config::from_str(&scene.server.url()).unwrap();
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
