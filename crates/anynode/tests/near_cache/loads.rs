//! Loads that many requests share, and answers that are not kept.

use std::sync::Arc;

use anynode::{
    NearCache,
    core::{ErrorKind, Found, Freshness, Handle, Store, Wanted, store::Result},
};
use tokio::task::JoinHandle;

use crate::{
    scene::{Node, draft, handle, nodes, payload, store, until},
    spy::{Fault, Gate, Verb},
};

/// A request that runs beside the test.
fn request(node: &Node, handle: Handle, freshness: Freshness) -> JoinHandle<Result<Found>> {
    let near: Arc<NearCache> = node.near.clone();
    let wanted = Wanted::new(handle, freshness, near.now());
    tokio::spawn(async move { near.load_for(&wanted).await })
}

/// A node that has one load under way at most, and the gate that the next one waits at.
async fn crowded() -> (Node, Gate) {
    let options = NearCache::options().with_loads_max(1);
    let node = Node::on(&store(), options).await;
    let gate = node.spy.pause(Verb::Load);
    (node, gate)
}

/// Lets every task of the runtime come to where it waits.
async fn give_way() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn requests_that_come_at_once_share_one_load() {
    let [here, there] = nodes().await;
    there.created(&draft(1)).await;
    let gate = here.spy.pause_answer(Verb::Load);
    let requests = [(); 50].map(|()| request(&here, handle(1), Freshness::Bounded));
    gate.reached().await;
    give_way().await;
    gate.open();
    for request in requests {
        assert_eq!(payload(&request.await.unwrap().unwrap()), Some(1));
    }
    assert_eq!(here.loads(), 1);
}

/// It came before the load was sent, which waits for its turn.
#[tokio::test]
async fn a_strict_request_shares_a_load_that_waits_for_its_turn() {
    let (node, gate) = crowded().await;
    let other = request(&node, handle(9), Freshness::Bounded);
    gate.reached().await;
    let requests = [(); 5].map(|()| request(&node, handle(1), Freshness::Strict));
    give_way().await;
    gate.open();
    other.await.unwrap().unwrap();
    for request in requests {
        request.await.unwrap().unwrap();
    }
    assert_eq!(node.loads(), 2);
}

#[tokio::test]
async fn a_strict_request_shares_no_load_that_was_sent_before_it_came() {
    let [here, there] = nodes().await;
    let live = there.created(&draft(1)).await;
    let gate = here.spy.pause_answer(Verb::Load);
    let bounded = request(&here, handle(1), Freshness::Bounded);
    gate.reached().await;
    there.replaced(&live, 7).await;
    let strict = request(&here, handle(1), Freshness::Strict);
    assert_eq!(payload(&strict.await.unwrap().unwrap()), Some(7));
    gate.open();
    bounded.await.unwrap().unwrap();
    assert_eq!(here.loads(), 2);
}

#[tokio::test]
async fn a_bounded_request_shares_a_load_that_is_under_way() {
    let [here, there] = nodes().await;
    there.created(&draft(1)).await;
    let gate = here.spy.pause_answer(Verb::Load);
    let first = request(&here, handle(1), Freshness::Bounded);
    gate.reached().await;
    let second = request(&here, handle(1), Freshness::Bounded);
    give_way().await;
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().as_of, None);
    assert!(second.await.unwrap().unwrap().as_of.is_some(), "shared");
    assert_eq!(here.loads(), 1);
}

/// Whoever comes after this node heard of a write is not told what was before it.
#[tokio::test]
async fn nobody_shares_a_load_that_may_not_know_what_was_heard_since() {
    let [here, there] = nodes().await;
    let live = there.created(&draft(1)).await;
    let gate = here.spy.pause_answer(Verb::Load);
    let first = request(&here, handle(1), Freshness::Bounded);
    gate.reached().await;
    there.replaced(&live, 7).await;
    here.caught_up().await;
    assert_eq!(payload(&here.bounded(handle(1)).await), Some(7));
    gate.open();
    assert_eq!(
        payload(&first.await.unwrap().unwrap()),
        Some(1),
        "it came before"
    );
}

#[tokio::test]
async fn the_answer_of_a_load_that_raced_a_write_is_not_kept() {
    let [here, there] = nodes().await;
    let live = there.created(&draft(1)).await;
    let gate = here.spy.pause_answer(Verb::Load);
    let first = request(&here, handle(1), Freshness::Bounded);
    gate.reached().await;
    there.replaced(&live, 7).await;
    here.caught_up().await;
    gate.open();
    first.await.unwrap().unwrap();
    assert!(!here.has_copy(handle(1)), "from before the write");
}

#[tokio::test]
async fn the_answer_of_a_load_that_raced_a_revocation_of_its_user_is_not_kept() {
    let [here, there] = nodes().await;
    let ada = crate::scene::ada();
    there.created(&crate::scene::draft_of(1, &ada)).await;
    let gate = here.spy.pause_answer(Verb::Load);
    let first = request(&here, handle(1), Freshness::Bounded);
    gate.reached().await;
    let revoke = anynode::core::Revoke::user(ada, anynode::core::Cause::User);
    there.near.revoke(&revoke).await.unwrap();
    here.caught_up().await;
    gate.open();
    assert_eq!(
        first.await.unwrap().unwrap().live,
        None,
        "known to be revoked"
    );
    assert!(!here.has_copy(handle(1)));
}

#[tokio::test]
async fn when_the_request_that_leads_goes_away_another_one_leads() {
    let [here, there] = nodes().await;
    there.created(&draft(1)).await;
    let gate = here.spy.pause(Verb::Load);
    let first = request(&here, handle(1), Freshness::Bounded);
    gate.reached().await;
    let second = request(&here, handle(1), Freshness::Bounded);
    give_way().await;
    first.abort();
    assert_eq!(payload(&second.await.unwrap().unwrap()), Some(1));
    assert_eq!(here.loads(), 2);
}

#[tokio::test]
async fn an_error_is_told_to_all_who_waited_for_the_load() {
    let (node, gate) = crowded().await;
    let other = request(&node, handle(9), Freshness::Bounded);
    gate.reached().await;
    let requests = [(); 3].map(|()| request(&node, handle(1), Freshness::Bounded));
    give_way().await;
    let fault = Fault::Fail(ErrorKind::Unavailable);
    node.spy.next(Verb::Load, fault);
    gate.open();
    other.await.unwrap().unwrap();
    for request in requests {
        let error = request.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(node.loads(), 2);
}

/// The session was created, on another node, after the load was sent.
#[tokio::test]
async fn nobody_is_turned_away_by_a_load_that_was_sent_before_they_came() {
    let [here, there] = nodes().await;
    let gate = here.spy.pause_answer(Verb::Load);
    let first = request(&here, handle(1), Freshness::Bounded);
    gate.reached().await;
    there.created(&draft(1)).await;
    let second = request(&here, handle(1), Freshness::Bounded);
    give_way().await;
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().live, None);
    assert_eq!(payload(&second.await.unwrap().unwrap()), Some(1));
}

/// When all copies are lost at once, a node does not ask for all of them at once.
#[tokio::test]
async fn no_more_loads_are_under_way_than_there_may_be() {
    let options = NearCache::options().with_loads_max(3);
    let node = Node::on(&store(), options).await;
    let gates: Vec<_> = (0..10).map(|_| node.spy.pause(Verb::Load)).collect();
    let requests: Vec<_> = (1..=10)
        .map(|number| request(&node, handle(number), Freshness::Bounded))
        .collect();
    until(|| node.loads() == 3).await;
    give_way().await;
    assert_eq!(node.loads(), 3);
    for (number, gate) in gates.iter().enumerate() {
        gate.open();
        until(|| node.loads() == (number + 4).min(10)).await;
    }
    for request in requests {
        request.await.unwrap().unwrap();
    }
}
