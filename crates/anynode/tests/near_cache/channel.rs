//! What a node does while its channel is not what it should be.

use std::time::Duration;

use anynode::{
    NearCache,
    core::{ErrorKind, Freshness, Store, Wanted, near::Condition},
};

use crate::{
    scene::{Node, draft, handle, node, payload, store, until},
    spy::{Spy, Verb},
    wire::{Mode, Wire},
};

#[tokio::test]
async fn a_node_whose_channel_is_lost_reads_through_and_recovers() {
    let (store, hour) = (store(), Duration::from_secs(3_600));
    let here = Node::on(&store, NearCache::options().with_lease(hour)).await;
    let there = Node::on(&store, NearCache::options()).await;
    let live = here.with_copy(1).await;
    here.wire.turn(Mode::Cut);
    until(|| !here.has_copy(handle(1))).await;
    there.replaced(&live, 7).await;
    let loads = here.loads();
    for asked in 1..4 {
        assert_eq!(payload(&here.bounded(handle(1)).await), Some(7));
        assert_eq!(here.loads(), loads + asked);
    }
    here.wire.turn(Mode::Good);
    here.until(Condition::Trusted).await;
    assert_eq!(payload(&here.bounded(handle(1)).await), Some(7));
    assert!(here.has_copy(handle(1)));
}

/// The case that leases exist for: the other side is silent and nobody says so.
#[tokio::test]
async fn a_node_whose_channel_is_silent_uses_no_copy_once_the_lease_has_run_out() {
    let (store, term) = (store(), Duration::from_millis(300));
    let here = Node::on(&store, NearCache::options().with_lease(term)).await;
    let there = Node::on(&store, NearCache::options()).await;
    let live = here.with_copy(1).await;
    here.wire.turn(Mode::Silent);
    let newer = there.replaced(&live, 7).await;
    let (acknowledged, mut stale) = (here.near.now(), 0);
    while here.near.now() < acknowledged + term * 3 {
        let arrived = here.near.now();
        let wanted = Wanted::new(handle(1), Freshness::Bounded, arrived);
        let found = here.near.copy(&wanted);
        let is_stale = found.is_some_and(|found| {
            found
                .live
                .is_some_and(|live| live.record.version != newer.record.version)
        });
        stale += u64::from(is_stale);
        assert!(
            !is_stale || arrived <= acknowledged + term,
            "after the bound"
        );
        tokio::task::yield_now().await;
    }
    assert!(stale > 0, "nothing was at stake");
    assert_eq!(payload(&here.bounded(handle(1)).await), Some(7));
}

#[tokio::test]
async fn a_channel_that_stays_silent_is_replaced_by_another() {
    let term = Duration::from_millis(30);
    let node = Node::on(&store(), NearCache::options().with_lease(term)).await;
    node.with_copy(1).await;
    node.wire.turn(Mode::Silent);
    until(|| !node.has_copy(handle(1))).await;
    node.wire.turn(Mode::Good);
    node.until(Condition::Trusted).await;
    assert_eq!(payload(&node.bounded(handle(1)).await), Some(1));
}

/// Receipts wait for it no more, so nothing may be answered from its copies.
#[tokio::test]
async fn a_node_that_was_closed_uses_no_copy_and_is_registered_no_more() {
    let store = store();
    let node = Node::on(&store, NearCache::options()).await;
    node.with_copy(1).await;
    assert_eq!(store.nodes().await.unwrap().len(), 1);
    node.near.close().await.unwrap();
    assert_eq!(node.near.condition(), Condition::Left);
    for _ in 0..2 {
        assert!(!node.has_copy(handle(1)));
        assert_eq!(payload(&node.bounded(handle(1)).await), Some(1));
    }
    // It hears of no revocation any more.
    let old = Freshness::StaleOk(Duration::from_secs(3_600));
    let wanted = Wanted::new(handle(1), old, node.near.now());
    assert!(node.near.copy(&wanted).is_none());
    assert!(store.nodes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_node_that_was_closed_before_its_channel_was_opened_opens_none() {
    let spy = Spy::new(store());
    let options = NearCache::options().with_trial(false);
    let made = std::thread::spawn({
        let spy = spy.clone();
        || options.over(Wire::new(spy))
    });
    let near = made.join().unwrap();
    near.close().await.unwrap();
    assert_eq!(near.condition(), Condition::Left);
    assert!(near.load(&handle(1)).await.unwrap().is_none());
    // Whoever was to listen would have begun to.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(spy.calls(Verb::Watch), 0);
}

/// A store that refuses the heartbeat may have been deposed: what it says proves nothing.
#[tokio::test]
async fn a_node_whose_heartbeat_is_refused_does_not_even_read() {
    let node = node().await;
    node.with_copy(1).await;
    node.wire.turn(Mode::Refused);
    node.until(Condition::Refused).await;
    let loads = node.loads();
    for freshness in [Freshness::Bounded, Freshness::Strict] {
        let wanted = Wanted::new(handle(1), freshness, node.near.now());
        assert!(node.near.copy(&wanted).is_none());
        let error = node.near.load_for(&wanted).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    node.near.load(&handle(1)).await.unwrap_err();
    assert_eq!(node.loads(), loads, "it was not asked");
    node.wire.turn(Mode::Good);
    node.until(Condition::Trusted).await;
    assert_eq!(payload(&node.bounded(handle(1)).await), Some(1));
}

#[tokio::test]
async fn a_page_that_may_be_late_is_shown_while_the_store_is_down() {
    let node = node().await;
    node.with_copy(1).await;
    node.wire.turn(Mode::Cut);
    until(|| !node.has_copy(handle(1))).await;
    node.spy.go_down();
    let late = Freshness::StaleOk(Duration::from_secs(30));
    assert_eq!(payload(&node.ask(handle(1), late).await), Some(1));
    let bounded = Wanted::new(handle(1), Freshness::Bounded, node.near.now());
    let error = node.near.load_for(&bounded).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn what_is_known_to_be_revoked_is_not_shown_late() {
    let node = node().await;
    node.with_copy(1).await;
    node.revoke(handle(1)).await;
    node.wire.turn(Mode::Cut);
    node.spy.go_down();
    let late = Freshness::StaleOk(Duration::from_secs(30));
    assert_eq!(node.ask(handle(1), late).await.live, None);
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_at_first_is_followed_when_it_can() {
    let wire = crate::wire::Wire::new(std::sync::Arc::new(store()));
    wire.turn(Mode::Cut);
    let near = NearCache::new(wire.clone());
    near.create(&draft(1)).await.unwrap();
    assert!(near.load(&handle(1)).await.unwrap().is_some());
    assert_eq!(near.copies(), 0);
    wire.turn(Mode::Good);
    until(|| near.condition() == Condition::Trusted).await;
}

#[tokio::test]
async fn a_cache_that_is_dropped_closes_its_channel() {
    let Node { near, wire, .. } = node().await;
    assert_eq!(wire.channels(), 1);
    drop(near);
    until(|| wire.channels() == 0).await;
}

#[tokio::test]
async fn the_age_of_an_answer_is_that_of_the_knowledge_behind_it() {
    let node = node().await;
    node.with_copy(1).await;
    node.caught_up().await;
    let before = node.near.now();
    node.caught_up().await;
    let after = node.near.now();
    let as_of = node.bounded(handle(1)).await.as_of.unwrap();
    assert!(before <= as_of && as_of <= after);
}
