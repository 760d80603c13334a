//! What is edited by hand, in psql, is told to the nodes.

use anynode_core::{Cause, Event, Revoke, Store};

use crate::scene::{Scene, bytea, draft, draft_of, until_passed, user};

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_deleted_or_updated_by_hand_are_told() {
    let scene = Scene::open().await;
    let mut channel = scene.watch().await;
    for number in 1..=2 {
        scene.created(&draft(number)).await;
    }
    assert_eq!(until_passed(channel.as_mut()).await, []);
    let [one, two] = [1, 2].map(|number| draft(number).handle);
    let delete = format!("DELETE FROM {{s}}.record WHERE handle = {}", bytea(&one));
    scene.sql(&delete).await;
    assert_eq!(until_passed(channel.as_mut()).await, [Event::Changed(one)]);
    let update = format!(
        "UPDATE {{s}}.record SET payload = 'x' WHERE handle = {}",
        bytea(&two)
    );
    scene.sql(&update).await;
    assert_eq!(until_passed(channel.as_mut()).await, [Event::Changed(two)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_edited_by_hand_is_told() {
    let scene = Scene::open().await;
    let mut channel = scene.watch().await;
    scene.created(&draft_of(1, "ada")).await;
    let revoke = Revoke::user(user("ada"), Cause::Admin);
    scene.store.revoke(&revoke).await.unwrap();
    until_passed(channel.as_mut()).await;
    scene
        .sql("UPDATE {s}.user_entry SET epoch = epoch + 1")
        .await;
    let events = until_passed(channel.as_mut()).await;
    assert!(matches!(&events[..], [Event::User(name, _)] if *name == user("ada")));
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_tables_flush_every_copy_and_are_used_again() {
    let scene = Scene::open().await;
    let mut channel = scene.watch().await;
    scene.created(&draft(1)).await;
    until_passed(channel.as_mut()).await;
    scene.server.flush().await.unwrap();
    assert!(until_passed(channel.as_mut()).await.contains(&Event::Flush));
    assert_eq!(scene.store.load(&draft(1).handle).await.unwrap(), None);
    scene.created(&draft(1)).await;
    scene.store.sweep(10).await.unwrap();
    assert_eq!(until_passed(channel.as_mut()).await, []);
    let again = anynode::store::open(&scene.url).await.unwrap();
    assert!(again.load(&draft(1).handle).await.unwrap().is_some());
}
