//! L5: `touch` moves idle deadlines forward, and does nothing else.

use std::time::Duration;

use super::{
    World,
    scene::{DAY, HOUR, Scene, next, task, user},
};
use crate::{Moment, Touch};

/// A touch moves the idle deadline to the idle timeout from now.
pub async fn a_touch_moves_the_idle_deadline_forward(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.wait(2).await;
    let before = scene.node().loaded(&live.record.handle).await.now;
    scene.node().touch(live.record.handle, Duration::ZERO).await;
    let after = scene.node().loaded(&live.record.handle).await;
    assert!(after.idle_deadline > live.idle_deadline);
    assert!(after.idle_deadline >= before + HOUR);
    assert!(after.idle_deadline <= after.now + HOUR);
}

/// A touch counts from the use it reports: `age` before the store's clock.
pub async fn the_age_of_a_use_is_counted(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let age = scene.world.unit() * 2;
    scene.wait(4).await;
    let before = scene.node().loaded(&live.record.handle).await.now;
    scene.node().touch(live.record.handle, age).await;
    let after = scene.node().loaded(&live.record.handle).await;
    assert!(after.idle_deadline >= before.back(age) + HOUR);
    assert!(after.idle_deadline <= after.now.back(age) + HOUR);
    assert!(after.idle_deadline > live.idle_deadline);
}

/// A touch that reports a use older than the last one changes nothing.
pub async fn a_touch_never_moves_the_deadline_back(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    for age in [HOUR / 2, HOUR * 2, Duration::MAX] {
        scene.other().touch(live.record.handle, age).await;
        let loaded = scene.node().loaded(&live.record.handle).await;
        assert_eq!(loaded.idle_deadline, live.idle_deadline);
    }
}

/// The idle deadline never passes the absolute one.
pub async fn a_touch_never_passes_the_absolute_deadline(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.deadline = Moment::After(HOUR + scene.world.unit());
    let live = scene.node().created(&draft).await;
    assert!(live.idle_deadline < live.record.deadline);
    scene.wait(2).await;
    scene.node().touch(draft.handle, Duration::ZERO).await;
    let loaded = scene.node().loaded(&draft.handle).await;
    assert_eq!(loaded.idle_deadline, live.record.deadline);
}

/// A session that went idle stays dead, however fresh the use that is reported.
pub async fn a_touch_does_not_revive_an_idle_session(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.idle_soon();
    scene.node().created(&draft).await;
    scene.wait(2).await;
    scene.node().touch(draft.handle, Duration::ZERO).await;
    assert!(!scene.node().is_alive(&draft.handle).await);
}

/// A session past its absolute deadline stays dead.
pub async fn a_touch_does_not_extend_the_absolute_deadline(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.absolute_soon();
    scene.node().created(&draft).await;
    scene.node().touch(draft.handle, Duration::ZERO).await;
    scene.wait(2).await;
    scene.node().touch(draft.handle, Duration::ZERO).await;
    assert!(!scene.node().is_alive(&draft.handle).await);
}

/// A revoked session stays dead, and so does one outdated by its user's entry.
pub async fn a_touch_does_not_revive_a_revoked_session(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let revoked = scene.session().await.record.handle;
    let outdated = scene.session_of(&user("ada")).await.record.handle;
    scene.node().revoke_session(revoked).await;
    scene.node().revoke_user(&user("ada")).await;
    for handle in [revoked, outdated] {
        scene.node().touch(handle, Duration::ZERO).await;
        assert!(!scene.node().is_alive(&handle).await);
    }
    assert_eq!(scene.node().handles(&user("ada")).await, []);
}

/// A session that its user's entry spares is touched like any other.
pub async fn a_spared_session_is_touched(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let handle = live.record.handle;
    scene.node().revoke_all_but(&user("ada"), handle).await;
    scene.wait(1).await;
    scene.node().touch(handle, Duration::ZERO).await;
    let loaded = scene.node().loaded(&handle).await;
    assert!(loaded.idle_deadline > live.idle_deadline);
}

/// A touch changes no version and nothing else of the record.
pub async fn a_touch_changes_no_version(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    scene.wait(1).await;
    scene.node().touch(live.record.handle, Duration::ZERO).await;
    let loaded = scene.node().loaded(&live.record.handle).await;
    assert_eq!(loaded.record, live.record);
}

/// A writer that read the record before a touch still replaces it.
pub async fn a_touch_conflicts_with_no_writer(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    scene
        .other()
        .touch(live.record.handle, Duration::ZERO)
        .await;
    let draft = scene.next(&live.record);
    scene.node().replaced(&live.record, &draft).await;
}

/// A touch creates nothing, and unknown handles do not spoil the rest of their batch.
pub async fn unknown_handles_are_passed_over(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let unknown = [scene.draft().handle, scene.draft().handle];
    scene.wait(1).await;
    let handles = [unknown[0], live.record.handle, unknown[1]];
    let batch = handles.map(|handle| Touch {
        handle,
        age: Duration::ZERO,
    });
    scene.node().touch_all(&batch).await;
    let loaded = scene.node().loaded(&live.record.handle).await;
    assert!(loaded.idle_deadline > live.idle_deadline);
    assert_eq!(scene.node().scan(10).await.len(), 1);
}

/// An empty batch is no error.
pub async fn an_empty_batch_is_touched(world: &dyn World) {
    let scene = Scene::open(world, 1).await;
    scene.node().touch_all(&[]).await;
}

/// A handle that comes twice in a batch is touched by its latest use, in whatever order.
pub async fn the_latest_use_of_a_batch_counts(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for ages in [[1, 3], [3, 1]] {
        let live = scene.session().await;
        scene.wait(4).await;
        let before = scene.node().loaded(&live.record.handle).await.now;
        let unit = scene.world.unit();
        let batch = ages.map(|units| Touch {
            handle: live.record.handle,
            age: unit * units,
        });
        scene.node().touch_all(&batch).await;
        let loaded = scene.node().loaded(&live.record.handle).await;
        assert!(loaded.idle_deadline >= before.back(unit) + HOUR);
    }
}

/// 500 sessions are touched by one batch.
pub async fn a_large_batch_is_touched_whole(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut sessions = Vec::new();
    for _ in 0..500 {
        sessions.push(scene.session().await);
    }
    scene.wait(1).await;
    let batch: Vec<_> = sessions
        .iter()
        .map(|live| Touch {
            handle: live.record.handle,
            age: Duration::ZERO,
        })
        .collect();
    scene.node().touch_all(&batch).await;
    for live in sessions {
        let loaded = scene.node().loaded(&live.record.handle).await;
        assert!(loaded.idle_deadline > live.idle_deadline);
    }
}

/// Touches that race with writers lose no write, and writers lose no deadline: at the end the
/// last payload is kept and the idle deadline has not moved back.
pub async fn touches_and_writes_do_not_lose_each_other(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut draft = scene.draft();
    draft.deadline = Moment::After(DAY);
    let live = scene.node().created(&draft).await;
    let (writer, toucher, handle) = (scene.node(), scene.other(), draft.handle);
    let mut random = scene.random.fork();
    let first = live.clone();
    let tasks = vec![
        task(async move {
            let mut live = first;
            for _ in 0..50 {
                let draft = next(&live.record, &mut random);
                let written = writer.replaced(&live.record, &draft).await;
                assert!(written.idle_deadline >= live.idle_deadline);
                let loaded = writer.loaded(&handle).await;
                assert_eq!(loaded.record, written.record);
                live = written;
            }
        }),
        task(async move {
            let mut deadline = live.idle_deadline;
            for round in 0..50 {
                toucher.touch(handle, Duration::from_secs(round % 2)).await;
                let seen = toucher.loaded(&handle).await.idle_deadline;
                assert!(seen >= deadline, "the deadline moved back");
                deadline = seen;
            }
        }),
    ];
    scene.parallel(tasks).await;
    let loaded = scene.node().loaded(&handle).await;
    assert_eq!(loaded.record.version.counter, 51);
}
