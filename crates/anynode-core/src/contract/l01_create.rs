//! L1: `create` inserts if the handle is free.

use std::sync::{Arc, Mutex};

use super::{
    World,
    scene::{Scene, task, user},
};
use crate::{Create, Handle, Version};

/// A session whose handle is free is created, and the answer is what `load` answers then.
pub async fn a_free_handle_is_created(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let loaded = scene.node().loaded(&live.record.handle).await;
    assert_eq!(loaded.record, live.record);
    assert_eq!(loaded.idle_deadline, live.idle_deadline);
}

/// A handle that is alive is `Duplicate`, and its record stays as it was.
pub async fn a_live_handle_is_a_duplicate(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let mut second = scene.draft();
    second.handle = live.record.handle;
    assert_eq!(scene.node().create(&second).await, Create::Duplicate);
    let loaded = scene.node().loaded(&live.record.handle).await;
    assert_eq!(loaded.record, live.record);
}

/// The very draft that was created is `Duplicate` when it is sent again.
pub async fn a_create_sent_twice_is_a_duplicate(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.draft();
    scene.node().created(&draft).await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// A handle that was created through one node is `Duplicate` through every other.
pub async fn a_handle_taken_on_one_node_is_taken_on_all(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let draft = scene.draft();
    scene.node().created(&draft).await;
    assert_eq!(scene.other().create(&draft).await, Create::Duplicate);
}

/// A revoked handle is `Duplicate`.
pub async fn a_tombstoned_handle_is_a_duplicate(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.draft();
    scene.node().created(&draft).await;
    scene.node().revoke_session(draft.handle).await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// The handle of a session that was outdated by its user's entry is `Duplicate`, also for a
/// session of nobody.
pub async fn an_outdated_handle_is_a_duplicate(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft_of(&user("ada"));
    scene.node().created(&draft).await;
    scene.node().revoke_user(&user("ada")).await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
    draft.user = None;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// The handle of a session that expired unused before it was swept is either still taken or
/// free, and a session created under it is wholly the new one.
pub async fn an_expired_handle_is_taken_or_wholly_new(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let old = scene.idle_soon();
    scene.node().created(&old).await;
    scene.wait(2).await;
    let mut new = scene.draft();
    new.handle = old.handle;
    match scene.node().create(&new).await {
        Create::Duplicate => assert!(!scene.node().is_alive(&old.handle).await),
        Create::Created(live) => {
            let loaded = scene.node().loaded(&old.handle).await;
            assert_eq!(loaded.record, live.record);
            assert_eq!(loaded.record.payload, new.payload);
        }
    }
}

/// Of 64 racing creators of one handle, through two nodes, exactly one is answered `Created`,
/// and its record is the one that is kept.
pub async fn of_racing_creators_exactly_one_succeeds(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let (handle, winners) = (scene.draft().handle, Arc::new(Mutex::new(Vec::new())));
    let mut tasks = Vec::new();
    for number in 0..64 {
        let mut draft = scene.draft();
        draft.handle = handle;
        let (node, winners) = (scene.nodes[number % 2].clone(), winners.clone());
        tasks.push(task(async move {
            if let Create::Created(live) = node.create(&draft).await {
                assert_eq!(live.record.version, draft.version);
                winners.lock().expect("nobody panicked").push(draft);
            }
        }));
    }
    scene.parallel(tasks).await;
    let winners = winners.lock().expect("nobody panicked").clone();
    assert_eq!(winners.len(), 1, "exactly one creator succeeds");
    let kept = scene.node().loaded(&handle).await.record;
    assert_eq!(kept.version, winners[0].version);
    assert_eq!(kept.payload, winners[0].payload);
}

/// 64 creators of different handles all succeed at once.
pub async fn creators_of_different_handles_do_not_disturb_each_other(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let drafts: Vec<_> = (0..64).map(|_| scene.draft()).collect();
    let tasks = drafts.iter().cloned().enumerate().map(|(number, draft)| {
        let node = scene.nodes[number % 2].clone();
        task(async move {
            node.created(&draft).await;
        })
    });
    scene.parallel(tasks.collect()).await;
    for draft in drafts {
        let kept = scene.node().loaded(&draft.handle).await.record;
        assert_eq!(kept.payload, draft.payload);
    }
}

/// The handles of all zeros and all ones are handles like any other.
pub async fn the_first_and_the_last_handle_are_handles(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for byte in [0x00, 0xff] {
        let mut draft = scene.draft_of(&user("ada"));
        draft.handle = Handle::from_bytes([byte; 16]);
        scene.node().created(&draft).await;
        assert!(scene.node().is_alive(&draft.handle).await);
    }
    assert_eq!(scene.node().handles(&user("ada")).await.len(), 2);
    assert_eq!(scene.node().scan(1).await.len(), 2);
}

/// The version is the draft's, whatever counter it starts from.
pub async fn the_version_is_the_one_of_the_draft(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.version = Version {
        counter: u64::from(u32::MAX) * 1_000,
        write: scene.write_id(),
    };
    let live = scene.node().created(&draft).await;
    assert_eq!(live.record.version, draft.version);
    assert_eq!(
        scene.node().loaded(&draft.handle).await.record.version,
        draft.version
    );
}
