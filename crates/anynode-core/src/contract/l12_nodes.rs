//! L12: a node that watches is registered, and its barriers are its heartbeats.

use std::time::Duration;

use super::{World, scene::Scene};
use crate::store::NodeId;

/// A node that watches is registered for all nodes to see, and its barriers are its heartbeats.
pub async fn a_watching_node_is_registered(world: &dyn World) {
    let scene = Scene::open(world, 2).await;
    let mut one = scene.watch(&scene.node(), "node-1.example_x").await;
    let mut two = scene.watch(&scene.other(), "node-2").await;
    one.until_passed().await;
    two.until_passed().await;
    for node in &scene.nodes {
        let mut nodes = node.0.nodes().await.expect("nodes answers");
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        let names: Vec<_> = nodes.iter().map(|entry| entry.node.as_str()).collect();
        assert_eq!(names, ["node-1.example_x", "node-2"]);
    }
}

/// A heartbeat moves with every barrier.
pub async fn a_barrier_is_a_heartbeat(world: &dyn World) {
    let scene = Scene::open(world, 1).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    watch.until_passed().await;
    let first = scene.node().0.nodes().await.expect("nodes answers");
    scene.world.wait(Duration::from_millis(50)).await;
    watch.until_passed().await;
    let second = scene.node().0.nodes().await.expect("nodes answers");
    assert_eq!((first.len(), second.len()), (1, 1));
    assert!(second[0].heartbeat_at > first[0].heartbeat_at);
}

/// Who leaves is registered no more, leaving again is harmless, and who beats on has not left.
pub async fn a_node_that_leaves_is_registered_no_more(world: &dyn World) {
    let scene = Scene::open(world, 2).await;
    let (node, other) = (scene.node(), scene.other());
    let mut one = scene.watch(&node, "one").await;
    let mut two = scene.watch(&other, "two").await;
    one.until_passed().await;
    two.until_passed().await;
    let id = NodeId::new("one").expect("a name");
    for _ in 0..2 {
        node.0.leave(&id).await.expect("leave answers");
        let nodes = other.0.nodes().await.expect("nodes answers");
        let names: Vec<_> = nodes.iter().map(|entry| entry.node.as_str()).collect();
        assert_eq!(names, ["two"]);
    }
    one.until_passed().await;
    assert_eq!(other.0.nodes().await.expect("nodes answers").len(), 2);
}

/// Registered nodes are no sessions: neither `scan` nor `sweep` meets them.
pub async fn a_registered_node_is_no_session(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    watch.until_passed().await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().scan(10).await.len(), 1);
    assert!(scene.node().is_alive(&live.record.handle).await);
    assert_eq!(
        scene.node().0.nodes().await.expect("nodes answers").len(),
        1
    );
}
