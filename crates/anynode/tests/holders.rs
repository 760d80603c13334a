//! Tasks and WebSockets that hold a session beside or beyond its response.

mod client;
mod site;
mod spy;

use std::sync::Arc;

use anynode::{Session, SessionError};
use axum::{Router, routing::post};
use client::Client;
use site::World;
use spy::Verb;

async fn logged_in(world: &World) -> Client {
    let mut client = Client::default();
    client.post(&world.node(), "/login", "ada").await;
    client
}

#[tokio::test]
async fn a_value_set_back_by_a_holder_is_written_although_its_own_copy_has_it() {
    // The holder's copy says x, another node wrote y, and the holder says x again. Its copy
    // would make that a change that changes nothing.
    let world = World::new();
    let held = Arc::new(tokio::sync::Mutex::new(None));
    let slot = held.clone();
    let upgrade = async move |session: Session| {
        session.insert("a", "x").await.expect("recorded");
        session.save().await.expect("written");
        *slot.lock().await = Some(session);
        http::StatusCode::SWITCHING_PROTOCOLS
    };
    let node = Router::new().route("/", post(upgrade)).layer(world.layer());
    let mut client = logged_in(&world).await;
    client.post(&node, "/", "").await;
    let session: Session = held.lock().await.take().expect("kept");
    client.post(&world.node(), "/put/a", "y").await;
    session.insert("a", "x").await.expect("written");
    assert_eq!(client.get(&world.node(), "/get/a").await.text, "x");
    client.post(&world.node(), "/logout", "").await;
    let late = session.insert("a", "x").await;
    assert!(matches!(late, Err(SessionError::Gone)), "{late:?}");
}

#[tokio::test]
async fn the_head_waits_for_a_write_that_a_task_of_the_handler_has_begun() {
    let world = World::new();
    let mut client = logged_in(&world).await;
    let before = client.cookie();
    let gate = world.spy.pause(Verb::Replace);
    let begun = gate.clone();
    let rotate = async move |session: Session| {
        session.rotate().await.expect("recorded");
        tokio::spawn(async move { session.save().await });
        begun.reached().await;
    };
    let node = Router::new().route("/", post(rotate)).layer(world.layer());
    let answer = client.start(&node, "/", "");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!answer.is_finished(), "the head did not wait");
    gate.open();
    client.keep(&answer.await.expect("answered").headers);
    assert_ne!(client.cookie(), before, "the new id has to reach its owner");
    assert_eq!(client.get(&world.node(), "/user").await.text, "ada");
}
