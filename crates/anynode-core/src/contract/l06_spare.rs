//! L6: "log out everywhere else" ends all sessions of a user but one.

use super::{
    World,
    scene::{Scene, user},
};

/// All but one: the spared session lives and is listed, all others are dead.
pub async fn one_session_is_spared(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let ada = user("ada");
    let mut handles = Vec::new();
    for _ in 0..5 {
        handles.push(scene.session_of(&ada).await.record.handle);
    }
    scene.node().revoke_all_but(&ada, handles[2]).await;
    for node in &scene.nodes {
        assert_eq!(node.handles(&ada).await, [handles[2]]);
        for (number, handle) in handles.iter().enumerate() {
            assert_eq!(node.is_alive(handle).await, number == 2);
        }
    }
}

/// A spared session dies by the next revocation that does not spare it, whether it was written
/// meanwhile or not.
pub async fn a_spared_session_dies_by_the_next_revocation(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let ada = user("ada");
    let idle = scene.session_of(&ada).await;
    scene.node().revoke_all_but(&ada, idle.record.handle).await;
    let written = scene.session_of(&ada).await;
    scene
        .node()
        .revoke_all_but(&ada, written.record.handle)
        .await;
    assert!(!scene.node().is_alive(&idle.record.handle).await);
    let draft = scene.next(&written.record);
    scene.node().replaced(&written.record, &draft).await;
    scene.node().revoke_user(&ada).await;
    assert_eq!(scene.node().handles(&ada).await, []);
}

/// A session may be spared again and again, with and without being written between.
pub async fn a_session_is_spared_again_and_again(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let ada = user("ada");
    let mut live = scene.session_of(&ada).await;
    let handle = live.record.handle;
    for round in 0..6 {
        let rest = scene.session_of(&ada).await.record.handle;
        scene.node().revoke_all_but(&ada, handle).await;
        assert!(!scene.node().is_alive(&rest).await);
        if round % 3 == 1 {
            let draft = scene.next(&live.record);
            live = scene.node().replaced(&live.record, &draft).await;
        }
        assert!(scene.node().is_alive(&handle).await);
    }
}

/// A session that an earlier revocation ended is not spared by a later one: it stays dead.
pub async fn a_dead_session_cannot_be_spared(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let ada = user("ada");
    let outdated = scene.session_of(&ada).await.record.handle;
    let revoked = scene.session_of(&ada).await.record.handle;
    scene.node().revoke_session(revoked).await;
    scene.node().revoke_user(&ada).await;
    for handle in [outdated, revoked, outdated] {
        scene.node().revoke_all_but(&ada, handle).await;
        assert!(!scene.node().is_alive(&handle).await);
    }
    assert_eq!(scene.node().handles(&ada).await, []);
}

/// Sparing the session of somebody else spares none of the user's, and does nothing to it.
pub async fn sparing_a_strangers_session_spares_nobody(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mine = scene.session_of(&user("ada")).await.record.handle;
    let theirs = scene.session_of(&user("bob")).await.record.handle;
    scene.node().revoke_all_but(&user("ada"), theirs).await;
    assert!(!scene.node().is_alive(&mine).await);
    assert!(scene.node().is_alive(&theirs).await);
    scene.node().revoke_user(&user("bob")).await;
    assert!(!scene.node().is_alive(&theirs).await);
}
