//! L8: `sweep` removes what is dead, in bounded batches, and nothing else.

use super::{
    World,
    scene::{ROUNDS, Scene, give_way, next, task, user},
};
use crate::{Item, Moment};

/// A store without anything dead is swept of nothing.
pub async fn nothing_live_is_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let spared = scene.session_of(&user("bob")).await;
    scene
        .node()
        .revoke_all_but(&user("bob"), spared.record.handle)
        .await;
    let mut living = vec![spared];
    for _ in 0..5 {
        living.push(scene.session().await);
        living.push(scene.session_of(&user("ada")).await);
    }
    scene.node().sweep_all().await;
    for live in living {
        let loaded = scene.node().loaded(&live.record.handle).await;
        assert_eq!(loaded.record, live.record);
    }
    assert_eq!(scene.node().scan(100).await.len(), 11);
}

/// Expired sessions are removed, unused ones and those past their absolute deadline: sweeping
/// finally leaves only the living.
pub async fn the_expired_are_finally_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    for _ in 0..10 {
        let (idle, mut absolute) = (scene.idle_soon(), scene.absolute_soon());
        absolute.user = Some(user("ada"));
        scene.node().created(&idle).await;
        scene.node().created(&absolute).await;
    }
    scene.wait(2).await;
    scene.node().sweep_all().await;
    match scene.node().scan(100).await.as_slice() {
        [Item::Record(record, _)] => assert_eq!(record.handle, live.record.handle),
        other => panic!("{} items are left", other.len()),
    }
}

/// One call removes no more than its limit, says how many it removed, and says whether the
/// limit stopped it; called on and on it comes to an end with everything dead removed.
pub async fn a_sweep_keeps_to_its_limit(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for _ in 0..25 {
        let draft = scene.idle_soon();
        scene.node().created(&draft).await;
    }
    scene.wait(2).await;
    let mut removed = 0;
    for _ in 0..100 {
        let kept = scene.node().scan(100).await.len();
        let swept = scene.node().sweep(4).await;
        assert!(swept.removed <= 4);
        let left = scene.node().scan(100).await.len();
        assert_eq!(kept - left, swept.removed);
        removed += swept.removed;
        if left == 0 {
            break;
        }
    }
    assert_eq!(removed, 25);
}

/// A sweep of a store with more dead than the limit says that there is more; one that found
/// nothing to do says that there is none.
pub async fn a_sweep_says_whether_there_is_more(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    assert!(!scene.node().sweep(100).await.more);
    for _ in 0..20 {
        let draft = scene.idle_soon();
        scene.node().created(&draft).await;
    }
    scene.wait(2).await;
    let first = scene.node().sweep(5).await;
    assert!(first.more);
    scene.node().sweep_all().await;
    let last = scene.node().sweep(100).await;
    assert_eq!((last.removed, last.more), (0, false));
}

/// Tombstones stay until the absolute deadline of what they stand for, and go afterwards.
pub async fn tombstones_go_after_their_deadline(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let (mut short, long) = (scene.draft(), scene.draft());
    short.deadline = Moment::After(scene.world.unit() * 4);
    for draft in [&short, &long] {
        scene.node().created(draft).await;
        scene.node().revoke_session(draft.handle).await;
    }
    scene.node().sweep_all().await;
    assert_eq!(scene.node().scan(10).await.len(), 2);
    scene.wait(5).await;
    scene.node().sweep_all().await;
    match scene.node().scan(10).await.as_slice() {
        [Item::Tombstone(tombstone)] => assert_eq!(tombstone.handle, long.handle),
        other => panic!("{other:?}"),
    }
}

/// What its user's entry outdated is gone without a trace after its absolute deadline.
pub async fn the_outdated_go_after_their_deadline(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for _ in 0..5 {
        let mut draft = scene.draft_of(&user("ada"));
        draft.deadline = Moment::After(scene.world.unit() * 4);
        scene.node().created(&draft).await;
    }
    scene.node().revoke_user(&user("ada")).await;
    scene.node().sweep_all().await;
    scene.wait(5).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().scan(10).await, []);
}

/// Nodes that sweep at once, while others read, write, touch and create, remove nothing that is
/// alive, and everything that is dead.
pub async fn sweepers_and_traffic_do_not_disturb_each_other(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    for _ in 0..40 {
        let draft = scene.idle_soon();
        scene.node().created(&draft).await;
    }
    scene.wait(2).await;
    let mut tasks = Vec::new();
    let mut living = Vec::new();
    for number in 0..6 {
        let (node, mut random) = (scene.nodes[number % 2].clone(), scene.random.fork());
        let live = scene.session_of(&user("ada")).await;
        living.push(live.record.handle);
        let fresh: Vec<_> = (0..ROUNDS / 4).map(|_| scene.draft()).collect();
        living.extend(fresh.iter().map(|draft| draft.handle));
        tasks.push(task(async move {
            let mut live = live;
            for draft in fresh {
                node.created(&draft).await;
                let draft = next(&live.record, &mut random);
                live = node.replaced(&live.record, &draft).await;
                node.touch(draft.handle, std::time::Duration::ZERO).await;
                assert_eq!(node.loaded(&draft.handle).await.record, live.record);
                give_way().await;
            }
        }));
    }
    for node in scene.nodes.clone() {
        tasks.push(task(async move {
            for _ in 0..ROUNDS {
                node.sweep(3).await;
                give_way().await;
            }
        }));
    }
    scene.parallel(tasks).await;
    scene.node().sweep_all().await;
    for handle in &living {
        assert!(
            scene.node().is_alive(handle).await,
            "a live session is gone"
        );
    }
    assert_eq!(scene.node().scan(1000).await.len(), living.len());
}

/// A session whose idle deadline was moved on, by a touch or a write, is not swept at the old
/// one.
pub async fn a_session_in_use_is_not_swept_at_its_old_deadline(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let unit = scene.world.unit();
    let mut handles = Vec::new();
    let mut written = Vec::new();
    for number in 0..6 {
        let mut draft = scene.draft();
        draft.idle_timeout = unit * 4;
        let live = scene.node().created(&draft).await;
        handles.push(draft.handle);
        if number % 2 == 0 {
            written.push(live);
        }
    }
    scene.wait(2).await;
    for live in &written {
        let draft = scene.next(&live.record);
        scene.node().replaced(&live.record, &draft).await;
    }
    for handle in &handles {
        scene.node().touch(*handle, std::time::Duration::ZERO).await;
    }
    let first_deadline = written[0].idle_deadline;
    scene.wait(2).await;
    scene.node().sweep_all().await;
    for handle in &handles {
        let live = scene.node().loaded(handle).await;
        assert!(live.now >= first_deadline);
    }
}

/// Sweeping an expired session frees its handle: nobody revoked it, and the one who creates it
/// anew gets a session that is wholly new.
pub async fn a_swept_handle_is_free(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.absolute_soon();
    draft.user = Some(user("ada"));
    scene.node().created(&draft).await;
    scene.wait(2).await;
    scene.node().sweep_all().await;
    let mut new = scene.draft();
    new.handle = draft.handle;
    let live = scene.node().created(&new).await;
    assert_eq!(live.record.user(), None);
    assert_eq!(scene.node().handles(&user("ada")).await, []);
}
