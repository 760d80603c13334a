//! L13: a full store can still revoke.

use anynode_core::{Cause, Create, Draft, ErrorKind, Handle, NodeId, Payload, Revoke, Store};

use crate::scene::{Scene, created, draft, draft_of, user};

const BYTES_MAX: u64 = 400 * 1024;

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
    let reserve = scene.path().with_file_name("sessions.db-reserve");
    assert!(reserve.metadata().expect("is there").len() >= 1024 * 1024);
    // A dangling link is a reserve that is missing and cannot be made, as on a full disk.
    std::fs::remove_file(&reserve).expect("is there");
    std::os::unix::fs::symlink("/missing/reserve", &reserve).expect("links");
    let refused = store.create(&draft()).await.expect_err("no reserve");
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let revoke = Revoke::session(live.record.handle, Cause::User);
    store.revoke(&revoke).await.expect("revoke goes through");
    std::fs::remove_file(&reserve).expect("is a link");
    created(&store, &draft()).await;
    assert!(reserve.metadata().expect("is there again").len() >= 1024 * 1024);
}
