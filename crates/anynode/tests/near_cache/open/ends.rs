//! What closes a connection, and what does not.

use anynode::{
    SystemClock,
    core::{Cause, Clock, Revoke, Store},
};
use http_body_util::BodyExt;

use super::{Connection, Site, logged_in, sites};
use crate::{
    client::Client,
    scene::{PATIENCE, ada, store, until},
    wire::Mode,
};

#[tokio::test]
async fn a_logout_on_one_node_closes_all_connections_of_the_session_on_another() {
    let [one, two] = sites().await;
    let mut client = logged_in(&one).await;
    let first = two.settled(&client).await;
    let second = Connection::to(&two.app, &client).await;
    client.post(&one.app, "/logout", "").await;
    assert_eq!(first.end().await, "user");
    assert_eq!(second.end().await, "user");
}

#[tokio::test]
async fn all_sessions_of_a_user_are_closed_but_the_one_that_is_spared() {
    let [one, two] = sites().await;
    let (mut spared, other) = (logged_in(&one).await, logged_in(&one).await);
    let mut stays = two.settled(&spared).await;
    let goes = two.settled(&other).await;
    spared.post(&one.app, "/logout-elsewhere", "").await;
    assert_eq!(goes.end().await, "epoch");
    // A write stamps it anew, and it is spared once more.
    spared.post(&one.app, "/put/cart", "a book").await;
    spared.post(&one.app, "/logout-elsewhere", "").await;
    two.node.caught_up().await;
    assert!(stays.is_open());
    one.node
        .near
        .revoke(&Revoke::user(ada(), Cause::Admin))
        .await
        .unwrap();
    assert_eq!(stays.end().await, "epoch");
}

#[tokio::test]
async fn a_node_closes_what_is_ended_on_itself_though_its_channel_is_dead() {
    let [one, _] = sites().await;
    let mut client = logged_in(&one).await;
    let connection = one.settled(&client).await;
    one.node.wire.turn(Mode::Silent);
    client.post(&one.app, "/logout", "").await;
    assert_eq!(connection.end().await, "user");
}

#[tokio::test]
async fn a_login_closes_what_was_open_before_it_and_neither_writes_nor_rotation_do() {
    let [one, two] = sites().await;
    let mut client = Client::default();
    client.post(&one.app, "/put/cart", "a book").await;
    let mut before = two.settled(&client).await;
    for (path, value) in [
        ("/put/cart", "two"),
        ("/rotate", ""),
        ("/put/cart", "three"),
    ] {
        let loads = two.node.loads();
        client.post(&one.app, path, value).await;
        until(|| two.node.loads() > loads).await;
        two.node.caught_up().await;
        assert!(before.is_open(), "{path}");
    }
    client.post(&one.app, "/login", "ada").await;
    let mut after = two.settled(&client).await;
    assert_eq!(before.end().await, "rebound");
    assert!(after.is_open());
    // Logins are told apart by the millisecond.
    let now = SystemClock.now();
    until(|| SystemClock.now() > now).await;
    client.post(&one.app, "/login", "ada").await;
    assert_eq!(after.end().await, "rebound", "she proved again who she is");
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_with_its_connection_open() {
    let [one, two] = sites().await;
    let mut client = logged_in(&one).await;
    client.post(&one.app, "/idle-timeout", "3").await;
    let connection = two.settled(&client).await;
    assert_eq!(connection.end().await, "idle", "to be open is no use");
}

#[tokio::test]
async fn what_a_client_says_is_a_use_of_its_session() {
    let site = Site::on(&store()).await;
    let mut client = logged_in(&site).await;
    client.get(&site.app, "/talk").await;
    until(|| site.node.spy.touched().len() == 1).await;
}

#[tokio::test]
async fn what_serves_a_connection_is_dropped_and_a_long_response_breaks_off() {
    let [one, two] = sites().await;
    let mut client = logged_in(&one).await;
    let socket = Connection::at(&two.app, &client, "/run").await;
    let mut long = Connection::at(&two.app, &client, "/long").await;
    two.node.caught_up().await;
    client.post(&one.app, "/logout", "").await;
    assert_eq!(socket.end().await, "user");
    let broken = tokio::time::timeout(PATIENCE, long.0.frame()).await;
    let error = broken.unwrap().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the session ended (user)");
}

#[tokio::test]
async fn a_visitor_without_a_session_has_no_open_connection() {
    let site = Site::on(&store()).await;
    let answer = Client::default().get(&site.app, "/open").await;
    assert_eq!(answer.status, 401);
}
