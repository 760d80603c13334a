//! A proxy between that breaks the order of the channel: no copy is used.

use std::sync::Arc;

use anynode::NearCache;
use anynode::store::open;
use anynode_core::near::Condition;
use anynode_core::{Cause, Revoke};
use anynode_lab::fault::Overtaking;
use anynode_lab::server::{Kind, Server};

use crate::scene::{Node, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_a_proxy_that_breaks_the_order_uses_no_copy() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let (upstream, url) = (server.addresses()[0], server.fresh_url());
    let proxy = Overtaking::start(upstream).await.unwrap();
    let led = url.replace(&upstream.to_string(), &proxy.address().to_string());
    let store = open(&led).await.unwrap();
    let node = Node(Arc::new(NearCache::from_arc(store)));
    eventually("the node says so", async || {
        node.0.condition() == Condition::OutOfOrder
    })
    .await;
    let live = node.created(1).await;
    let handle = live.record.handle;
    for _ in 0..3 {
        assert!(node.ask(handle).await.live.is_some());
        assert!(node.copy(handle).is_none());
    }
    let other = open(&url).await.unwrap();
    other
        .revoke(&Revoke::session(handle, Cause::User))
        .await
        .unwrap();
    assert_eq!(node.ask(handle).await.live, None, "it asked the store");
}
