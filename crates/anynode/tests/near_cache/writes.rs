//! A node's own writes: its copies follow what was acknowledged, and nothing else.

use anynode::core::{Cause, ErrorKind, Revoke, Store, Touch};
use std::time::Duration;

use crate::{
    scene::{ada, draft, draft_of, handle, next, node, nodes, payload},
    spy::{Fault, Verb},
    wire::Mode,
};

#[tokio::test]
async fn an_own_write_is_seen_by_the_next_request_whatever_the_channel_does() {
    let node = node().await;
    let mut live = node.with_copy(1).await;
    node.wire.turn(Mode::Silent);
    for payload_of in 2..10 {
        live = node.replaced(&live, payload_of).await;
        let found = node.bounded(handle(1)).await;
        assert_eq!(payload(&found), Some(payload_of));
    }
}

#[tokio::test]
async fn an_own_revocation_is_refused_by_the_next_request_whatever_the_channel_does() {
    let node = node().await;
    node.with_copy(1).await;
    node.wire.turn(Mode::Silent);
    let loads = node.loads();
    node.revoke(handle(1)).await;
    assert_eq!(node.bounded(handle(1)).await.live, None);
    assert_eq!(node.loads(), loads, "known without asking");
}

#[tokio::test]
async fn an_own_revocation_of_a_user_is_refused_by_the_next_request() {
    let node = node().await;
    node.created(&draft_of(1, &ada())).await;
    node.bounded(handle(1)).await;
    node.wire.turn(Mode::Silent);
    let revoke = Revoke::user(ada(), Cause::User);
    node.near.revoke(&revoke).await.unwrap();
    assert!(!node.has_copy(handle(1)));
    assert_eq!(node.bounded(handle(1)).await.live, None);
}

/// A write that is not acknowledged may never happen: nobody is told of it.
#[tokio::test]
async fn a_write_is_not_in_a_copy_before_it_is_acknowledged() {
    let node = node().await;
    let live = node.with_copy(1).await;
    let gate = node.spy.pause(Verb::Replace);
    let (near, draft) = (node.near.clone(), next(&live, 7));
    let base = live.record.version;
    let writing = tokio::spawn(async move { near.replace(&base, &draft).await });
    gate.reached().await;
    assert_eq!(payload(&node.bounded(handle(1)).await), Some(1));
    gate.open();
    writing.await.unwrap().unwrap();
    assert_eq!(payload(&node.bounded(handle(1)).await), Some(7));
}

#[tokio::test]
async fn after_a_write_with_an_unknown_outcome_the_store_is_asked() {
    let node = node().await;
    node.wire.turn(Mode::Silent);
    for (fault, expected) in [(Fault::LostAnswer, 7), (Fault::LostCall, 1)] {
        let number = expected;
        let live = node.created(&draft(number)).await;
        node.bounded(handle(number)).await;
        node.spy.next(Verb::Replace, fault);
        let draft = next(&live, 7);
        let error = node.near.replace(&live.record.version, &draft).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Indeterminate);
        assert!(!node.has_copy(handle(number)));
        assert_eq!(payload(&node.bounded(handle(number)).await), Some(expected));
    }
}

/// Whoever asked for it went away; it may happen all the same.
#[tokio::test]
async fn after_a_write_that_was_cut_off_the_store_is_asked() {
    let node = node().await;
    let live = node.with_copy(1).await;
    node.wire.turn(Mode::Silent);
    let gate = node.spy.pause_answer(Verb::Replace);
    let (near, draft) = (node.near.clone(), next(&live, 7));
    let base = live.record.version;
    let writing = tokio::spawn(async move { near.replace(&base, &draft).await });
    gate.reached().await;
    writing.abort();
    writing.await.unwrap_err();
    assert_eq!(payload(&node.bounded(handle(1)).await), Some(7));
}

#[tokio::test]
async fn after_a_revocation_with_an_unknown_outcome_the_store_is_asked() {
    let node = node().await;
    node.with_copy(1).await;
    node.created(&draft_of(2, &ada())).await;
    node.bounded(handle(2)).await;
    node.wire.turn(Mode::Silent);
    let all = [
        Revoke::session(handle(1), Cause::User),
        Revoke::user(ada(), Cause::User),
    ];
    for (revoke, number) in all.iter().zip([1, 2]) {
        node.spy.next(Verb::Revoke, Fault::LostAnswer);
        node.near.revoke(revoke).await.unwrap_err();
        assert!(!node.has_copy(handle(number)));
        assert_eq!(node.bounded(handle(number)).await.live, None);
    }
}

#[tokio::test]
async fn a_conflict_tells_what_is_newer_than_the_copy() {
    let [here, there] = nodes().await;
    let live = here.with_copy(1).await;
    here.wire.turn(Mode::Silent);
    there.replaced(&live, 7).await;
    let draft = next(&live, 8);
    here.near
        .replace(&live.record.version, &draft)
        .await
        .unwrap();
    assert_eq!(payload(&here.bounded(handle(1)).await), Some(7));
}

#[tokio::test]
async fn a_touch_moves_the_end_of_a_copy_and_asks_for_nothing_again() {
    let node = node().await;
    let live = node.with_copy(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let touch = Touch {
        handle: handle(1),
        age: Duration::ZERO,
    };
    node.near.touch(&[touch]).await.unwrap();
    let loads = node.loads();
    let found = node.bounded(handle(1)).await.live.unwrap();
    assert_eq!(node.loads(), loads);
    assert!(found.idle_deadline >= live.idle_deadline);
}
