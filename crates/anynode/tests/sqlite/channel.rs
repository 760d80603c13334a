//! What a channel tells of, what it does not, and what it does when its place is gone.

use std::time::Duration;

use anynode_core::{Channel, ChannelKind, Event, NodeId, Replace, Store, Touch};
use tokio::time::timeout;

use crate::scene::{Scene, created, draft, draft_of, next};

async fn watch(store: &impl Store) -> Box<dyn Channel> {
    let node = NodeId::new("node-1").expect("letters");
    store.watch(&node).await.expect("watch answers")
}

/// The events up to a barrier that begins now.
async fn until_passed(channel: &mut dyn Channel) -> Vec<Event> {
    let barrier = channel.barrier().await.expect("barrier answers");
    let mut events = Vec::new();
    loop {
        let event = timeout(Duration::from_secs(10), channel.next()).await;
        match event.expect("comes").expect("the channel holds") {
            Event::Passed(id, _) if id == barrier => return events,
            event => events.push(event),
        }
    }
}

#[tokio::test]
async fn a_touch_leaves_no_change_and_a_write_leaves_one() {
    let scene = Scene::new();
    let store = scene.store();
    let live = created(&store, &draft_of("ada")).await;
    let changes = || scene.number("SELECT count(*) FROM change");
    assert_eq!(changes(), 0, "nobody has a copy of a new record");
    scene.clock.advance(Duration::from_secs(600));
    let touch = Touch {
        handle: live.record.handle,
        age: Duration::ZERO,
    };
    store.touch(&[touch]).await.expect("touch answers");
    let moved = store.load(&touch.handle).await.expect("answers");
    assert!(moved.expect("alive").idle_deadline > live.idle_deadline);
    assert_eq!(changes(), 0);
    let replaced = store.replace(&live.record.version, &next(&live)).await;
    assert!(matches!(replaced, Ok(Replace::Replaced(_))));
    assert_eq!(changes(), 1);
}

#[tokio::test]
async fn what_is_edited_by_hand_is_told() {
    let scene = Scene::new();
    let store = scene.store();
    let handle = created(&store, &draft()).await.record.handle;
    let mut channel = watch(&store).await;
    assert_eq!(channel.kind(), ChannelKind::ValidatedPerRead);
    for edit in [
        "UPDATE record SET payload = x'00'",
        "INSERT OR REPLACE INTO record SELECT * FROM record",
        "DELETE FROM record",
    ] {
        scene.by_hand().execute_batch(edit).expect(edit);
        let events = until_passed(channel.as_mut()).await;
        assert_eq!(events, [Event::Changed(handle)], "{edit}");
    }
}

#[tokio::test]
async fn who_waits_is_told_without_asking_again() {
    let scene = Scene::new();
    let store = scene.store();
    let handle = created(&store, &draft()).await.record.handle;
    let mut channel = watch(&store).await;
    until_passed(channel.as_mut()).await;
    let waiting = tokio::spawn(async move { channel.next().await });
    // Given up and begun anew, a wait loses nothing either.
    scene
        .by_hand()
        .execute_batch("DELETE FROM record")
        .expect("deletes");
    let event = timeout(Duration::from_secs(10), waiting).await;
    let event = event.expect("comes").expect("no panic").expect("holds");
    assert_eq!(event, Event::Changed(handle));
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_no_event() {
    let scene = Scene::new();
    let store = scene.store();
    let handle = created(&store, &draft()).await.record.handle;
    let mut channel = watch(&store).await;
    for _ in 0..3 {
        let waited = timeout(Duration::from_millis(1), channel.next()).await;
        assert!(waited.is_err(), "nothing has happened yet");
    }
    scene
        .by_hand()
        .execute_batch("DELETE FROM record")
        .expect("deletes");
    assert_eq!(
        until_passed(channel.as_mut()).await,
        [Event::Changed(handle)]
    );
}

#[tokio::test]
async fn a_channel_whose_place_was_swept_flushes_and_goes_on() {
    let scene = Scene::new();
    let store = scene.store();
    let one = created(&store, &draft()).await;
    let two = created(&store, &draft()).await;
    let mut channel = watch(&store).await;
    for _ in 0..2 {
        let base = store
            .load(&one.record.handle)
            .await
            .expect("answers")
            .expect("alive");
        let replaced = store.replace(&base.record.version, &next(&base)).await;
        assert!(matches!(replaced, Ok(Replace::Replaced(_))));
    }
    scene
        .by_hand()
        .execute_batch("UPDATE change SET at = 0")
        .expect("writes");
    store.sweep(100).await.expect("sweep answers");
    assert_eq!(scene.number("SELECT count(*) FROM change"), 0);
    assert_eq!(until_passed(channel.as_mut()).await, [Event::Flush]);
    let replaced = store.replace(&two.record.version, &next(&two)).await;
    assert!(matches!(replaced, Ok(Replace::Replaced(_))));
    let events = until_passed(channel.as_mut()).await;
    assert_eq!(events, [Event::Changed(two.record.handle)]);
}

#[tokio::test]
async fn changes_of_the_last_minutes_are_not_swept() {
    let scene = Scene::new();
    let store = scene.store();
    let live = created(&store, &draft()).await;
    let replaced = store.replace(&live.record.version, &next(&live)).await;
    assert!(matches!(replaced, Ok(Replace::Replaced(_))));
    store.sweep(100).await.expect("sweep answers");
    assert_eq!(scene.number("SELECT count(*) FROM change"), 1);
}

#[tokio::test]
async fn a_revocation_is_one_event() {
    let scene = Scene::new();
    let store = scene.store();
    let handle = created(&store, &draft()).await.record.handle;
    let mut channel = watch(&store).await;
    let revoke = anynode_core::Revoke::session(handle, anynode_core::Cause::Admin);
    store.revoke(&revoke).await.expect("answers");
    match until_passed(channel.as_mut()).await.as_slice() {
        [Event::Revoked(tombstone)] => assert_eq!(tombstone.handle, handle),
        other => panic!("{other:?}"),
    }
}
