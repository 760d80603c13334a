//! What becomes of changes: races, budgets, and logins.

mod client;
mod site;
mod spy;

use std::time::Duration;

use anynode::{
    Session, SessionError,
    core::{Budget, Lifetime},
};
use axum::{Router, routing::post};
use client::Client;
use http::StatusCode;
use site::World;
use spy::Verb;

async fn logged_in(node: &Router) -> Client {
    let mut client = Client::default();
    client.post(node, "/login", "ada").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_concurrent_increments_all_count() {
    let world = World::new();
    let nodes = [world.node(), world.node(), world.node()];
    let mut client = logged_in(&nodes[0]).await;
    let requests = (0..64).map(|turn| client.start(&nodes[turn % 3], "/count", ""));
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.expect("an answer").status, StatusCode::OK);
    }
    assert_eq!(client.post(&nodes[0], "/count", "").await.text, "65");
}

#[tokio::test]
async fn an_update_runs_again_and_update_now_returns_what_was_committed() {
    async fn now(session: Session) -> Result<String, SessionError> {
        let count = session.update_now("n", |n: Option<u32>| n.unwrap_or(0) + 1);
        Ok(count.await?.to_string())
    }
    let world = World::new();
    let node = Router::new().route("/now", post(now)).layer(world.layer());
    let site = world.node();
    let mut client = logged_in(&site).await;
    for (node, path, answered) in [(&site, "/count", "1"), (&node, "/now", "4")] {
        let gate = world.spy.pause(Verb::Replace);
        let slow = client.start(node, path, "");
        gate.reached().await;
        client.post(&site, "/count", "").await;
        gate.open();
        assert_eq!(slow.await.expect("an answer").text, answered);
    }
    assert_eq!(client.post(&site, "/count", "").await.text, "5");
}

#[tokio::test]
async fn clear_removes_only_the_keys_it_saw() {
    let world = World::new();
    let node = world.node();
    let mut client = logged_in(&node).await;
    client.post(&node, "/put/old", "1").await;
    let gate = world.spy.pause(Verb::Replace);
    let slow = client.start(&node, "/clear", "");
    gate.reached().await;
    client.post(&node, "/put/new", "2").await;
    gate.open();
    slow.await.expect("an answer");
    assert_eq!(client.get(&node, "/get/old").await.text, "none");
    assert_eq!(client.get(&node, "/get/new").await.text, "2");
}

#[tokio::test]
async fn what_exceeds_the_budget_is_named_and_nothing_is_written() {
    async fn hoard(session: Session) -> String {
        session.insert("small", 1).await.expect("recorded");
        session
            .insert("huge", "x".repeat(600))
            .await
            .expect("recorded");
        let error = session.save().await.expect_err("over budget");
        error.to_string()
    }
    async fn careless(session: Session) -> Result<(), SessionError> {
        session.insert("small", 1).await?;
        session.insert("huge", "x".repeat(600)).await
    }
    let world = World::new();
    let layer = world.layer().with_budget(Budget::new(500));
    let node = Router::new()
        .route("/hoard", post(hoard))
        .route("/careless", post(careless))
        .layer(layer);
    let mut client = logged_in(&world.node()).await;
    let writes = world.spy.writes();
    for path in ["/hoard", "/careless"] {
        let answer = client.post(&node, path, "").await;
        assert_eq!(answer.status, StatusCode::INSUFFICIENT_STORAGE, "{path}");
    }
    assert_eq!(world.spy.writes(), writes);
    assert_eq!(client.get(&world.node(), "/get/small").await.text, "none");
}

#[tokio::test]
async fn an_update_that_the_stored_value_refuses_is_not_recorded() {
    async fn recover(session: Session) -> Result<String, SessionError> {
        let counted = session
            .update("a", |n: Option<u32>| n.unwrap_or(0) + 1)
            .await;
        assert!(matches!(counted, Err(SessionError::Value(_))));
        session.insert("b", "went on").await?;
        Ok("fine".to_owned())
    }
    let world = World::new();
    let node = Router::new().route("/", post(recover)).layer(world.layer());
    let mut client = logged_in(&world.node()).await;
    client.post(&world.node(), "/put/a", "text").await;
    assert_eq!(client.post(&node, "/", "").await.text, "fine");
    assert_eq!(client.get(&world.node(), "/get/b").await.text, "went on");
}

#[tokio::test]
async fn data_of_a_failed_handler_is_dropped_and_of_any_other_kept() {
    for (status, kept) in [
        (200, "1"),
        (302, "1"),
        (403, "1"),
        (500, "none"),
        (599, "none"),
    ] {
        let world = World::new();
        let node = world.node();
        let mut client = logged_in(&node).await;
        client
            .post(&node, &format!("/answer/{status}/put/a"), "1")
            .await;
        assert_eq!(client.get(&node, "/get/a").await.text, kept, "{status}");
    }
}

#[tokio::test]
async fn of_two_racing_logins_of_one_user_one_wins_and_the_other_sets_no_cookie() {
    for (rival, status) in [("ada", StatusCode::OK), ("eve", StatusCode::CONFLICT)] {
        let world = World::new();
        let node = world.node();
        let mut client = Client::default();
        client.post(&node, "/put/cart", "apple").await;
        let gate = world.spy.pause(Verb::Replace);
        let slow = client.start(&node, "/login", rival);
        gate.reached().await;
        client.post(&node, "/login", "ada").await;
        gate.open();
        let lost = slow.await.expect("an answer");
        assert_eq!(lost.status, status, "{rival}");
        assert!(lost.cookies().is_empty());
        client.keep(&lost.headers);
        assert_eq!(client.get(&node, "/user").await.text, "ada");
        assert_eq!(client.get(&node, "/get/cart").await.text, "apple");
    }
}

#[tokio::test]
async fn a_login_into_a_session_that_was_ended_meanwhile_is_no_success() {
    let world = World::new();
    let node = world.node();
    let mut client = logged_in(&node).await;
    let gate = world.spy.pause(Verb::Replace);
    let slow = client.start(&node, "/login", "ada");
    gate.reached().await;
    client.post(&node, "/logout", "").await;
    gate.open();
    let answer = slow.await.expect("an answer");
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.cookies().is_empty());
}

#[tokio::test]
async fn another_user_inherits_nothing_and_a_first_login_inherits_the_cart() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::default();
    client.post(&node, "/put/cart", "apple").await;
    client.post(&node, "/login", "ada").await;
    assert_eq!(client.get(&node, "/get/cart").await.text, "apple");
    client.post(&node, "/login", "ada").await;
    assert_eq!(client.get(&node, "/get/cart").await.text, "apple");
    client.post(&node, "/login", "eve").await;
    assert_eq!(client.get(&node, "/get/cart").await.text, "none");
    assert_eq!(client.get(&node, "/user").await.text, "eve");
}

#[tokio::test]
async fn a_login_that_is_taken_back_in_the_same_request_leaves_nothing() {
    async fn undecided(session: Session) -> Result<(), SessionError> {
        session.insert("a", 1).await?;
        session.bind("ada").await?;
        session.revoke().await.map(|_| ())
    }
    let world = World::new();
    let node = Router::new()
        .route("/", post(undecided))
        .layer(world.layer());
    let answer = Client::default().post(&node, "/", "").await;
    assert!(answer.cookies().is_empty());
    assert!(world.spy.items().await.is_empty());
}

#[tokio::test]
async fn a_lifetime_chosen_at_login_stays() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    async fn remember_me(session: Session) -> Result<(), SessionError> {
        let lifetime = Lifetime {
            idle: 20 * DAY,
            absolute: 30 * DAY,
        };
        session.bind_for("ada", lifetime).await
    }
    let world = World::new();
    let node = Router::new()
        .route("/", post(remember_me))
        .layer(world.layer());
    let site = world.node();
    let mut client = Client::default();
    client.post(&node, "/", "").await;
    world.advance(19 * DAY);
    client.post(&site, "/count", "").await;
    world.advance(10 * DAY);
    assert_eq!(client.get(&site, "/user").await.text, "ada");
    world.advance(DAY);
    assert_eq!(client.get(&site, "/user").await.text, "nobody");
}
