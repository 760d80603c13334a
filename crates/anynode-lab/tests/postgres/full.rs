//! The server's disk is full (L13).

use std::time::Duration;

use anynode::store::{open, postgres::PostgresStore};
use anynode_core::{
    Cause, Create, Draft, ErrorKind, Event, NodeId, Payload, Revoke, Roll, Store, Verdict,
    expiry::Touch, store::Error,
};
use anynode_lab::server::Setup;
use tokio::time::sleep;

use crate::scene::{Scene, connected, draft, draft_of, next, until_passed, user};

/// Room for a server and what it has before the disk is filled.
const DISK_BYTES: u64 = 160 * 1024 * 1024;

/// More than fit into pages that happen to have room.
const MANY: u32 = 400;

/// Numbers of handles that nobody has.
const UNKNOWN: u32 = 1_000_000;

async fn on_a_small_disk() -> Scene {
    let setup = Setup {
        disk_bytes: Some(DISK_BYTES),
        ..Setup::default()
    };
    Scene::open_with(&setup).await
}

fn fill(scene: &Scene) {
    scene.server.disk().unwrap().fill().unwrap();
}

fn large(number: u32) -> Draft {
    Draft {
        payload: Payload::new(vec![7; 8 * 1024]),
        ..draft(number)
    }
}

fn is_refused(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("disk is full"), "{error}");
}

/// Creates sessions until the server refuses.
async fn create_until_refused(store: &PostgresStore, first: u32) {
    for number in first..first + MANY {
        match store.create(&large(number)).await {
            Ok(created) => assert!(matches!(created, Create::Created(_))),
            Err(error) => return is_refused(&error),
        }
    }
    panic!("the disk is never full");
}

/// Ends sessions that are unknown and users that have none, which takes room for each.
async fn revoke_many(store: &PostgresStore, first: u32) -> Result<(), Error> {
    for number in first..first + MANY {
        let unknown = Revoke::session(draft(number).handle, Cause::User);
        store.revoke(&unknown).await?;
        let of_none = Revoke::user(user(&format!("user {number}")), Cause::Admin);
        store.revoke(&of_none).await?;
    }
    Ok(())
}

async fn reserved(scene: &Scene) -> bool {
    scene.sql("SELECT EXISTS (SELECT FROM {s}.reserve)").await == "t"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_sessions_and_still_revokes_and_registers() {
    let scene = on_a_small_disk().await;
    let store = &scene.store;
    let mut channel = scene.watch().await;
    let one = scene.created(&draft_of(1, "ada")).await.record.handle;
    let other = scene.created(&draft_of(2, "ada")).await.record.handle;
    fill(&scene);
    create_until_refused(store, 10).await;
    revoke_many(store, UNKNOWN).await.unwrap();
    store
        .revoke(&Revoke::session(one, Cause::User))
        .await
        .unwrap();
    assert_eq!(store.load(&one).await.unwrap(), None);
    store
        .revoke(&Revoke::user(user("ada"), Cause::User))
        .await
        .unwrap();
    assert_eq!(store.load(&other).await.unwrap(), None);
    let told = until_passed(channel.as_mut()).await;
    assert!(told.len() > 800, "{}", told.len());
    let Roll::Called(roll) = store.call_roll().await.unwrap() else {
        panic!("nodes hold leases");
    };
    let told = until_passed(channel.as_mut()).await;
    assert!(told.contains(&Event::Roll(roll)), "{told:?}");
    channel.answer(roll).await.unwrap();
    let answered = scene.sql("SELECT max(answered) FROM {s}.node").await;
    assert_eq!(answered, roll.0.to_string());
    for number in 0..100 {
        let node = NodeId::new(format!("node-{number}")).unwrap();
        let mut channel = store.watch(&node).await.unwrap();
        channel.barrier().await.unwrap();
    }
    store.sweep(10).await.unwrap();
}

/// What the reserve gave back is for revocations alone: nothing else takes it while the disk is
/// full, and it is filled again when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn ordinary_writes_wait_until_the_reserve_is_there_again() {
    let scene = on_a_small_disk().await;
    let store = &scene.store;
    let live = scene.created(&draft(1)).await;
    fill(&scene);
    create_until_refused(store, 10).await;
    assert!(reserved(&scene).await, "an ordinary write freed it");
    revoke_many(store, UNKNOWN).await.unwrap();
    assert!(!reserved(&scene).await);
    let touch = Touch {
        handle: live.record.handle,
        age: Duration::ZERO,
    };
    for number in 0..MANY {
        is_refused(&store.create(&large(2_000 + number)).await.unwrap_err());
    }
    is_refused(&store.touch(&[touch]).await.unwrap_err());
    let draft = next(&live.record);
    let replaced = store.replace(&live.record.version, &draft).await;
    is_refused(&replaced.unwrap_err());
    revoke_many(store, 2 * UNKNOWN).await.unwrap();
    scene.server.disk().unwrap().free().unwrap();
    let mut answer = store.create(&large(5_000)).await;
    for _ in 0..100 {
        if answer.is_ok() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        answer = store.create(&large(5_000)).await;
    }
    assert!(matches!(answer.unwrap(), Create::Created(_)));
    assert!(reserved(&scene).await);
    store.touch(&[touch]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_empty_the_reserve_does_without() {
    let mut scene = on_a_small_disk().await;
    scene
        .sql("CREATE ROLE app LOGIN PASSWORD 'anynode-lab'")
        .await;
    let grant = "GRANT USAGE ON SCHEMA {s} TO app; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {s} TO app";
    scene.sql(grant).await;
    let url = scene.url.replace("//anynode:", "//app:");
    scene.store = PostgresStore::open(&url).await.unwrap();
    fill(&scene);
    create_until_refused(&scene.store, 10).await;
    is_refused(&revoke_many(&scene.store, UNKNOWN).await.unwrap_err());
    assert!(reserved(&scene).await);
    let facts = scene.store.inspect().await.unwrap();
    let note = facts.notes.iter().find(|note| note.point == "full disk");
    assert!(matches!(note.unwrap().verdict, Verdict::Caution { .. }));
    // Another may.
    let other = open(&scene.url).await.unwrap();
    let unknown = Revoke::session(draft(3 * UNKNOWN).handle, Cause::User);
    other.revoke(&unknown).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserve_that_was_emptied_is_filled_by_the_next_write() {
    let mut scene = Scene::open().await;
    scene.sql("TRUNCATE {s}.reserve").await;
    let live = scene.created(&draft(1)).await;
    assert!(reserved(&scene).await);
    // It is in no log, so that a crash empties it.
    scene.server.kill().await.unwrap();
    scene.server.restart().await.unwrap();
    assert!(!reserved(&scene).await);
    let mut replaced = scene
        .store
        .replace(&live.record.version, &next(&live.record))
        .await;
    for _ in 0..100 {
        if replaced.is_ok() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        replaced = scene
            .store
            .replace(&live.record.version, &next(&live.record))
            .await;
    }
    replaced.unwrap();
    assert!(reserved(&scene).await);
    let others = (0..20).map(|number| {
        let store = scene.store.clone();
        tokio::spawn(async move { store.create(&draft(100 + number)).await })
    });
    scene.sql("TRUNCATE {s}.reserve").await;
    for other in others.collect::<Vec<_>>() {
        other.await.unwrap().unwrap();
    }
    scene.sql("TRUNCATE {s}.reserve").await;
    scene.store.sweep(10).await.unwrap();
    assert!(reserved(&scene).await, "a sweep fills it as well");
}

/// A dump read the reserve, which was empty after a crash: every ordinary write was refused for
/// as long as that took, because of a disk that had room.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_reserve_or_vacuums_it_refuses_no_write() {
    let scene = Scene::open().await;
    let schema = scene.url.rsplit_once("schema=").unwrap().1;
    let other = connected(&scene).await;
    for (number, mode, is_filled) in [
        (1, "ACCESS SHARE", true),
        (2, "SHARE UPDATE EXCLUSIVE", false),
    ] {
        scene.sql("TRUNCATE {s}.reserve").await;
        let lock = format!("BEGIN; LOCK TABLE {schema}.reserve IN {mode} MODE");
        other.batch_execute(&lock).await.unwrap();
        scene.created(&draft(number)).await;
        assert_eq!(reserved(&scene).await, is_filled, "{mode}");
        other.batch_execute("COMMIT").await.unwrap();
    }
}
