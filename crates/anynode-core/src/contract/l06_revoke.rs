//! L6: `revoke` ends one session or a user's, at once and for good, however often it is said.

use std::{collections::HashSet, sync::Arc, sync::Mutex};

use super::{
    World,
    scene::{Scene, binding, task, user},
};
use crate::{Cause, Effect, Epoch, Revoke, Target, UserId};

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

/// Users whose names look alike are different users: case, spaces, composed and decomposed
/// letters, prefixes, and characters that some store might take for its own.
pub async fn users_whose_names_look_alike_are_different(world: &dyn World) {
    let names = [
        "ada",
        "Ada",
        "ADA",
        "ada ",
        " ada",
        "ad",
        "ada\u{301}",
        "ad\u{e1}",
        "ada\0",
        "ada:1",
        "ada%",
        "ad_",
        "{ada}",
        "ada'",
        "ada\"",
        "ada*",
        "ada\\",
        "ада",
        "ada\n",
        "1",
        "01",
        "1.0",
    ];
    let mut scene = Scene::open(world, 1).await;
    let mut handles = Vec::new();
    for name in names {
        handles.push(scene.session_of(&user(name)).await.record.handle);
    }
    for (number, name) in names.iter().enumerate() {
        assert_eq!(scene.node().handles(&user(name)).await, [handles[number]]);
    }
    for (number, name) in names.iter().enumerate() {
        scene.node().revoke_user(&user(name)).await;
        for (later, handle) in handles.iter().enumerate() {
            let alive = scene.node().is_alive(handle).await;
            assert_eq!(alive, later > number, "{name:?} and {:?}", names[later]);
        }
    }
}

/// The longest user names are kept whole: two that differ in the last byte are different users.
pub async fn the_longest_user_names_are_kept_whole(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let stem = "é".repeat(UserId::BYTES_MAX / 2);
    let (one, other) = (user(&format!("{stem}1")), user(&format!("{stem}2")));
    let mine = scene.session_of(&one).await;
    let theirs = scene.session_of(&other).await;
    assert_eq!(mine.record.user(), Some(&one));
    let loaded = scene.node().loaded(&mine.record.handle).await;
    assert_eq!(loaded.record.user(), Some(&one));
    scene.node().revoke_user(&one).await;
    assert!(!scene.node().is_alive(&mine.record.handle).await);
    assert!(scene.node().is_alive(&theirs.record.handle).await);
}

/// An epoch never counts from zero: it is at least the store's clock in microseconds, and each
/// is larger than the last, also within one tick of the clock.
pub async fn an_epoch_is_never_below_the_clock(world: &dyn World) {
    let scene = Scene::open(world, 2).await;
    let mut last = Epoch::ZERO;
    for number in 0..20 {
        let node = &scene.nodes[number % 2];
        let revoked = node.revoke(&Revoke::user(user("ada"), Cause::Admin)).await;
        let Effect::User(entry) = revoked.effect else {
            panic!("{revoked:?}");
        };
        assert!(entry.epoch.as_micros() >= revoked.at.as_micros());
        assert!(entry.epoch > last);
        assert_eq!(entry.spared, None);
        last = entry.epoch;
    }
}

/// Racing revocations of one user give different epochs, and the largest holds.
pub async fn racing_revocations_give_different_epochs(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let epochs = Arc::new(Mutex::new(HashSet::new()));
    let tasks = (0..32).map(|number| {
        let (node, epochs) = (scene.nodes[number % 2].clone(), epochs.clone());
        task(async move {
            let epoch = node.revoke_user(&user("ada")).await.epoch;
            epochs.lock().expect("nobody panicked").insert(epoch);
        })
    });
    scene.parallel(tasks.collect()).await;
    let epochs = epochs.lock().expect("nobody panicked").clone();
    assert_eq!(epochs.len(), 32);
    let live = scene.session_of(&user("ada")).await;
    assert_eq!(Some(&binding(&live.record).stamp), epochs.iter().max());
}

/// Users are independent: what ends the sessions of one ends none of another.
pub async fn users_are_independent(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let ada = scene.session_of(&user("ada")).await.record.handle;
    let bob = scene.session_of(&user("bob")).await.record.handle;
    let nobody = scene.session().await.record.handle;
    scene.node().revoke_user(&user("ada")).await;
    assert!(!scene.node().is_alive(&ada).await);
    assert!(scene.node().is_alive(&bob).await);
    assert!(scene.node().is_alive(&nobody).await);
}

fn session_of(user: &UserId, handle: crate::Handle) -> Revoke {
    Revoke {
        target: Target::SessionOf(user.clone(), handle),
        cause: Cause::User,
    }
}
