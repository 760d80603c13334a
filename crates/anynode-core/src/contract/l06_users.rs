//! L6: who a user is, and what an epoch is.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use super::{
    World,
    scene::{Scene, binding, task, user},
};
use crate::{Cause, Effect, Epoch, Revoke, UserId};

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
