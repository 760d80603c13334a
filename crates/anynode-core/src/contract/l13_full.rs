//! L13: a full store can still revoke.
//!
//! What is the same for every store is asked here. That revocation, user entry and heartbeat go
//! through while the store refuses ordinary writes needs a store that is full: each store's own
//! tests fill one.

use super::{
    World,
    scene::{Scene, user},
};
use crate::{Device, Payload};

/// The largest records are revoked and swept like any other, and give back their room.
pub async fn the_largest_records_are_revoked(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut handles = Vec::new();
    for _ in 0..8 {
        let mut draft = scene.draft_of(&user("ada"));
        draft.payload = Payload::new(vec![0x5a; Payload::BYTES_MAX]);
        draft.device = Device::new(Some(&"x".repeat(Device::LABEL_BYTES_MAX)), None);
        scene.node().created(&draft).await;
        handles.push(draft.handle);
    }
    scene.node().revoke_session(handles[0]).await;
    assert!(!scene.node().is_alive(&handles[0]).await);
    scene.node().revoke_user(&user("ada")).await;
    for handle in &handles {
        assert!(!scene.node().is_alive(handle).await);
    }
}

/// A write that was refused because it was too large keeps nobody from revoking its session.
pub async fn a_refused_write_holds_up_no_revocation(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let mut draft = scene.next(&live.record);
    draft.payload = Payload::new(vec![0; Payload::BYTES_MAX + 1]);
    let refused = scene.node().0.replace(&live.record.version, &draft).await;
    refused.expect_err("too large");
    scene.node().revoke_user(&user("ada")).await;
    assert!(!scene.node().is_alive(&draft.handle).await);
}
