//! What the tests start from: a file in a directory of its own, and sessions to put there.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anynode::store::sqlite::{SqliteOptions, SqliteStore};
use anynode_core::{
    Create, Device, Draft, Handle, Kind, Live, ManualClock, Moment, Payload, SecretHash, Store,
    Timestamp, UserId, Version, WriteId,
};

/// A file, removed at the end.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

// === impl Scene ===

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000))),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("sessions.db")
    }

    pub(crate) fn options(&self) -> SqliteOptions {
        SqliteStore::options().with_clock(self.clock.clone())
    }

    pub(crate) fn store(&self) -> SqliteStore {
        self.options().open(self.path()).expect("opens")
    }

    /// A connection of someone else: a person, or another program.
    pub(crate) fn by_hand(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).expect("opens")
    }

    /// A number that one statement answers.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let number = self.by_hand().query_row(sql, [], |row| row.get(0));
        number.expect(sql)
    }
}

/// A session that outlives the test.
pub(crate) fn draft() -> Draft {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut handle = [0; 16];
    handle[..8].copy_from_slice(&number.to_be_bytes());
    Draft {
        handle: Handle::from_bytes(handle),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([0xab; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes(number.to_be_bytes())),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(3_600),
        deadline: Moment::After(Duration::from_secs(86_400)),
        payload: Payload::new(*b"the data of the session"),
        device: Device::default(),
    }
}

/// A session of this user.
pub(crate) fn draft_of(user: &str) -> Draft {
    Draft {
        user: Some(self::user(user)),
        ..draft()
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).expect("1 to 255 bytes")
}

/// Creates the session.
pub(crate) async fn created(store: &SqliteStore, draft: &Draft) -> Live {
    match store.create(draft).await.expect("create answers") {
        Create::Created(live) => live,
        Create::Duplicate => panic!("the handle was free"),
    }
}

/// The next version of a record.
pub(crate) fn next(live: &Live) -> Draft {
    let write = WriteId::from_bytes(NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    live.record.draft(live.record.version.next(write))
}
