//! What a channel tells when something happens to it or to the keys.

use std::sync::Arc;
use std::time::Duration;

use anynode::store::open;
use anynode_core::{Channel, ErrorKind, Event, NodeId, Store};
use anynode_lab::server::{Kind, Server};
use tokio::time::timeout;

use crate::scene::{PATIENCE, is_alive, logout, session, tells_revoked, until_passed, within};

/// How long a node that says nothing is taken for alive.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// A server, a store on it and the channel of a node.
struct Scene {
    server: Server,
    store: Arc<dyn Store>,
    channel: Box<dyn Channel>,
}

// === impl Scene ===

impl Scene {
    async fn new() -> Self {
        let server = Server::start(Kind::Redis).await.unwrap();
        let store = open(&server.url()).await.unwrap();
        let node = NodeId::new("node").unwrap();
        let mut channel = store.watch(&node).await.unwrap();
        until_passed(channel.as_mut()).await;
        Self {
            server,
            store,
            channel,
        }
    }

    async fn next(&mut self) -> anynode_core::store::Result<Event> {
        timeout(PATIENCE, self.channel.next()).await.unwrap()
    }

    /// The loss of the channel is told before anything else, and then that there is a gap.
    async fn check_loss(&mut self) {
        let lost = self.next().await.expect_err("lost");
        assert_eq!(lost.kind(), ErrorKind::Unavailable);
        loop {
            match self.next().await {
                Ok(event) => break assert_eq!(event, Event::Flush),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_was_deleted_by_hand_has_changed() {
    let mut scene = Scene::new().await;
    let handle = session(&scene.store).await;
    until_passed(scene.channel.as_mut()).await;
    let keys = scene.server.command(&["KEYS", "*:k:s:*"]).await.unwrap();
    scene.server.command(&["DEL", &keys]).await.unwrap();
    let events = until_passed(scene.channel.as_mut()).await;
    assert_eq!(events, [Event::Changed(handle)]);
}

#[tokio::test]
async fn a_key_under_the_prefix_that_nobody_knows_is_a_flush() {
    let mut scene = Scene::new().await;
    let set = ["SET", "an:k:z:{000}:of a newer release", "x"];
    scene.server.command(&set).await.unwrap();
    let events = until_passed(scene.channel.as_mut()).await;
    assert_eq!(events, [Event::Flush]);
}

#[tokio::test]
async fn a_flush_of_the_server_is_a_flush_of_the_channel() {
    let mut scene = Scene::new().await;
    let handle = session(&scene.store).await;
    until_passed(scene.channel.as_mut()).await;
    scene.server.flush().await.unwrap();
    let events = until_passed(scene.channel.as_mut()).await;
    assert_eq!(events, [Event::Flush]);
    assert!(!is_alive(&scene.store, &handle).await);
}

#[tokio::test]
async fn a_killed_connection_is_told_before_anything_after_it() {
    let mut scene = Scene::new().await;
    let handle = session(&scene.store).await;
    let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    scene.server.command(&kill).await.unwrap();
    // Revoked in the gap: neither told nor forgotten, but in the snapshot.
    scene.store.revoke(&logout(handle)).await.unwrap();
    scene.check_loss().await;
    let snapshot = scene.channel.snapshot().await.unwrap();
    assert_eq!(snapshot.revoked.len(), 1);
    assert_eq!(snapshot.revoked[0].handle, handle);
    let handle = session(&scene.store).await;
    scene.store.revoke(&logout(handle)).await.unwrap();
    let events = until_passed(scene.channel.as_mut()).await;
    assert!(tells_revoked(&events, handle));
}

#[tokio::test]
async fn a_server_that_stands_still_loses_the_channel_at_the_next_barrier() {
    let mut scene = Scene::new().await;
    scene.server.pause().await.unwrap();
    scene.channel.barrier().await.unwrap();
    let lost = scene.next().await.expect_err("lost");
    assert_eq!(lost.kind(), ErrorKind::Unavailable);
    scene.server.resume().await.unwrap();
    loop {
        match scene.next().await {
            Ok(event) => break assert_eq!(event, Event::Flush),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
    }
    until_passed(scene.channel.as_mut()).await;
}

#[tokio::test]
async fn a_restarted_server_loses_the_channel() {
    let mut scene = Scene::new().await;
    scene.server.kill().await.unwrap();
    scene.server.restart().await.unwrap();
    scene.check_loss().await;
    until_passed(scene.channel.as_mut()).await;
}

#[tokio::test]
async fn a_flush_of_the_functions_is_told_to_nobody() {
    let mut scene = Scene::new().await;
    let handle = session(&scene.store).await;
    until_passed(scene.channel.as_mut()).await;
    scene.server.command(&["FUNCTION", "FLUSH"]).await.unwrap();
    scene.server.command(&["SCRIPT", "FLUSH"]).await.unwrap();
    assert_eq!(until_passed(scene.channel.as_mut()).await, []);
    scene.store.revoke(&logout(handle)).await.unwrap();
    let events = until_passed(scene.channel.as_mut()).await;
    assert!(tells_revoked(&events, handle));
}

#[tokio::test]
async fn a_channel_leaves_no_key_behind_but_the_registry_which_ends() {
    let mut scene = Scene::new().await;
    for _ in 0..20 {
        until_passed(scene.channel.as_mut()).await;
    }
    assert_eq!(scene.server.command(&["KEYS", "*"]).await.unwrap(), "an:n");
    let left = scene.server.command(&["PTTL", "an:n"]).await.unwrap();
    assert!(
        (1..=SILENCE_MAX.as_millis()).contains(&left.parse().unwrap()),
        "{left}"
    );
}

#[tokio::test]
async fn a_node_that_is_silent_is_forgotten() {
    let mut scene = Scene::new().await;
    until_passed(scene.channel.as_mut()).await;
    assert_eq!(scene.store.nodes().await.unwrap().len(), 1);
    drop(scene.channel);
    let store = &scene.store;
    let is_forgotten = || async { store.nodes().await.unwrap().is_empty() };
    let limit = SILENCE_MAX + PATIENCE;
    within(limit, "a silent node is forgotten", is_forgotten).await;
}
