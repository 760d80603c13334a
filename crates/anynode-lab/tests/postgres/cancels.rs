//! Statements that are cancelled while their commits wait for a standby: PostgreSQL then goes on
//! without it, warns, and answers as if nothing were amiss.

use std::time::Duration;

use anynode::store::postgres::PostgresStore;
use anynode_core::{ErrorKind, Store};
use anynode_lab::server::Standby;
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::scene::{Scene, draft};
use crate::standbys::{Follower, with};

const WRITERS: u32 = 24;

/// What waits for the standby, as a question.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/// Sessions that are created by many tasks at once, and what each was told.
fn writers(store: &PostgresStore, first: u32) -> JoinSet<Result<(), ErrorKind>> {
    let mut writers = JoinSet::new();
    for number in first..first + WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            let created = store.create(&draft(number)).await;
            created.map(|_| ()).map_err(|error| error.kind())
        });
    }
    writers
}

/// Calls that gave up had the server cancel whatever their connections ran: 30 sessions were
/// acknowledged that no standby had, and all were lost with the primary.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_cancel_kept_from_the_standby_is_not_acknowledged() {
    let scene = Scene::open_with(&with(Standby::Synchronous)).await;
    scene.created(&draft(1)).await;
    let follower = Follower::of(&scene);
    follower.signal(Signal::STOP);
    for (first, told) in [(100, "warning"), (200, "error")] {
        let telling = format!("ALTER ROLE anynode SET client_min_messages = {told}");
        // A role is written as well, and its commit would wait.
        let telling = format!("BEGIN; SET LOCAL synchronous_commit = local; {telling}; COMMIT");
        scene.sql(&telling).await;
        let options = PostgresStore::options().with_deadline(Duration::from_secs(30));
        let store = options.open(&scene.url).await.unwrap();
        let mut writers = writers(&store, first);
        let mut ended = Vec::new();
        while !writers.is_empty() {
            let cancel = WAITING.replace("count(*)", "count(pg_cancel_backend(pid))");
            scene.sql(&cancel).await;
            while let Some(one) = writers.try_join_next() {
                ended.push(one.unwrap());
            }
        }
        let expected = vec![Err(ErrorKind::Indeterminate); usize::try_from(WRITERS).unwrap()];
        assert_eq!(ended, expected, "client_min_messages = {told}");
    }
    follower.signal(Signal::CONT);
}

/// Nor does what nobody waits for any more hold the processes of the server.
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_were_given_up_leave_nothing_behind_on_the_server() {
    let scene = Scene::open_with(&with(Standby::Synchronous)).await;
    scene.created(&draft(1)).await;
    let follower = Follower::of(&scene);
    follower.signal(Signal::STOP);
    let options = PostgresStore::options().with_deadline(Duration::from_millis(400));
    let store = options.open(&scene.url).await.unwrap();
    let mut writers = writers(&store, 100);
    while let Some(ended) = writers.join_next().await {
        // Where no connection was free before the deadline, nothing happened.
        let told = ended.unwrap().unwrap_err();
        let open = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
        assert!(open.contains(&told), "{told}");
    }
    drop(store);
    scene.wait(&format!("SELECT ({WAITING}) = 0")).await;
    follower.signal(Signal::CONT);
}
