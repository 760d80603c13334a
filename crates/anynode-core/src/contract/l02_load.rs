//! L2: `load` answers the record while it is alive, and `None` is an answer, not an error.

use std::time::Duration;

use super::{
    World,
    scene::{Scene, user},
};
use crate::{Handle, Kind};

/// A handle that was never created is `None`.
pub async fn an_absent_session_is_none(world: &dyn World) {
    let scene = Scene::open(world, 1).await;
    let handle = Handle::from_bytes([7; 16]);
    assert_eq!(scene.node().load(&handle).await, None);
}

/// A session that went unused for its idle timeout is `None`.
pub async fn an_idle_session_is_none(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.idle_soon();
    scene.node().created(&draft).await;
    scene.wait(2).await;
    assert_eq!(scene.node().load(&draft.handle).await, None);
}

/// A session past its absolute deadline is `None`, however long it may go unused.
pub async fn a_session_past_its_absolute_deadline_is_none(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.absolute_soon();
    scene.node().created(&draft).await;
    scene.wait(2).await;
    assert_eq!(scene.node().load(&draft.handle).await, None);
}

/// A revoked session is `None`.
pub async fn a_revoked_session_is_none(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let handle = scene.session().await.record.handle;
    scene.node().revoke_session(handle).await;
    assert_eq!(scene.node().load(&handle).await, None);
}

/// A session whose user had all sessions revoked is `None`, bound at its creation or later.
pub async fn an_outdated_session_is_none(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let ada = user("ada");
    let born = scene.session_of(&ada).await;
    let bound = scene.session().await;
    let mut draft = scene.next(&bound.record);
    draft.user = Some(ada.clone());
    scene.node().replaced(&bound.record, &draft).await;
    scene.node().revoke_user(&ada).await;
    assert_eq!(scene.node().load(&born.record.handle).await, None);
    assert_eq!(scene.node().load(&bound.record.handle).await, None);
}

/// The session that a user-wide revocation spared is loaded, with the entry that spares it.
pub async fn a_spared_session_is_loaded(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let handle = live.record.handle;
    let entry = scene.node().revoke_all_but(&user("ada"), handle).await;
    let loaded = scene.node().loaded(&handle).await;
    assert_eq!(loaded.record, live.record, "sparing writes no record");
    assert_eq!(loaded.user, Some(entry));
}

/// Loading is not using: it moves no deadline.
pub async fn loading_moves_no_deadline(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.wait(1).await;
    scene.node().loaded(&live.record.handle).await;
    let again = scene.node().loaded(&live.record.handle).await;
    assert_eq!(again.idle_deadline, live.idle_deadline);
    assert_eq!(again.record, live.record);
}

/// What one node wrote, every node loads at once: the store is the authority.
pub async fn a_write_on_one_node_is_loaded_on_all(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut live = scene.session().await;
    for _ in 0..20 {
        let draft = scene.next(&live.record);
        live = scene.node().replaced(&live.record, &draft).await;
        let seen = scene.other().loaded(&draft.handle).await;
        assert_eq!(seen.record, live.record);
    }
}

/// Records of every kind are kept and given back as that kind.
pub async fn every_kind_of_record_is_loaded(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for kind in [Kind::Session, Kind::RefreshFamily, Kind::KeySet, Kind::Node] {
        let mut draft = scene.draft();
        draft.kind = kind;
        scene.node().created(&draft).await;
        let loaded = scene.node().loaded(&draft.handle).await;
        assert_eq!(loaded.record.kind, kind);
    }
}

/// A bound session is answered with its user's entry, if the user has one, and an anonymous one
/// with none.
pub async fn the_entry_of_the_user_comes_with_the_record(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let anonymous = scene.session().await;
    let before = scene.session_of(&user("ada")).await;
    assert_eq!(anonymous.user, None);
    assert_eq!(before.user, None);
    let entry = scene.node().revoke_user(&user("ada")).await;
    let after = scene.session_of(&user("ada")).await;
    assert_eq!(after.user, Some(entry));
    let loaded = scene.node().loaded(&after.record.handle).await;
    assert_eq!(loaded.user, Some(entry));
    let anonymous = scene.node().loaded(&anonymous.record.handle).await;
    assert_eq!(anonymous.user, None);
}

/// A session that is in use before each idle deadline lives on past the first of them.
pub async fn a_session_in_use_does_not_go_idle(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.idle_timeout = scene.world.unit() * 4;
    let created = scene.node().created(&draft).await;
    for _ in 0..3 {
        scene.wait(2).await;
        scene.node().touch(draft.handle, Duration::ZERO).await;
    }
    let live = scene.node().loaded(&draft.handle).await;
    assert!(live.now > created.idle_deadline);
}
