//! What happens between the moment a statement looks and the moment it locks.

use std::time::Duration;

use anynode_core::{Cause, Effect, Replace, Revoke, Store, Touch, UserId};

use crate::scene::{Held, Scene, draft, next, user};

/// What only the statement has that looks at records which may have died.
const SWEEP: &str = "%filed AS%";

/// What only the statement has that revokes a session, whoever it is of.
const REVOKE: &str = "%INSERT INTO %.record AS r%";

/// What only the statement has that writes over a record.
const WRITE: &str = "%record r SET kind = %";

/// Binds the session to a user, which a login does.
async fn log_in(scene: &Scene, number: u32, name: &UserId) {
    let live = scene.store.load(&draft(number).handle).await.unwrap();
    let record = live.unwrap().record;
    let mut bound = next(&record);
    bound.user = Some(name.clone());
    let replaced = scene.store.replace(&record.version, &bound).await.unwrap();
    assert!(matches!(replaced, Replace::Replaced(_)), "{replaced:?}");
}

async fn revoke_all(scene: &Scene, name: &UserId) {
    let revoke = Revoke::user(name.clone(), Cause::User);
    scene.store.revoke(&revoke).await.unwrap();
}

/// Sweeps buried 129 of 6,679 sessions that had just logged in: the statement judged the new
/// record, which it read again to lock it, beside the entry of the user from before.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_leaves_a_session_that_logs_in_meanwhile() {
    for is_revoked_meanwhile in [false, true] {
        let scene = Scene::open().await;
        scene.created(&draft(1)).await;
        let ada = user("ada");
        revoke_all(&scene, &ada).await;
        scene.sql("UPDATE {s}.record SET sweep_at = 1").await;
        let held = Held::of(&scene, SWEEP).await;
        let sweeper = held.store().await;
        let sweep = tokio::spawn(async move { sweeper.sweep(100).await });
        held.wait(&scene).await;
        if is_revoked_meanwhile {
            revoke_all(&scene, &ada).await;
        }
        log_in(&scene, 1, &ada).await;
        held.release().await;
        let swept = sweep.await.unwrap().unwrap();
        assert_eq!(swept.removed, 0, "{is_revoked_meanwhile}");
        let live = scene.store.load(&draft(1).handle).await.unwrap();
        assert!(live.is_some(), "{is_revoked_meanwhile}");
        // What is left for the next sweep is not left for ever.
        revoke_all(&scene, &ada).await;
        assert_eq!(scene.store.sweep(100).await.unwrap().removed, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_tells_that_it_ended_a_session_that_logs_in_meanwhile() {
    let scene = Scene::open().await;
    scene.created(&draft(1)).await;
    let held = Held::of(&scene, REVOKE).await;
    let other = held.store().await;
    let revoke = Revoke::session(draft(1).handle, Cause::User);
    let revoking = tokio::spawn(async move { other.revoke(&revoke).await });
    held.wait(&scene).await;
    let ada = user("ada");
    revoke_all(&scene, &ada).await;
    log_in(&scene, 1, &ada).await;
    held.release().await;
    let revoked = revoking.await.unwrap().unwrap();
    assert_eq!(revoked.effect, Effect::Session);
}

/// A write takes its time before it waits for a touch of the same session to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_moves_no_deadline_back_that_a_touch_moved_meanwhile() {
    let scene = Scene::open().await;
    let live = scene.created(&draft(1)).await;
    let held = Held::of(&scene, WRITE).await;
    let other = held.store().await;
    let (base, write) = (live.record.version, next(&live.record));
    let writing = tokio::spawn(async move { other.replace(&base, &write).await });
    held.wait(&scene).await;
    let touch = Touch {
        handle: draft(1).handle,
        age: Duration::ZERO,
    };
    scene.store.touch(&[touch]).await.unwrap();
    let deadline = async || {
        let live = scene.store.load(&draft(1).handle).await.unwrap();
        live.unwrap().idle_deadline
    };
    let touched = deadline().await;
    held.release().await;
    let written = writing.await.unwrap().unwrap();
    assert!(matches!(written, Replace::Replaced(_)), "{written:?}");
    assert!(deadline().await >= touched);
}
