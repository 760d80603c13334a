//! L12: a channel starts from a snapshot of the live revocations and user entries.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    World,
    scene::{Scene, give_way, read_until_passed, task, user, within},
};
use crate::{Cause, Channel, Event, Handle, NodeId, Snapshot};

/// The snapshot of an empty store is empty, and its time is the store's.
pub async fn the_snapshot_of_an_empty_store_is_empty(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let before = scene.session().await.now;
    let mut watch = scene.watch(&scene.node(), "a").await;
    let snapshot = watch.channel.snapshot().await.expect("snapshot answers");
    assert_eq!((snapshot.revoked, snapshot.users), (vec![], vec![]));
    assert!(snapshot.now >= before);
}

/// The snapshot has the tombstone of every revoked session and the entry of every user who has
/// one, whichever node revoked them.
pub async fn the_snapshot_has_every_live_revocation(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut revoked = HashSet::new();
    for number in 0..150 {
        let handle = scene.session().await.record.handle;
        scene.nodes[number % 2].revoke_session(handle).await;
        revoked.insert(handle);
    }
    scene.session_of(&user("bob")).await;
    let spared = scene.session_of(&user("ada")).await.record.handle;
    let entry = scene.other().revoke_all_but(&user("ada"), spared).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    let snapshot = watch.channel.snapshot().await.expect("snapshot answers");
    assert_eq!(handles(&snapshot), revoked);
    assert_eq!(snapshot.users, [(user("ada"), entry)]);
    for tombstone in &snapshot.revoked {
        assert_eq!(tombstone.cause, Cause::User);
        assert!(tombstone.until > snapshot.now);
    }
}

/// Between the opening of a channel and its snapshot no revocation falls through: each is in
/// the snapshot or comes as an event.
pub async fn no_revocation_falls_between_opening_and_snapshot(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    for _ in 0..10 {
        let mut revoked = HashSet::new();
        for _ in 0..12 {
            revoked.insert(scene.session().await.record.handle);
        }
        let (revoker, watcher) = (scene.other(), scene.node());
        let (owed, finished) = (revoked.clone(), Arc::new(AtomicBool::new(false)));
        let (end, known) = (finished.clone(), Arc::new(Mutex::new(HashSet::new())));
        let learned = known.clone();
        let tasks = vec![
            task(async move {
                for handle in owed {
                    revoker.revoke_session(handle).await;
                    give_way().await;
                }
                end.store(true, Ordering::SeqCst);
            }),
            task(async move {
                let id = NodeId::new("a").expect("a name of letters");
                let channel = watcher.0.watch(&id).await.expect("watch answers");
                let known = learn(channel, &finished).await;
                learned.lock().expect("nobody panicked").extend(known);
            }),
        ];
        within(world, "end of the revocations", scene.parallel(tasks)).await;
        let known = known.lock().expect("nobody panicked");
        let missing = revoked.difference(&known).count();
        assert_eq!(missing, 0, "neither in the snapshot nor told");
    }
}

/// Everything that a node knows to be revoked when a barrier has passed that began after the
/// revocations were finished.
async fn learn(mut channel: Box<dyn Channel>, finished: &AtomicBool) -> HashSet<Handle> {
    let mut known = HashSet::new();
    let mut read_snapshot = true;
    loop {
        let last = finished.load(Ordering::SeqCst);
        if std::mem::take(&mut read_snapshot) {
            let snapshot = channel.snapshot().await;
            known.extend(handles(&snapshot.expect("snapshot answers")));
        }
        for event in read_until_passed(channel.as_mut()).await {
            match event {
                Event::Revoked(stone) => known.extend([stone.handle]),
                Event::Flush => read_snapshot = true,
                _ => {}
            }
        }
        if last && !read_snapshot {
            return known;
        }
        give_way().await;
    }
}

/// The snapshot may be read again at any time, and is then the present one.
pub async fn the_snapshot_is_read_again(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    let mut revoked = HashSet::new();
    for _ in 0..5 {
        let handle = scene.session().await.record.handle;
        scene.node().revoke_session(handle).await;
        revoked.insert(handle);
        let snapshot = watch.channel.snapshot().await.expect("snapshot answers");
        assert_eq!(handles(&snapshot), revoked);
    }
}

/// A tombstone that is past its deadline is not in the snapshot, swept or not.
pub async fn the_snapshot_has_no_tombstone_past_its_deadline(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.absolute_soon();
    scene.node().created(&draft).await;
    scene.node().revoke_session(draft.handle).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    scene.wait(2).await;
    let snapshot = watch.channel.snapshot().await.expect("snapshot answers");
    assert_eq!(snapshot.revoked, []);
}

fn handles(snapshot: &Snapshot) -> HashSet<Handle> {
    snapshot.revoked.iter().map(|stone| stone.handle).collect()
}
