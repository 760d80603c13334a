//! Connections while the channel or the store is not what it should be.

use std::{sync::Arc, time::Duration};

use anynode::{
    NearCache,
    core::{Cause, Revoke, Store, UserId, near::Condition},
};
use http::Method;
use tower::ServiceExt;

use super::{Connection, LONG, Site, app, app_of, logged_in, sites};
use crate::{
    client::Client,
    scene::{Node, ada, store, until},
    spy::{Fault, Spy, Verb},
    wire::{Mode, Wire},
};

#[tokio::test]
async fn without_a_channel_the_store_is_asked() {
    let [one, two] = sites().await;
    let (mut client, other) = (logged_in(&one).await, logged_in(&one).await);
    let (goes, mut stays) = (two.settled(&client).await, two.settled(&other).await);
    two.node.wire.turn(Mode::Cut);
    two.node.until(Condition::Waiting).await;
    client.post(&one.app, "/logout", "").await;
    assert_eq!(goes.end().await, "ended", "nobody told why");
    assert!(stays.is_open());
}

#[tokio::test]
async fn with_a_silent_channel_the_store_is_asked() {
    let [one, two] = sites().await;
    let mut client = logged_in(&one).await;
    let connection = two.settled(&client).await;
    two.node.wire.turn(Mode::Silent);
    // Whoever listens has to be at it, or may hear one more thing.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    client.post(&one.app, "/logout", "").await;
    assert_eq!(connection.end().await, "ended");
}

/// Fail closed: clients come again, and are answered 503.
#[tokio::test]
async fn when_nobody_can_know_connections_are_closed_as_the_failure_policy_says() {
    let site = Site::on(&store()).await;
    let client = logged_in(&site).await;
    let mut stays = site.settled(&client).await;
    let goes = Connection::to(&site.strict, &client).await;
    site.node.wire.turn(Mode::Cut);
    site.node.spy.go_down();
    assert_eq!(goes.end().await, "unknown");
    assert!(stays.is_open(), "for as long as its policy says");
    let again = client.request(Method::GET, "/open", "");
    let again = site.strict.clone().oneshot(again).await.unwrap();
    assert_eq!(again.status(), 503);
}

#[tokio::test]
async fn a_store_that_may_have_been_deposed_is_not_believed() {
    let site = Site::on(&store()).await;
    let client = logged_in(&site).await;
    let connection = Connection::to(&site.strict, &client).await;
    site.node.caught_up().await;
    site.node.wire.turn(Mode::Refused);
    assert_eq!(connection.end().await, "unknown");
}

/// All sessions are in doubt at once when the channel is lost.
#[tokio::test]
async fn a_herd_asks_a_few_questions_at_a_time() {
    let site = Site::on(&store()).await;
    let mut connections = Vec::new();
    for _ in 0..100 {
        let mut client = Client::default();
        client.post(&site.app, "/put/cart", "a book").await;
        connections.push(Connection::to(&site.app, &client).await);
    }
    site.node.caught_up().await;
    let before = site.node.loads();
    site.node.spy.always(&[Verb::Load], &Fault::Hang);
    site.node.wire.turn(Mode::Cut);
    until(|| site.node.loads() == before + 16).await;
    let later = site.node.near.now() + Duration::from_millis(300);
    until(|| site.node.near.now() > later).await;
    assert_eq!(site.node.loads(), before + 16);
    assert!(connections.iter_mut().all(Connection::is_open));
}

#[tokio::test]
async fn without_a_near_cache_one_channel_serves_all_connections() {
    let store = store();
    let spy = Spy::new(store.clone());
    let wire = Wire::new(spy.clone());
    let here = app(Arc::new(wire.clone()), LONG);
    let there = app(Arc::new(store), LONG);
    let mut client = Client::default();
    client.post(&there, "/login", "ada").await;
    let mut other = Client::default();
    other.post(&there, "/login", "bob").await;
    assert_eq!(wire.channels(), 0, "before there is an open connection");
    let mut stays = Connection::to(&here, &other).await;
    let mut goes = Vec::new();
    for _ in 0..10 {
        goes.push(Connection::to(&here, &client).await);
    }
    until(|| wire.channels() == 1).await;
    client.post(&there, "/logout", "").await;
    for connection in goes {
        // Whoever asks before the channel is there learns no cause.
        let end = connection.end().await;
        assert!(["user", "ended"].contains(&end.as_str()), "{end}");
    }
    assert!(stays.is_open());
    let revoke = Revoke::user(UserId::new("bob").unwrap(), Cause::Admin);
    spy.revoke(&revoke).await.unwrap();
    let end = stays.end().await;
    assert!(["epoch", "ended"].contains(&end.as_str()), "{end}");
    assert_eq!(wire.channels(), 1);
}

/// As under SIGSTOP: nothing of the node goes on, and then all of it at once.
#[tokio::test]
async fn nothing_passes_on_a_node_that_stood_still_while_the_session_ended() {
    let store = store();
    let term = Duration::from_millis(30);
    let node = Node::on(&store, NearCache::options().with_lease(term)).await;
    let app = app_of(node.near.clone());
    let mut client = Client::default();
    client.post(&app, "/login", "ada").await;
    let mut flood = Connection::at(&app, &client, "/flood").await;
    assert!(!flood.is_open(), "there is more");
    // Done before the node hears of it.
    store
        .revoke(&Revoke::user(ada(), Cause::Admin))
        .await
        .unwrap();
    std::thread::sleep(term + Duration::from_millis(1_200));
    assert!(flood.is_open(), "nothing passed");
    assert_eq!(flood.end().await, "", "and nothing passes later");
}
