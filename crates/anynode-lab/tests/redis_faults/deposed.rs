//! A primary that was cut off from its replicas, and may have been deposed.

use std::time::Duration;

use anynode_core::{Deposed, ErrorKind, NodeId};
use anynode_lab::server::Setup;
use tokio::time::{Instant, sleep};

use crate::pair::Pair;
use crate::scene::{draft, eventually, is_alive, session, until_passed};

/// After so much silence, counted in whole seconds, a primary no longer writes, and looks once a
/// second.
const LAG: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(2);

/// What a loaded machine may take on top.
const SLACK: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_primary_that_was_cut_off_silently_is_not_believed() {
    let setup = Setup::default()
        .with("min-replicas-to-write", "1")
        .with("min-replicas-max-lag", "1");
    let pair = Pair::start(1, &setup).await;
    let node = pair.node("").await;
    let handle = session(&node).await;
    let mut channel = node.watch(&NodeId::new("node").unwrap()).await.unwrap();
    until_passed(channel.as_mut()).await;
    assert!(is_alive(&node, &handle).await);
    pair.replicas[0].way.freeze();
    let begun = Instant::now();
    let refused = loop {
        match node.load(&handle).await {
            Ok(found) => assert!(found.is_some()),
            Err(error) => break error,
        }
        assert!(begun.elapsed() < LAG + LOOK + SLACK, "it still answers");
        sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    // And it renews no lease.
    let heartbeat = async {
        channel.barrier().await?;
        channel.next().await
    };
    let lost = heartbeat.await.expect_err("the heartbeat is refused");
    assert_eq!(lost.kind(), ErrorKind::Unavailable);
}

/// One of three replicas may be promoted and keep another, and the old primary the third: both
/// write on, and the doctor had called that bounded.
#[tokio::test]
async fn a_primary_that_may_keep_a_replica_when_it_is_deposed_is_unbounded() {
    let bound = Deposed::Within(LAG + LOOK);
    for (wanted, expected) in [("1", Deposed::Unbounded), ("2", bound)] {
        let setup = Setup::default()
            .with("min-replicas-to-write", wanted)
            .with("min-replicas-max-lag", "1");
        let pair = Pair::start(3, &setup).await;
        let facts = pair.node("r0").await.inspect().await.unwrap();
        assert_eq!(facts.deposed, expected, "{wanted}");
    }
}

/// As behind a name or an address that moves: nobody ends the connections to the former primary,
/// which lives on as a replica.
#[tokio::test]
async fn an_address_that_leads_to_another_server_is_followed() {
    let pair = Pair::start(1, &Setup::default()).await;
    let node = pair.node("").await;
    let handle = session(&node).await;
    pair.in_step().await;
    pair.hand_over(0).await;
    let later = draft();
    let is_written = || async { node.create(&later).await.is_ok() };
    eventually("the one that took over is written to", is_written).await;
    assert!(is_alive(&node, &handle).await && is_alive(&node, &later.handle).await);
    let mut channel = node.watch(&NodeId::new("node").unwrap()).await.unwrap();
    until_passed(channel.as_mut()).await;
}
