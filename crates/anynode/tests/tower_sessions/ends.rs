//! Dead sessions stay dead, and users' sessions are found, through the store adapter.

use anynode::adapter::user_id;
use serde_json::{Value, json};

use super::world::{LOGIN, login, record, world};
use crate::tower_sessions::{SessionStore, session_store::Error};

#[tokio::test]
async fn a_late_save_does_not_raise_a_deleted_session() {
    let world = world();
    let id = world.created(json!({})).await;
    let mut late = world.loaded(id).await;
    world.adapter.delete(&id).await.expect("deletes");
    world.adapter.delete(&id).await.expect("deletes again");
    late.data.insert("a".to_owned(), json!(1));
    let refused = world.adapter.save(&late).await;
    assert!(matches!(refused, Err(Error::Backend(_))), "{refused:?}");
    assert_eq!(world.load(id).await, None);
}

#[tokio::test]
async fn a_save_of_an_unknown_id_creates_nothing() {
    let world = world();
    let record = record(json!({"a": 1}));
    assert!(world.adapter.save(&record).await.is_err());
    assert_eq!(world.load(record.id).await, None);
}

#[tokio::test]
async fn a_session_revoked_by_user_refuses_a_late_save() {
    let world = world();
    let id = world.created(login(json!("ada"))).await;
    let late = world.loaded(id).await;
    let user = user_id("ada").expect("a name");
    world.admin().revoke_user(&user).await.expect("revokes");
    assert!(world.adapter.save(&late).await.is_err());
    assert_eq!(world.load(id).await, None);
    assert_eq!(world.listed("ada").await, 0);
}

#[tokio::test]
async fn a_revoked_session_does_not_go_on_under_a_cycled_id() {
    let world = world();
    let id = world.created(login(json!("ada"))).await;
    let session = world.session(id);
    session.get::<Value>(LOGIN).await.expect("reads");
    let user = user_id("ada").expect("a name");
    world.admin().revoke_user(&user).await.expect("revokes");
    session.cycle_id().await.expect("cycles");
    assert!(session.save().await.is_err());
    assert_eq!(world.listed("ada").await, 0);
}

#[tokio::test]
async fn a_session_that_was_revoked_alone_does_not_go_on_under_a_cycled_id() {
    let world = world();
    let id = world.created(login(json!("ada"))).await;
    let session = world.session(id);
    session.get::<Value>(LOGIN).await.expect("reads");
    let user = user_id("ada").expect("a name");
    let listed = world.admin().list(&user, None).await.expect("a list").0;
    let revoked = world.admin().revoke(listed[0].handle).await;
    revoked.expect("revokes");
    session.cycle_id().await.expect("cycles");
    assert!(session.save().await.is_err());
    assert_eq!(world.listed("ada").await, 0);
}

#[tokio::test]
async fn a_session_revoked_while_its_id_is_cycled_stays_dead() {
    let world = world();
    let id = world.created(login(json!("ada"))).await;
    let session = world.session(id);
    session.cycle_id().await.expect("cycles");
    let user = user_id("ada").expect("a name");
    world.admin().revoke_user(&user).await.expect("revokes");
    assert!(session.save().await.is_err());
    assert_eq!(world.listed("ada").await, 0);
}

#[tokio::test]
async fn a_cycled_id_carries_a_login_on() {
    let world = world();
    let id = world.created(login(json!("ada"))).await;
    let session = world.session(id);
    session.cycle_id().await.expect("cycles");
    session.save().await.expect("saves");
    let cycled = session.id().expect("saved");
    assert_ne!(cycled, id);
    assert_eq!(world.load(id).await, None);
    assert_eq!(world.data(cycled).await, login(json!("ada")));
    assert_eq!(world.listed("ada").await, 1);
}

#[tokio::test]
async fn a_slow_request_does_not_write_into_the_session_of_the_user_who_logged_in_meanwhile() {
    let world = world();
    let id = world.created(login(json!("ada"))).await;
    let mut slow = world.loaded(id).await;
    let mut switch = world.loaded(id).await;
    switch.data.extend(record(login(json!("bob"))).data);
    world.adapter.save(&switch).await.expect("saves");
    world
        .adapter
        .save(&switch)
        .await
        .expect("saves its own login again");
    slow.data.insert("cart".to_owned(), json!("ada's"));
    assert!(world.adapter.save(&slow).await.is_err());
    assert_eq!(world.data(id).await, login(json!("bob")));
    assert_eq!(
        (world.listed("ada").await, world.listed("bob").await),
        (0, 1)
    );
}

#[tokio::test]
async fn the_sessions_of_an_axum_login_user_are_listed_until_they_log_out() {
    let world = world();
    let id = world.created(login(json!(42))).await;
    world.created(login(json!(42))).await;
    world.created(login(json!(7))).await;
    world.created(json!({"anonymous": true})).await;
    assert_eq!(world.listed("42").await, 2);
    let mut record = world.loaded(id).await;
    record.data.remove(LOGIN);
    world.adapter.save(&record).await.expect("saves");
    assert_eq!(world.listed("42").await, 1);
    assert_eq!(world.data(id).await, json!({}));
}
