//! Copies of a SQLite file are validated at every read: they are never behind it.

use std::path::PathBuf;

use anynode::{
    NearCache,
    core::{Cause, Create, Freshness, Replace, Revoke, Store, Wanted, near::Condition},
    store::sqlite::SqliteStore,
};

use crate::{
    scene::{PATIENCE, ada, draft, draft_of, handle, next, payload, until},
    spy::{Spy, Verb},
};

struct File {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sessions.db");
        let _directory = directory;
        Self { _directory, path }
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.path).unwrap()
    }
}

async fn trusted(near: &NearCache) {
    until(|| near.condition() == Condition::Trusted).await;
}

#[tokio::test]
async fn what_another_process_acknowledged_is_known_to_the_next_read() {
    let file = File::new();
    let (near, other) = (NearCache::new(file.store()), file.store());
    trusted(&near).await;
    let Create::Created(mut live) = other.create(&draft(1)).await.unwrap() else {
        panic!("the handle was free");
    };
    for written in 2..50 {
        let draft = next(&live, written);
        let replaced = other.replace(&live.record.version, &draft).await.unwrap();
        let Replace::Replaced(newer) = replaced else {
            panic!("nobody else wrote");
        };
        live = newer;
        let wanted = Wanted::new(handle(1), Freshness::Bounded, near.now());
        let found = near.load_for(&wanted).await.unwrap();
        assert_eq!(payload(&found), Some(written), "at once");
    }
    let revoke = Revoke::session(handle(1), Cause::User);
    other.revoke(&revoke).await.unwrap();
    let wanted = Wanted::new(handle(1), Freshness::Bounded, near.now());
    assert_eq!(near.load_for(&wanted).await.unwrap().live, None);
}

#[tokio::test]
async fn a_hit_reads_no_record_even_on_a_strict_route() {
    let file = File::new();
    let spy = Spy::new(file.store());
    let near = NearCache::from_arc(spy.clone());
    trusted(&near).await;
    near.create(&draft(1)).await.unwrap();
    let want = |freshness| Wanted::new(handle(1), freshness, near.now());
    near.load_for(&want(Freshness::Bounded)).await.unwrap();
    near.load_for(&want(Freshness::Bounded)).await.unwrap();
    let loads = spy.calls(Verb::Load);
    for freshness in [Freshness::Bounded, Freshness::Strict].repeat(20) {
        let wanted = want(freshness);
        let found = near.load_for(&wanted).await.unwrap();
        assert_eq!(payload(&found), Some(1));
        assert!(found.as_of >= Some(wanted.arrived), "validated since");
    }
    assert_eq!(spy.calls(Verb::Load), loads);
}

#[tokio::test]
async fn a_user_who_was_revoked_in_another_process_is_refused_by_the_next_read() {
    let file = File::new();
    let (near, other) = (NearCache::new(file.store()), file.store());
    trusted(&near).await;
    other.create(&draft_of(1, &ada())).await.unwrap();
    let want = || Wanted::new(handle(1), Freshness::Bounded, near.now());
    for _ in 0..2 {
        assert!(near.load_for(&want()).await.unwrap().live.is_some());
    }
    let revoke = Revoke::user(ada(), Cause::User);
    other.revoke(&revoke).await.unwrap();
    assert_eq!(near.load_for(&want()).await.unwrap().live, None);
}

/// Reads do not wait for the heartbeat, which is a write.
#[tokio::test]
async fn a_node_is_registered_and_stays_so() {
    let file = File::new();
    let near = NearCache::new(file.store());
    near.caught_up(PATIENCE).await.unwrap();
    let heartbeat = async || {
        let nodes = near.nodes().await.unwrap();
        let own = nodes.iter().find(|entry| entry.node == *near.node());
        own.map(|entry| entry.heartbeat_at)
    };
    let first = heartbeat().await.expect("registered");
    let waiting = async {
        while heartbeat().await <= Some(first) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}
