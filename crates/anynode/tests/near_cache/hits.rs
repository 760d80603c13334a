//! Which request a copy answers, and which goes to the store.

use std::time::Duration;

use anynode::{
    NearCache,
    core::{Freshness, Revoke, Store, Wanted, near::Condition},
};

use crate::scene::{
    Node, PATIENCE, ada, draft, draft_of, handle, node, nodes, payload, secret, store, until,
};

#[tokio::test]
async fn a_hit_asks_nobody_and_tells_how_old_it_is() {
    let node = node().await;
    node.with_copy(1).await;
    let calls = node.spy.all_calls();
    for _ in 0..100 {
        let arrived = node.near.now();
        let found = node.bounded(handle(1)).await;
        assert_eq!(payload(&found), Some(1));
        assert!(found.as_of.is_some_and(|as_of| as_of <= arrived + PATIENCE));
    }
    assert_eq!(node.spy.all_calls(), calls, "no round trip");
}

#[tokio::test]
async fn a_session_that_is_not_there_is_asked_for_each_time() {
    let node = node().await;
    for asked in 1..4 {
        assert_eq!(node.bounded(handle(1)).await.live, None);
        assert_eq!(node.loads(), asked);
    }
}

#[tokio::test]
async fn what_was_written_on_another_node_is_seen_here() {
    let [here, there] = nodes().await;
    let live = here.with_copy(1).await;
    there.replaced(&live, 7).await;
    here.caught_up().await;
    assert_eq!(payload(&here.bounded(handle(1)).await), Some(7));
}

#[tokio::test]
async fn a_session_revoked_on_another_node_is_refused_here_within_the_bound() {
    let [here, there] = nodes().await;
    here.with_copy(1).await;
    there.revoke(handle(1)).await;
    let acknowledged = here.near.now();
    until(|| !here.has_copy(handle(1))).await;
    let took = here.near.now() - acknowledged;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(here.bounded(handle(1)).await.live, None);
}

#[tokio::test]
async fn the_sessions_of_a_user_are_refused_at_once_on_all_nodes_and_a_spared_one_lives() {
    let [here, there] = nodes().await;
    for number in [1, 2] {
        there.created(&draft_of(number, &ada())).await;
        here.bounded(handle(number)).await;
        assert!(here.has_copy(handle(number)));
    }
    let revoke = Revoke::user_except(ada(), handle(2), anynode::core::Cause::User);
    there.near.revoke(&revoke).await.unwrap();
    here.caught_up().await;
    for node in [&here, &there] {
        assert_eq!(node.bounded(handle(1)).await.live, None);
        assert_eq!(payload(&node.bounded(handle(2)).await), Some(2));
    }
}

#[tokio::test]
async fn a_strict_request_is_answered_by_the_store() {
    let node = node().await;
    node.with_copy(1).await;
    let loads = node.loads();
    let found = node.ask(handle(1), Freshness::Strict).await;
    assert_eq!((found.as_of, node.loads()), (None, loads + 1));
}

#[tokio::test]
async fn a_load_as_such_is_answered_by_the_store() {
    let node = node().await;
    node.with_copy(1).await;
    let loads = node.loads();
    assert!(node.near.load(&handle(1)).await.unwrap().is_some());
    assert_eq!(node.loads(), loads + 1);
}

/// The login that replaced the secret may just have happened on another node.
#[tokio::test]
async fn a_secret_that_does_not_match_a_copy_is_no_refusal_and_is_paced() {
    let node = node().await;
    node.with_copy(1).await;
    let loads = node.loads();
    let begun = node.near.now();
    for _ in 0..10 {
        let mut wanted = Wanted::new(handle(1), Freshness::Bounded, node.near.now());
        wanted.secret = Some(secret(9));
        let found = node.find(&wanted).await;
        assert!(found.live.is_some(), "for the caller to judge");
    }
    let took = node.near.now() - begun;
    assert_eq!(node.loads(), loads + 10);
    assert!(took >= Duration::from_millis(9 * 20), "{took:?}");
    let mut wanted = Wanted::new(handle(1), Freshness::Bounded, node.near.now());
    wanted.secret = Some(secret(1));
    assert!(
        node.near.copy(&wanted).is_some(),
        "its owner is not held up"
    );
}

#[tokio::test]
async fn a_copy_older_than_what_the_client_has_seen_is_not_for_them() {
    let [here, there] = nodes().await;
    let live = here.with_copy(1).await;
    here.wire.turn(crate::wire::Mode::Silent);
    let newer = there.replaced(&live, 7).await;
    let mut wanted = Wanted::new(handle(1), Freshness::Bounded, here.near.now());
    wanted.seen = Some(newer.record.version);
    assert_eq!(payload(&here.find(&wanted).await), Some(7));
}

#[tokio::test]
async fn the_bounds_hold_and_what_is_not_kept_is_asked_for() {
    let options = NearCache::options().with_copies_max(8);
    let node = Node::on(&store(), options).await;
    for number in 1..=50 {
        node.created(&draft(number)).await;
        node.bounded(handle(number)).await;
        assert!(node.near.copies() <= 8);
    }
    for number in 1..=50 {
        assert_eq!(payload(&node.bounded(handle(number)).await), Some(number));
    }
    let bytes = node.near.bytes();
    assert!((1..8 * 1_000).contains(&bytes), "{bytes}");
}

/// Nothing that is remembered is given up for it, so nothing can be missed; it is only slower.
#[tokio::test]
async fn without_room_for_another_revocation_every_read_goes_through() {
    let options = NearCache::options().with_revocations_max(2);
    let node = Node::on(&store(), options).await;
    node.with_copy(9).await;
    for number in 1..=3 {
        node.created(&draft(number)).await;
        node.revoke(handle(number)).await;
    }
    assert_eq!(node.near.condition(), Condition::Full);
    assert!(!node.has_copy(handle(9)));
    assert_eq!(payload(&node.bounded(handle(9)).await), Some(9));
    for number in 1..=3 {
        assert_eq!(node.bounded(handle(number)).await.live, None);
    }
}
