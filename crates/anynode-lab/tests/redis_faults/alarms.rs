//! When a loss of acknowledged writes is raised, and when it is not.

use std::time::Duration;

use anynode::NearCache;
use anynode_core::Durability;
use anynode_lab::server::{Persistence, Setup};
use tokio::time::{Instant, sleep};

use crate::meter::Meter;
use crate::pair::Pair;
use crate::scene::{PATIENCE, eventually, logout, looked_at, session};

/// Revocations on the way at the same time, and how long they go on: some looks fall in.
const WIDTH: usize = 48;
const LASTING: Duration = Duration::from_secs(6);

/// A look asked the primary how far it was, and a revocation that was acknowledged before the
/// answer was judged said a later position. The earlier one passed for a loss.
#[tokio::test]
async fn a_primary_that_goes_on_writing_raises_nothing() {
    let meter = Meter::default();
    let _guard = meter.install();
    let pair = Pair::start(1, &Setup::default()).await;
    let node = pair.node("r1").await;
    let begun = Instant::now();
    let tasks = (0..WIDTH).map(|_| {
        let node = node.clone();
        async move {
            let mut revoked = 0;
            while begun.elapsed() < LASTING {
                node.revoke(&logout(session(&node).await)).await.unwrap();
                revoked += 1;
                // Spreads the tasks over the turns of the runtime.
                sleep(Duration::from_micros(revoked % 7 * 100)).await;
            }
            revoked
        }
    });
    let mut set = tokio::task::JoinSet::new();
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            for task in tasks {
                set.spawn_local(task);
            }
            let revoked: u64 = set.join_all().await.into_iter().sum();
            println!("{revoked} revocations");
        })
        .await;
    assert_eq!(meter.possible_losses(), 0);
}

/// It said that copies were trusted for as long as the store was away.
#[tokio::test]
async fn a_near_cache_without_its_store_says_that_no_copy_is_trusted() {
    let meter = Meter::default();
    let _guard = meter.install();
    let pair = Pair::start(0, &Setup::default()).await;
    let near = NearCache::from_arc(pair.node("").await);
    near.caught_up(PATIENCE).await.unwrap();
    let is_trusted = || meter.gauge("anynode_near_condition", "trusted") > 0.0;
    eventually("copies are trusted", || async { is_trusted() }).await;
    pair.cut_nodes_off();
    eventually("none is trusted", || async { !is_trusted() }).await;
    pair.let_nodes_in();
    eventually("they are trusted again", || async { is_trusted() }).await;
}

/// `appendfsync always` says nothing where there is no append-only file.
#[tokio::test]
async fn a_server_without_a_file_is_not_safe_because_it_would_sync_it() {
    let setup = Setup::default().with("appendfsync", "always");
    let pair = Pair::start(0, &setup).await;
    let node = pair.node("").await;
    let revoked = node.revoke(&logout(session(&node).await)).await.unwrap();
    assert_eq!(revoked.durability, Durability::Asynchronous);
}

/// The disk was another one, or its files were removed: the server starts, as durable as it was,
/// with nothing.
#[tokio::test]
async fn a_durable_server_that_comes_back_empty_is_raised() {
    let meter = Meter::default();
    let _guard = meter.install();
    let setup = Setup {
        persistence: Persistence::Always,
        ..Setup::default()
    };
    let mut pair = Pair::start(0, &setup).await;
    let node = pair.node("").await;
    let revoked = node.revoke(&logout(session(&node).await)).await.unwrap();
    assert_eq!(revoked.durability, Durability::Majority);
    looked_at(&pair.primary).await;
    let answer = pair.primary.command(&["CONFIG", "GET", "dir"]).await;
    let answer = answer.unwrap();
    let directory = answer.lines().last().unwrap().to_owned();
    pair.primary.kill().await.unwrap();
    std::fs::remove_dir_all(format!("{directory}/appendonlydir")).unwrap();
    pair.primary.restart().await.unwrap();
    // Others use it before the vigil looks.
    eventually("the server is used again", || async {
        pair.primary
            .command(&["SET", "an:other", "x"])
            .await
            .is_ok()
    })
    .await;
    eventually("the loss is raised", || async {
        meter.possible_losses() == 1
    })
    .await;
}
