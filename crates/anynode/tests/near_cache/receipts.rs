//! Receipts: who has confirmed a revocation, and what is said of those who have not.

use std::time::Duration;

use anynode::{
    AdminSessions, Receipt,
    core::{
        ErrorKind, Store,
        near::{Attendance, Condition, Proof},
    },
};

use crate::{
    scene::{Node, PATIENCE, handle, nodes, store, until},
    spy::{Fault, Spy, Verb},
    wire::Mode,
};

/// How long an asker waits for those who do not confirm.
const SHORT: Duration = Duration::from_millis(300);

fn admin(node: &Node) -> AdminSessions {
    AdminSessions::new(node.near.clone())
}

fn attendance(receipt: &Receipt) -> &Attendance {
    receipt.nodes.as_ref().expect("the store says who they are")
}

/// Asks until both nodes are there and confirm, which a slow machine may keep from doing so.
async fn confirmed_by_both(sessions: &AdminSessions) -> Receipt {
    let asking = async {
        loop {
            let receipt = sessions.confirm().await;
            if attendance(&receipt).confirmed.len() == 2 {
                return receipt;
            }
        }
    };
    let receipt = tokio::time::timeout(PATIENCE, asking).await;
    receipt.expect("both confirm in the end")
}

#[tokio::test]
async fn what_every_node_has_confirmed_none_of_them_answers_from_a_copy() {
    let [here, there] = nodes().await;
    let sessions = admin(&there);
    for number in 1..20 {
        here.with_copy(number).await;
        sessions.revoke(handle(number)).await.unwrap();
        let receipt = confirmed_by_both(&sessions).await;
        assert!(!here.has_copy(handle(number)) && !there.has_copy(handle(number)));
        assert_eq!(receipt.proof, Proof::Confirmed);
        assert!(receipt.to_string().starts_with("2 of 2 nodes, "));
    }
}

#[tokio::test]
async fn a_revocation_comes_with_its_receipt() {
    let [here, there] = nodes().await;
    here.with_copy(1).await;
    let (_, receipt) = admin(&there).revoke_and_confirm(handle(1)).await.unwrap();
    assert!(receipt.is_proven(), "{receipt}");
    assert_eq!(here.bounded(handle(1)).await.live, None);
}

/// It has heard of the call, and of the revocation for that matter; what it may have missed it
/// does not know before the barrier has passed.
#[tokio::test]
async fn a_node_confirms_nothing_before_its_barrier_has_passed() {
    let [here, there] = nodes().await;
    here.wire.turn(Mode::Withheld);
    let sessions = admin(&there);
    let receipt = sessions.clone().with_lease(SHORT).confirm().await;
    let (name, nodes) = (here.near.node(), attendance(&receipt));
    assert!(!nodes.confirmed.contains(name), "{receipt}");
    assert!(matches!(receipt.proof, Proof::Bound(_)), "{receipt}");
    here.wire.turn(Mode::Good);
    confirmed_by_both(&sessions).await;
}

#[tokio::test]
async fn a_node_that_hears_nothing_is_named_and_waited_for_until_the_bound() {
    let [here, there] = nodes().await;
    here.wire.turn(Mode::Silent);
    let receipt = admin(&there).with_lease(SHORT).confirm().await;
    assert!(!attendance(&receipt).confirmed.contains(here.near.node()));
    assert!(receipt.took > SHORT, "{receipt}");
    assert!(
        receipt.to_string().contains("no node may still serve"),
        "{receipt}"
    );
}

/// A channel that was lost and opened again may have missed the call.
#[tokio::test]
async fn a_node_that_was_cut_off_confirms_when_it_is_back() {
    let [here, there] = nodes().await;
    here.with_copy(1).await;
    let sessions = admin(&there);
    here.wire.turn(Mode::Cut);
    until(|| here.near.condition() != Condition::Trusted).await;
    let revoked = sessions.revoke(handle(1)).await;
    here.wire.turn(Mode::Good);
    revoked.unwrap();
    confirmed_by_both(&sessions).await;
    assert!(!here.has_copy(handle(1)));
}

/// The revocation stands; what cannot be known is not claimed.
#[tokio::test]
async fn a_store_that_fails_after_the_acknowledgement_is_part_of_the_receipt() {
    let spy = Spy::new(store());
    let sessions = AdminSessions::new(spy.clone()).with_lease(SHORT);
    sessions.revoke(handle(1)).await.unwrap();
    let verbs = [Verb::CallRoll, Verb::Nodes, Verb::Inspect];
    spy.always(&verbs, &Fault::Fail(ErrorKind::Unavailable));
    let receipt = sessions.confirm().await;
    assert_eq!((&receipt.nodes, receipt.proof), (&None, Proof::Unknown));
    assert!(!receipt.is_proven());
    assert!(
        receipt.to_string().starts_with("it is not known"),
        "{receipt}"
    );
}

/// What a receipt costs the store does not grow with the time that nobody wants one.
#[tokio::test]
async fn without_a_receipt_nobody_is_called() {
    let [here, there] = nodes().await;
    here.with_copy(1).await;
    there.revoke(handle(1)).await;
    there.caught_up().await;
    assert_eq!(
        here.spy.calls(Verb::CallRoll) + there.spy.calls(Verb::CallRoll),
        0
    );
    let nodes = there.near.nodes().await.unwrap();
    assert!(nodes.iter().all(|entry| entry.answered.is_none()));
}
