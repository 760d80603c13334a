//! L11: lifetimes are judged by the store's clock, and every answer says what time it is there.

use super::{
    World,
    scene::{DAY, HOUR, Scene, user},
};

/// The time in the answers goes on with the store's clock, on all nodes, and never back.
pub async fn the_time_in_the_answers_goes_on(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    let mut last = live.now;
    for number in 0..20 {
        if number % 10 == 5 {
            scene.wait(1).await;
        }
        let now = scene.nodes[number % 2]
            .loaded(&live.record.handle)
            .await
            .now;
        assert!(now >= last, "time went back");
        last = now;
    }
    assert!(last.since(live.now) >= scene.world.unit());
}

/// A new session is created now, has its idle timeout before it, and all its absolute lifetime.
pub async fn a_new_session_counts_from_now(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    assert_eq!(live.record.created_at, live.now);
    assert_eq!(live.record.secret_since, live.now);
    assert_eq!(live.record.authenticated_at, Some(live.now));
    assert_eq!(live.record.deadline, live.now + DAY);
    assert_eq!(live.idle_deadline, live.now + HOUR);
}

/// A revocation is answered with the time of the store's clock at it.
pub async fn a_revocation_says_when_it_was(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let revoked = scene.node().revoke_session(live.record.handle).await;
    let after = scene.session().await;
    assert!(live.now <= revoked.at && revoked.at <= after.now);
}

/// A revocation is at least as durable as `inspect` says that revocations are.
pub async fn a_revocation_is_as_durable_as_the_store_says(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let facts = scene.node().0.inspect().await.expect("inspect answers");
    let handle = scene.session().await.record.handle;
    let revoked = scene.node().revoke_session(handle).await;
    assert!(revoked.durability >= facts.durability);
}

/// A page of a list says one time for all its sessions, and no session in it is past it.
pub async fn a_list_is_of_one_time(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for _ in 0..5 {
        scene.session_of(&user("ada")).await;
    }
    let sessions = scene.node().list(&user("ada"), 100).await;
    for live in &sessions {
        assert_eq!(live.now, sessions[0].now);
        assert!(live.now < live.idle_deadline);
        assert!(live.now < live.record.deadline);
    }
}
