//! Rows that no anynode wrote.

use anynode_core::{Cause, Create, ErrorKind, Revoke, Store};

use crate::scene::{Scene, created, draft, draft_of, next, user};

const EDITS: [&str; 7] = [
    "UPDATE record SET kind = 99",
    "UPDATE record SET kind = -1",
    "UPDATE record SET secret = x'00'",
    "UPDATE record SET write = x'0011'",
    "UPDATE record SET deadline = -5",
    "UPDATE record SET user = ''",
    "UPDATE record SET stamp = NULL",
];

#[tokio::test]
async fn a_row_that_cannot_be_read_is_reported_and_kept() {
    for edit in EDITS {
        let scene = Scene::new();
        let store = scene.store();
        let live = created(&store, &draft_of("grace")).await;
        scene.by_hand().execute_batch(edit).expect(edit);
        let load = store.load(&live.record.handle).await;
        let error = load.expect_err(edit);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{edit}");
        assert!(!error.to_string().contains("grace"), "{error}");
        let replace = store.replace(&live.record.version, &next(&live)).await;
        assert_eq!(
            replace.expect_err(edit).kind(),
            ErrorKind::Corrupt,
            "{edit}"
        );
        store.sweep(100).await.expect("a sweep goes on");
        assert_eq!(scene.number("SELECT count(*) FROM record"), 1, "{edit}");
    }
}

#[tokio::test]
async fn a_corrupt_row_disturbs_no_neighbour_in_its_transaction() {
    let scene = Scene::new();
    let store = scene.store();
    let bad = created(&store, &draft()).await;
    scene
        .by_hand()
        .execute_batch("UPDATE record SET kind = 99")
        .expect("writes");
    let writes = (0..20).map(|number| {
        let (store, bad) = (store.clone(), bad.clone());
        tokio::spawn(async move {
            if number % 4 == 0 {
                let replaced = store.replace(&bad.record.version, &next(&bad)).await;
                assert_eq!(replaced.expect_err("is bad").kind(), ErrorKind::Corrupt);
            } else {
                let created = store.create(&draft()).await;
                assert!(matches!(created, Ok(Create::Created(_))));
            }
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.expect("no panic");
    }
    assert_eq!(scene.number("SELECT count(*) FROM record"), 16);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_can_be_revoked() {
    let scene = Scene::new();
    let store = scene.store();
    let draft = draft_of("grace");
    created(&store, &draft).await;
    scene
        .by_hand()
        .execute_batch("UPDATE record SET kind = 99")
        .expect("writes");
    let foreign = Revoke {
        target: anynode_core::Target::SessionOf(user("grace"), draft.handle),
        cause: Cause::User,
    };
    let refused = store
        .revoke(&foreign)
        .await
        .expect_err("whose it is cannot be told");
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    let revoke = Revoke::session(draft.handle, Cause::Admin);
    store.revoke(&revoke).await.expect("answers");
    assert_eq!(store.load(&draft.handle).await.expect("answers"), None);
    assert!(matches!(store.create(&draft).await, Ok(Create::Duplicate)));
}
