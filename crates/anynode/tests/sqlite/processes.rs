//! Other processes: one that is killed, and one that holds the lock.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use anynode::store::sqlite::SqliteStore;
use anynode_core::{Draft, ErrorKind, Handle, Store};

use crate::scene::{Scene, created, draft};

/// Set for a test that runs itself as a child: the file to write to.
const CHILD: &str = "ANYNODE_SQLITE_TEST_CHILD";

/// Creates sessions for ever, and tells each handle once it is acknowledged.
fn create_until_killed(path: &str) -> ! {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(path).expect("opens");
        loop {
            let handle = created(&store, &draft()).await.record.handle;
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {handle}").expect("someone reads");
        }
    })
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_in_the_midst_of_writes() {
    if let Ok(path) = env::var(CHILD) {
        std::thread::spawn(move || create_until_killed(&path))
            .join()
            .expect("never ends");
    }
    let scene = Scene::new();
    let name = "processes::what_was_acknowledged_survives_a_kill_in_the_midst_of_writes";
    let mut child = Command::new(env::current_exe().expect("has a path"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, scene.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
    let mut acknowledged: Vec<Handle> = Vec::new();
    for line in lines {
        let line = line.expect("text");
        // The first line of the harness has no end of its own.
        if let Some((_, handle)) = line.split_once("acknowledged ") {
            acknowledged.push(handle.parse().expect("a handle"));
        }
        if acknowledged.len() == 300 {
            child.kill().expect("is killed");
        }
    }
    child.wait().expect("ends");
    assert!(acknowledged.len() >= 300, "{}", acknowledged.len());
    let store = SqliteStore::open(scene.path()).expect("opens");
    for handle in &acknowledged {
        let live = store.load(handle).await.expect("answers");
        assert!(live.is_some(), "an acknowledged session is gone");
    }
    created(
        &store,
        &Draft {
            handle: Handle::from_bytes([0xff; 16]),
            ..draft()
        },
    )
    .await;
}

#[tokio::test]
async fn a_write_waits_for_the_lock_and_no_longer_than_its_deadline() {
    let scene = Scene::new();
    let options = scene.options().with_deadline(Duration::from_millis(300));
    let store = options.open(scene.path()).expect("opens");
    let live = created(&store, &draft()).await;
    let other = scene.by_hand();
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("takes the lock");
    let late = draft();
    let error = store.create(&late).await.expect_err("the lock is taken");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        !format!("{error:?}").contains("database is locked"),
        "{error:?}"
    );
    let read = store.load(&live.record.handle).await;
    assert!(read.expect("answers").is_some(), "readers wait for nobody");
    other.execute_batch("ROLLBACK").expect("lets go");
    created(&store, &late).await;
}

#[tokio::test]
async fn a_lock_that_is_held_for_a_moment_is_waited_for() {
    let scene = Scene::new();
    let store = scene.store();
    let other = scene.by_hand();
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("takes the lock");
    let waiting = draft();
    let write = tokio::spawn({
        let store = store.clone();
        async move { created(&store, &waiting).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!write.is_finished(), "the lock is held");
    other.execute_batch("COMMIT").expect("lets go");
    write.await.expect("is created");
}

#[tokio::test]
async fn a_full_queue_holds_up_no_caller_for_longer_than_the_deadline() {
    let scene = Scene::new();
    let options = scene.options().with_deadline(Duration::from_millis(300));
    let store = options.open(scene.path()).expect("opens");
    let other = scene.by_hand();
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("takes the lock");
    let writes = (0..3_000).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.create(&draft()).await })
    });
    for write in writes.collect::<Vec<_>>() {
        let error = write
            .await
            .expect("no panic")
            .expect_err("the lock is taken");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    other.execute_batch("ROLLBACK").expect("lets go");
    assert_eq!(
        scene.number("SELECT count(*) FROM record"),
        0,
        "refused is not done"
    );
    created(&store, &draft()).await;
}
