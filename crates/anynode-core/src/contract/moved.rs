//! Laws that need a clock that can be moved: single milliseconds, hours and years.

use std::time::Duration;

use super::{
    World,
    scene::{DAY, HOUR, Scene, binding, user},
};
use crate::{
    Create, Moment,
    expiry::{ABSOLUTE_MAX, UNKNOWN_TOMBSTONE},
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// L2: a session is alive one millisecond before its idle deadline and dead at it.
pub async fn the_idle_deadline_is_the_first_dead_instant(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    scene.world.wait(HOUR - MILLISECOND).await;
    assert!(scene.node().is_alive(&live.record.handle).await);
    assert_eq!(scene.node().handles(&user("ada")).await.len(), 1);
    scene.world.wait(MILLISECOND).await;
    assert!(!scene.node().is_alive(&live.record.handle).await);
    assert_eq!(scene.node().handles(&user("ada")).await, []);
}

/// L2: a session is alive one millisecond before its absolute deadline and dead at it, though
/// it is in use all the time.
pub async fn the_absolute_deadline_is_the_first_dead_instant(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.idle_timeout = DAY * 2;
    scene.node().created(&draft).await;
    scene.world.wait(DAY - MILLISECOND).await;
    scene.node().touch(draft.handle, Duration::ZERO).await;
    let live = scene.node().loaded(&draft.handle).await;
    assert_eq!(live.idle_deadline, live.record.deadline);
    scene.world.wait(MILLISECOND).await;
    assert!(!scene.node().is_alive(&draft.handle).await);
}

/// L3, L5: a write or a touch in the last millisecond is in time, and one at the deadline late.
pub async fn the_last_millisecond_is_in_time(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.world.wait(HOUR - MILLISECOND).await;
    scene.node().touch(live.record.handle, Duration::ZERO).await;
    scene.world.wait(HOUR - MILLISECOND).await;
    let draft = scene.next(&live.record);
    let live = scene.node().replaced(&live.record, &draft).await;
    scene.world.wait(HOUR).await;
    scene.node().touch(draft.handle, Duration::ZERO).await;
    let late = scene.next(&live.record);
    let answer = scene.node().replace(&live.record.version, &late).await;
    assert_eq!(answer, crate::Replace::Gone);
}

/// L3: a session that is authenticated again gets a new absolute lifetime, and lives past the
/// old one.
pub async fn a_new_authentication_begins_a_new_lifetime(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.idle_timeout = DAY * 3;
    let live = scene.node().created(&draft).await;
    scene.world.wait(DAY / 2).await;
    let mut login = scene.next(&live.record);
    login.user = Some(user("ada"));
    login.deadline = Moment::After(DAY);
    scene.node().replaced(&live.record, &login).await;
    scene.world.wait(DAY - MILLISECOND).await;
    assert!(scene.node().is_alive(&draft.handle).await);
    scene.world.wait(MILLISECOND).await;
    assert!(!scene.node().is_alive(&draft.handle).await);
}

/// L4: a handle that was revoked before it was seen stays dead for an hour, through sweeps, and
/// does not stay in the store for ever.
pub async fn an_unseen_handle_stays_dead_for_an_hour(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.draft();
    scene.node().revoke_session(draft.handle).await;
    scene.world.wait(UNKNOWN_TOMBSTONE - MILLISECOND).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
    scene.world.wait(MILLISECOND).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().scan(10).await, []);
}

/// L4: revoking such a handle again counts its hour again: its `create` may have been on its
/// way at the second revocation too.
pub async fn revoking_an_unseen_handle_again_renews_its_hour(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.draft();
    scene.node().revoke_session(draft.handle).await;
    scene.world.wait(UNKNOWN_TOMBSTONE - MILLISECOND).await;
    scene.node().revoke_session(draft.handle).await;
    scene.world.wait(HOUR / 2).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// L4: a revoked session stays dead up to its absolute deadline, through every sweep.
pub async fn a_revocation_is_kept_to_the_last_millisecond(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let revoked = scene.draft();
    let outdated = scene.draft_of(&user("ada"));
    for draft in [&revoked, &outdated] {
        scene.node().created(draft).await;
    }
    scene.node().revoke_session(revoked.handle).await;
    scene.node().revoke_user(&user("ada")).await;
    for _ in 0..23 {
        scene.world.wait(HOUR).await;
        scene.node().sweep_all().await;
    }
    scene.world.wait(HOUR - MILLISECOND).await;
    scene.node().sweep_all().await;
    for draft in [&revoked, &outdated] {
        assert_eq!(scene.node().create(draft).await, Create::Duplicate);
    }
    scene.world.wait(MILLISECOND).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().scan(10).await, []);
}

/// L6: an entry outlives the longest session that it outdates, through every sweep.
pub async fn an_entry_outlives_what_it_outdates(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft_of(&user("ada"));
    draft.idle_timeout = ABSOLUTE_MAX;
    draft.deadline = Moment::After(ABSOLUTE_MAX);
    scene.node().created(&draft).await;
    scene.node().revoke_user(&user("ada")).await;
    scene.world.wait(ABSOLUTE_MAX - MILLISECOND).await;
    assert!(!scene.node().is_alive(&draft.handle).await);
    scene.node().sweep_all().await;
    assert!(!scene.node().is_alive(&draft.handle).await);
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// L6: an entry also outlives the sessions that bear its epoch, however late they were bound or
/// written: they live to their deadline.
pub async fn an_entry_outlives_what_bears_its_epoch(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    scene.node().revoke_user(&user("ada")).await;
    scene.world.wait(ABSOLUTE_MAX - HOUR).await;
    let mut born = scene.draft_of(&user("ada"));
    born.idle_timeout = ABSOLUTE_MAX;
    born.deadline = Moment::After(ABSOLUTE_MAX);
    let mut bound = born.clone();
    bound.handle = scene.draft().handle;
    let first = scene.node().created(&born).await;
    bound.user = None;
    let live = scene.node().created(&bound).await;
    bound.user = Some(user("ada"));
    bound.version = live.record.version.next(scene.write_id());
    scene.node().replaced(&live.record, &bound).await;
    scene.world.wait(ABSOLUTE_MAX - MILLISECOND).await;
    scene.node().sweep_all().await;
    for handle in [first.record.handle, bound.handle] {
        assert!(scene.node().is_alive(&handle).await, "its epoch was lost");
    }
}

/// L6: after its entry has been swept, a user's next epoch is still above every one before, and
/// sessions bound then live.
pub async fn an_epoch_after_the_entry_was_swept_is_not_from_zero(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let first = scene.node().revoke_user(&user("ada")).await;
    scene.world.wait(ABSOLUTE_MAX + DAY).await;
    scene.node().sweep_all().await;
    let between = scene.session_of(&user("ada")).await;
    let second = scene.node().revoke_user(&user("ada")).await;
    assert!(second.epoch > first.epoch);
    assert!(!scene.node().is_alive(&between.record.handle).await);
    let after = scene.session_of(&user("ada")).await;
    assert_eq!(binding(&after.record).stamp, second.epoch);
}

/// L8: the entry of a user is swept once no session can bear or outlive its epoch.
pub async fn an_entry_is_finally_swept(world: &dyn World) {
    let scene = Scene::open(world, 1).await;
    scene.node().revoke_user(&user("ada")).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    scene.world.wait(ABSOLUTE_MAX - MILLISECOND).await;
    scene.node().sweep_all().await;
    let snapshot = watch.channel.snapshot().await.expect("snapshot answers");
    assert_eq!(snapshot.users.len(), 1);
    scene.world.wait(MILLISECOND).await;
    scene.node().sweep_all().await;
    let snapshot = watch.channel.snapshot().await.expect("snapshot answers");
    assert_eq!(snapshot.users, []);
}

/// L12: a node that has been silent for an hour is no longer registered; one that lives on is.
pub async fn a_silent_node_is_forgotten(world: &dyn World) {
    let scene = Scene::open(world, 2).await;
    let silent = scene.watch(&scene.node(), "silent").await;
    let mut living = scene.watch(&scene.other(), "living").await;
    living.until_passed().await;
    scene.world.wait(HOUR).await;
    living.until_passed().await;
    let nodes = scene.node().0.nodes().await.expect("nodes answers");
    let names: Vec<_> = nodes.iter().map(|entry| entry.node.as_str()).collect();
    assert_eq!(names, ["living"]);
    drop(silent);
}
