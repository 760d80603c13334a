//! L13: a full store can still revoke.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anynode_core::{Cause, Create, Draft, ErrorKind, Handle, NodeId, Payload, Revoke, Store};

use crate::scene::{Scene, created, draft, draft_of, user};

const BYTES_MAX: u64 = 400 * 1024;

const RESERVE_BYTES: u64 = 1024 * 1024;

fn reserve(scene: &Scene) -> PathBuf {
    scene.path().with_file_name("sessions.db-reserve")
}

fn bytes(path: &Path) -> u64 {
    path.metadata().expect("is there").len()
}

/// Reserves that did not come to be.
fn drafts(scene: &Scene) -> usize {
    let directory = scene.path().with_file_name("");
    let entries = directory.read_dir().expect("readable");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    names
        .filter(|name| name.to_string_lossy().contains("-reserve-"))
        .count()
}

fn large() -> Draft {
    Draft {
        payload: Payload::new(vec![7; 16 * 1024]),
        ..draft_of("ada")
    }
}

/// Creates sessions until the store refuses.
async fn fill(store: &impl Store) -> Vec<Handle> {
    let mut handles = Vec::new();
    for _ in 0..1_000 {
        let draft = large();
        match store.create(&draft).await {
            Ok(Create::Created(_)) => handles.push(draft.handle),
            Ok(Create::Duplicate) => panic!("the handle was free"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                return handles;
            }
        }
    }
    panic!("the store is never full");
}

#[tokio::test]
async fn a_full_store_refuses_sessions_and_still_revokes_and_registers() {
    let scene = Scene::new();
    let store = scene.options().with_bytes_max(BYTES_MAX).open(scene.path());
    let store = store.expect("opens");
    let handles = fill(&store).await;
    assert!(handles.len() > 5, "only {}", handles.len());
    // More than fit into pages that happen to have room.
    for number in 0..400 {
        let unseen = draft().handle;
        let revoke = Revoke::session(unseen, Cause::User);
        store.revoke(&revoke).await.expect("revoke goes through");
        let name = user(&format!("user-{number}"));
        let revoke = Revoke::user(name, Cause::Admin);
        store.revoke(&revoke).await.expect("revoke goes through");
    }
    for handle in &handles {
        let revoke = Revoke::session(*handle, Cause::User);
        store.revoke(&revoke).await.expect("revoke goes through");
        assert_eq!(store.load(handle).await.expect("answers"), None);
    }
    let node = NodeId::new("node-1").expect("letters");
    let mut channel = store.watch(&node).await.expect("registers");
    channel.barrier().await.expect("a heartbeat goes through");
}

#[tokio::test]
async fn a_store_with_room_again_takes_sessions_again() {
    let scene = Scene::new();
    let store = scene.options().with_bytes_max(BYTES_MAX).open(scene.path());
    let store = store.expect("opens");
    let handles = fill(&store).await;
    for handle in handles {
        let revoke = Revoke::session(handle, Cause::User);
        store.revoke(&revoke).await.expect("revoke goes through");
    }
    created(&store, &large()).await;
}

#[tokio::test]
async fn while_the_reserve_cannot_be_kept_only_revocations_go_through() {
    let scene = Scene::new();
    let store = scene.store();
    let live = created(&store, &draft()).await;
    let reserve = reserve(&scene);
    assert!(bytes(&reserve) >= RESERVE_BYTES);
    // A directory in its place is a reserve that is missing and cannot be made, as on a full
    // disk.
    fs::remove_file(&reserve).expect("is there");
    fs::create_dir(&reserve).expect("makes");
    for _ in 0..3 {
        let refused = store.create(&draft()).await.expect_err("no reserve");
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(drafts(&scene), 0, "nothing of an attempt stays");
    let revoke = Revoke::session(live.record.handle, Cause::User);
    store.revoke(&revoke).await.expect("revoke goes through");
    fs::remove_dir(&reserve).expect("is empty");
    // It is tried again within a second.
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    while let Err(refused) = store.create(&draft()).await {
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(tokio::time::Instant::now() < until, "never tried again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bytes(&reserve) >= RESERVE_BYTES);
}

#[tokio::test]
async fn a_reserve_that_was_cut_short_is_whole_before_the_next_session() {
    let scene = Scene::new();
    let store = scene.store();
    created(&store, &draft()).await;
    let reserve = reserve(&scene);
    for left in [4_096, 0] {
        let file = fs::OpenOptions::new().write(true).open(&reserve);
        file.expect("opens").set_len(left).expect("is cut short");
        created(&store, &draft()).await;
        assert!(bytes(&reserve) >= RESERVE_BYTES, "cut to {left}");
        assert_eq!(drafts(&scene), 0, "only the reserve itself stays");
    }
}

#[tokio::test]
async fn what_fills_the_reserve_takes_room_where_files_are_compressed() {
    let scene = Scene::new();
    created(&scene.store(), &draft()).await;
    let filled = fs::read(reserve(&scene)).expect("readable");
    let words: HashSet<_> = filled.chunks_exact(16).collect();
    assert_eq!(words.len(), filled.len() / 16, "nothing repeats");
}
