//! Revocations that a node did not hear of, because its channel was cut or never opened.

use std::sync::Arc;

use anynode::store::open;
use anynode_core::{Cause, Durability, Revoke, Store};
use anynode_lab::server::Setup;

use crate::meter::Meter;
use crate::pair::{Pair, address};
use crate::scene::{created, draft_of, eventually, is_alive, logout, session, user};
use crate::switch::Way;

/// A node that reaches the primary when the others do not.
async fn another(pair: &Pair) -> Arc<dyn Store> {
    open(&format!("redis://{}/", address(&pair.primary)))
        .await
        .unwrap()
}

/// A node remembered the first revocation of a user and missed the second one. It took every
/// session that was stamped by the second for one that the first had ended.
#[tokio::test]
async fn a_node_that_missed_a_revocation_refuses_no_later_login() {
    let pair = Pair::start(1, &Setup::default()).await;
    let (node, other) = (pair.node("").await, another(&pair).await);
    let everywhere = Revoke::user(user("ada"), Cause::Admin);
    node.revoke(&everywhere).await.unwrap();
    pair.cut_nodes_off();
    other.revoke(&everywhere).await.unwrap();
    let login = created(&other, &draft_of(&user("ada"))).await.record.handle;
    pair.let_nodes_in();
    assert!(is_alive(&node, &login).await, "it logged in after both");
}

/// Two nodes did not hear of a revocation: the channel of one was cut, and the other was not
/// there yet. The node that made it is gone when the store loses it.
#[tokio::test]
async fn what_was_revoked_in_a_gap_or_before_the_start_is_remembered() {
    let mut pair = Pair::start(2, &Setup::default()).await;
    let node = pair.node("").await;
    let (handle, other) = (session(&node).await, another(&pair).await);
    pair.in_step().await;
    pair.has_been_read_by(2).await;
    pair.replicas[1].way.turn(Way::Cut);
    pair.cut_nodes_off();
    let revoked = other.revoke(&logout(handle)).await.unwrap();
    assert_eq!(revoked.durability, Durability::Reasserted);
    drop(other);
    pair.let_nodes_in();
    let late = pair.node("").await;
    pair.has_been_read_by(4).await;
    assert!(!is_alive(&node, &handle).await && !is_alive(&late, &handle).await);
    pair.fail_over(1).await;
    for node in [&node, &late] {
        eventually("the new primary answers", || async {
            node.load(&handle).await.is_ok()
        })
        .await;
        assert!(!is_alive(node, &handle).await, "it came back");
    }
}

/// Its user may not listen, so that the node remembers nothing that others revoke.
#[tokio::test]
async fn a_node_that_hears_nothing_promises_less_and_says_so() {
    let meter = Meter::default();
    let _guard = meter.install();
    let pair = Pair::start(1, &Setup::default()).await;
    let deaf = "ACL SETUSER deaf on >secret ~an* &* +@all -client|tracking";
    let words: Vec<_> = deaf.split(' ').collect();
    pair.primary.command(&words).await.unwrap();
    let url = format!("redis://deaf:secret@{}/", address(&pair.primary));
    let node = open(&url).await.unwrap();
    let revoked = node.revoke(&logout(session(&node).await)).await.unwrap();
    assert_eq!(revoked.durability, Durability::Quorum);
    assert_eq!(meter.count("anynode_revocations_unheard_total"), 1);
    crate::scene::looked_at(&pair.primary).await;
    assert_eq!(meter.count("anynode_revocations_unheard_total"), 1, "once");
}
