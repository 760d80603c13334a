//! What may go wrong before the first call, and what a doctor has to try to know.

use std::time::{Duration, Instant};

use anynode::store::postgres::PostgresStore;
use anynode_core::{ErrorKind, Store, Verdict};
use tokio::time::timeout;

use crate::scene::{Scene, connected};

/// What everything that is waited for takes at most on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// An `open` waited for as long as somebody held the lock under which a schema is made.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::disallowed_methods, reason = "measures what a caller waits")]
async fn an_open_ends_though_somebody_changes_the_schema() {
    let scene = Scene::open().await;
    let holder = connected(&scene).await;
    // Its number is "anynode" in ASCII.
    let lock = format!("SELECT pg_advisory_lock({})", 0x0061_6e79_6e6f_6465_i64);
    holder.batch_execute(&lock).await.unwrap();
    let options = PostgresStore::options().with_deadline(Duration::from_millis(200));
    let begun = Instant::now();
    let opening = timeout(LONG, options.open(&scene.server.fresh_url())).await;
    let error = opening.expect("it ends").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(
        begun.elapsed() > Duration::from_secs(1),
        "a migration may take its time"
    );
    // Nobody is left waiting on the server either.
    let nobody = "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    scene.wait(nobody).await;
}

/// A password in the URL says nothing of a server that asks for none.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_believes_everybody_is_found_out() {
    let scene = Scene::open().await;
    let found = async || {
        let facts = scene.store.inspect().await.unwrap();
        let note = facts
            .notes
            .into_iter()
            .find(|it| it.point == "authentication");
        note.unwrap().verdict
    };
    assert_eq!(found().await, Verdict::Safe);
    let file = scene.sql("SHOW hba_file").await;
    std::fs::write(file, "host all all 127.0.0.1/32 trust\n").unwrap();
    scene.sql("SELECT pg_reload_conf()").await;
    for _ in 0..100 {
        if matches!(found().await, Verdict::Unsafe { .. }) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a server of which anybody is any user is called safe");
}
