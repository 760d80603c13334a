//! L4: after an acknowledged revoke nothing revives the session.

use std::time::Duration;

use super::{
    World,
    node::assert_dead,
    scene::{Scene, user},
};
use crate::{Cause, Create, Item, Moment, Replace, SecretHash};

/// A revoked session is not loaded, on no node.
pub async fn a_revoked_session_is_not_loaded(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    assert_dead(&scene.nodes, &live.record.handle).await;
}

/// A revoked session is `Gone` to the writer that read it before, on every node, and is not
/// there afterwards.
pub async fn a_revoked_session_is_not_revived_by_replace(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    for node in scene.nodes.clone() {
        let draft = scene.next(&live.record);
        let answer = node.replace(&live.record.version, &draft).await;
        assert_eq!(answer, Replace::Gone);
    }
    assert_dead(&scene.nodes, &live.record.handle).await;
}

/// A rotation that was under way when its session was revoked is `Gone`.
pub async fn a_revoked_session_is_not_revived_by_rotation(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let mut draft = scene.next(&live.record);
    draft.replace_secret(SecretHash::from_bytes([5; 32]));
    scene.node().revoke_session(draft.handle).await;
    let answer = scene.node().replace(&live.record.version, &draft).await;
    assert_eq!(answer, Replace::Gone);
    assert_dead(&scene.nodes, &draft.handle).await;
}

/// A login that was under way when its anonymous session was revoked is `Gone`.
pub async fn a_revoked_session_is_not_revived_by_a_login(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    let mut draft = scene.next(&live.record);
    draft.user = Some(user("ada"));
    draft.deadline = Moment::After(Duration::from_secs(90_000));
    let answer = scene.node().replace(&live.record.version, &draft).await;
    assert_eq!(answer, Replace::Gone);
    assert_eq!(scene.node().handles(&user("ada")).await, []);
}

/// A touch that arrives after the revocation revives nothing.
pub async fn a_revoked_session_is_not_revived_by_touch(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    scene
        .other()
        .touch(live.record.handle, Duration::ZERO)
        .await;
    assert_dead(&scene.nodes, &live.record.handle).await;
}

/// Its handle cannot be created again, with the same draft or another.
pub async fn a_revoked_handle_is_not_created_again(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let first = scene.draft();
    scene.node().created(&first).await;
    scene.node().revoke_session(first.handle).await;
    let mut second = scene.draft_of(&user("ada"));
    second.handle = first.handle;
    for draft in [&first, &second] {
        assert_eq!(scene.other().create(draft).await, Create::Duplicate);
    }
    assert_dead(&scene.nodes, &first.handle).await;
}

/// A handle that was revoked before the store ever saw it cannot be created: its `create` may
/// have been on its way.
pub async fn a_handle_revoked_before_it_was_seen_is_dead(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let draft = scene.draft();
    scene.node().revoke_session(draft.handle).await;
    assert_eq!(scene.other().create(&draft).await, Create::Duplicate);
    scene.node().sweep_all().await;
    assert_eq!(scene.other().create(&draft).await, Create::Duplicate);
    assert_dead(&scene.nodes, &draft.handle).await;
}

/// Sweeping does not forget a revocation before the absolute deadline of the session: its
/// handle stays taken and its late writers stay `Gone`.
pub async fn a_revoked_session_stays_dead_when_it_is_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let first = scene.draft();
    let live = scene.node().created(&first).await;
    scene.node().revoke_session(first.handle).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&first).await, Create::Duplicate);
    let draft = scene.next(&live.record);
    let answer = scene.node().replace(&live.record.version, &draft).await;
    assert_eq!(answer, Replace::Gone);
}

/// The revocation outlives the idle timeout of the session, because only its absolute deadline
/// bounds what a late writer may ask for.
pub async fn a_revocation_outlives_the_idle_timeout(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.idle_soon();
    scene.node().created(&draft).await;
    scene.node().revoke_session(draft.handle).await;
    scene.wait(3).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// A session that its user's entry outdated stays dead when it is swept: until its absolute
/// deadline its handle is not created anew, whoever asks and for whomever.
pub async fn an_outdated_session_stays_dead_when_it_is_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let draft = scene.draft_of(&user("ada"));
    let live = scene.node().created(&draft).await;
    scene.node().revoke_user(&user("ada")).await;
    scene.node().sweep_all().await;
    for owner in [Some(user("ada")), Some(user("bob")), None] {
        let mut again = draft.clone();
        again.user = owner;
        assert_eq!(scene.other().create(&again).await, Create::Duplicate);
    }
    let late = scene.next(&live.record);
    let answer = scene.node().replace(&live.record.version, &late).await;
    assert_eq!(answer, Replace::Gone);
    assert_dead(&scene.nodes, &draft.handle).await;
}

/// A session that went idle and was outdated as well stays dead when it is swept, like one that
/// was only outdated.
pub async fn an_outdated_and_idle_session_stays_dead_when_it_is_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft_of(&user("ada"));
    draft.idle_timeout = scene.world.unit();
    scene.node().created(&draft).await;
    scene.node().revoke_user(&user("ada")).await;
    scene.wait(2).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// Every revocation leaves at most a tombstone of 64 bytes, so no data of the session: `scan`
/// shows a tombstone with the cause.
pub async fn nothing_but_a_tombstone_is_left(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    match scene.node().scan(10).await.as_slice() {
        [Item::Tombstone(tombstone)] => {
            assert_eq!(tombstone.handle, live.record.handle);
            assert_eq!(tombstone.cause, Cause::User);
            assert!(tombstone.until >= live.record.deadline);
        }
        other => panic!("{other:?}"),
    }
}
