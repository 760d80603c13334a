//! L6: `revoke` ends one session or a user's, at once and for good, however often it is said.

use std::sync::{Arc, Mutex};

use super::{
    World,
    scene::{Scene, binding, task, user},
};
use crate::{Cause, Effect, Handle, Revoke, Target, UserId};

/// Revoking a live session says that it ended one; saying it again ends nothing and is no error.
pub async fn revoking_twice_is_revoking_once(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let handle = scene.session().await.record.handle;
    let first = scene.node().revoke_session(handle).await;
    assert_eq!(first.effect, Effect::Session);
    let second = scene.other().revoke_session(handle).await;
    assert_eq!(second.effect, Effect::Nothing);
    assert!(!scene.node().is_alive(&handle).await);
}

/// Revoking what was never there or has expired ends nothing and is no error.
pub async fn revoking_the_absent_and_the_expired_ends_nothing(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let (absent, expired) = (scene.draft(), scene.idle_soon());
    scene.node().created(&expired).await;
    scene.wait(2).await;
    for draft in [absent, expired] {
        let revoked = scene.node().revoke_session(draft.handle).await;
        assert_eq!(revoked.effect, Effect::Nothing);
    }
}

/// Of 16 racing revocations of one session exactly one ended it.
pub async fn of_racing_revocations_one_ends_the_session(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let handle = scene.session().await.record.handle;
    let effects = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..16).map(|number| {
        let (node, effects) = (scene.nodes[number % 2].clone(), effects.clone());
        task(async move {
            let effect = node.revoke_session(handle).await.effect;
            effects.lock().expect("nobody panicked").push(effect);
        })
    });
    scene.parallel(tasks.collect()).await;
    let effects = effects.lock().expect("nobody panicked");
    let ended = effects.iter().filter(|one| **one == Effect::Session);
    assert_eq!(ended.count(), 1);
    assert_eq!(effects.len(), 16);
}

/// Revoking one session leaves the others of its user alive.
pub async fn one_session_of_a_user_is_revoked_alone(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let one = scene.session_of(&user("ada")).await.record.handle;
    let other = scene.session_of(&user("ada")).await.record.handle;
    scene.node().revoke_session(one).await;
    assert!(!scene.node().is_alive(&one).await);
    assert!(scene.node().is_alive(&other).await);
    assert_eq!(scene.node().handles(&user("ada")).await, [other]);
}

/// The owner of a session ends it by `SessionOf`.
pub async fn the_owner_revokes_their_session(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let handle = scene.session_of(&user("ada")).await.record.handle;
    let revoke = session_of(&user("ada"), handle);
    assert_eq!(scene.node().revoke(&revoke).await.effect, Effect::Session);
    assert!(!scene.node().is_alive(&handle).await);
    assert_eq!(scene.node().revoke(&revoke).await.effect, Effect::Nothing);
}

/// `SessionOf` does nothing to the session of another user, to one of nobody, and to a handle
/// that is not there: it may be created afterwards.
pub async fn nobody_revokes_a_session_that_is_not_theirs(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let theirs = scene.session_of(&user("bob")).await.record.handle;
    let anonymous = scene.session().await.record.handle;
    let absent = scene.draft();
    for handle in [theirs, anonymous, absent.handle] {
        let revoke = session_of(&user("ada"), handle);
        assert_eq!(scene.node().revoke(&revoke).await.effect, Effect::Nothing);
    }
    assert!(scene.node().is_alive(&theirs).await);
    assert!(scene.node().is_alive(&anonymous).await);
    scene.node().created(&absent).await;
}

/// A session that passed from one user to another is the other's alone.
pub async fn a_former_owner_revokes_nothing(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let mut draft = scene.next(&live.record);
    draft.user = Some(user("bob"));
    scene.node().replaced(&live.record, &draft).await;
    let revoke = session_of(&user("ada"), draft.handle);
    assert_eq!(scene.node().revoke(&revoke).await.effect, Effect::Nothing);
    scene.node().revoke_user(&user("ada")).await;
    assert!(scene.node().is_alive(&draft.handle).await);
    scene.node().revoke_user(&user("bob")).await;
    assert!(!scene.node().is_alive(&draft.handle).await);
}

/// Every session of the user bound before is dead on every node; every one bound after lives.
pub async fn a_user_wide_revocation_divides_before_from_after(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let ada = user("ada");
    let mut before = Vec::new();
    for _ in 0..5 {
        before.push(scene.session_of(&ada).await.record.handle);
    }
    scene.other().revoke_user(&ada).await;
    let mut after = Vec::new();
    for _ in 0..5 {
        after.push(scene.session_of(&ada).await.record.handle);
    }
    after.sort();
    for node in &scene.nodes {
        for handle in &before {
            assert!(!node.is_alive(handle).await);
        }
        for handle in &after {
            assert!(node.is_alive(handle).await);
        }
        assert_eq!(node.handles(&ada).await, after);
    }
}

/// A session bound after a revocation through another node lives, though this node bound
/// sessions of the user before: the epoch is read from the store at each bind.
pub async fn a_bind_reads_the_epoch_from_the_store(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let ada = user("ada");
    for _ in 0..3 {
        let anonymous = scene.session().await;
        scene.session_of(&ada).await;
        let entry = scene.other().revoke_user(&ada).await;
        let born = scene.session_of(&ada).await;
        let mut draft = scene.next(&anonymous.record);
        draft.user = Some(ada.clone());
        let bound = scene.node().replaced(&anonymous.record, &draft).await;
        for live in [born, bound] {
            assert_eq!(binding(&live.record).stamp, entry.epoch);
            assert!(scene.node().is_alive(&live.record.handle).await);
        }
    }
}

/// Revoking a user who has no session is no error, and sessions bound afterwards live.
pub async fn a_user_without_sessions_is_revoked(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    scene.node().revoke_user(&user("ada")).await;
    let live = scene.session_of(&user("ada")).await;
    assert!(scene.node().is_alive(&live.record.handle).await);
}

fn session_of(user: &UserId, handle: Handle) -> Revoke {
    Revoke {
        target: Target::SessionOf(user.clone(), handle),
        cause: Cause::User,
    }
}
