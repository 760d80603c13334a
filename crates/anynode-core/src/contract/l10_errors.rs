//! L10: what a caller that gives up may rely on, and what errors say.
//!
//! That every call on a store that hangs ends within its deadline, and which kind of error it
//! ends with, needs a store that hangs: each store's own tests ask for it.

use super::{
    World,
    scene::{ROUNDS, Scene, begin_and_drop, user},
};
use crate::{Create, Replace};

/// A write whose caller gave up happened whole or not at all: the record is the old or the new
/// one, and the next writer replaces it by what `load` or `Conflict` told them.
pub async fn a_write_that_was_given_up_is_whole_or_absent(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let node = scene.node();
    for _ in 0..ROUNDS {
        let old = scene.session_of(&user("ada")).await.record;
        let given_up = scene.next(&old);
        begin_and_drop(node.0.replace(&old.version, &given_up));
        let mut base = node.loaded(&old.handle).await.record;
        let is_new = base.version == given_up.version;
        let expected = if is_new {
            &given_up.payload
        } else {
            &old.payload
        };
        assert_eq!(base.payload, *expected);
        // The write may still be under way; then this one is told of it.
        let draft = loop {
            let draft = scene.next(&base);
            match node.replace(&base.version, &draft).await {
                Replace::Replaced(_) => break draft,
                Replace::Conflict(newer) => base = newer.record,
                Replace::Gone => panic!("nobody revoked it"),
            }
        };
        let last = node.loaded(&old.handle).await.record;
        assert_eq!(last.version, draft.version);
    }
}

/// Calls that were given up at their first wait disturb none that follows: each is answered,
/// and with its own answer.
pub async fn calls_that_were_given_up_disturb_no_other(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let node = scene.node();
    let ada = user("ada");
    let steady = scene.session_of(&ada).await.record;
    for _ in 0..ROUNDS {
        let (draft, other) = (scene.draft(), scene.draft());
        begin_and_drop(node.0.load(&other.handle));
        begin_and_drop(node.0.create(&draft));
        begin_and_drop(node.0.list(&ada, &crate::Page::FIRST));
        begin_and_drop(node.0.sweep(1));
        assert_eq!(node.loaded(&steady.handle).await.record, steady);
        assert_eq!(node.load(&other.handle).await, None);
        assert_eq!(node.handles(&ada).await, [steady.handle]);
        match node.create(&draft).await {
            Create::Created(live) => assert_eq!(live.record.version, draft.version),
            Create::Duplicate => {
                let kept = node.loaded(&draft.handle).await.record;
                assert_eq!(kept.version, draft.version);
            }
        }
    }
}

/// A revocation that was given up and is repeated is acknowledged, and its session is dead.
pub async fn a_revocation_that_was_given_up_is_repeated(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for _ in 0..ROUNDS {
        let handle = scene.session().await.record.handle;
        let revoke = crate::Revoke::session(handle, crate::Cause::User);
        begin_and_drop(scene.node().0.revoke(&revoke));
        scene.node().revoke(&revoke).await;
        assert!(!scene.node().is_alive(&handle).await);
    }
}

/// An error names the store as `inspect` does, and the verb that failed.
pub async fn an_error_names_store_and_verb(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let facts = scene.node().0.inspect().await.expect("inspect answers");
    let mut draft = scene.draft();
    draft.payload = crate::Payload::new(vec![0; crate::Payload::BYTES_MAX + 1]);
    let create = scene.node().0.create(&draft).await;
    let create = create.expect_err("too large");
    assert_eq!((create.store(), create.verb()), (facts.store, "create"));
    let replace = scene.node().0.replace(&draft.version, &draft).await;
    let replace = replace.expect_err("too large");
    assert_eq!((replace.store(), replace.verb()), (facts.store, "replace"));
}
