//! Requests that do not end well, tasks that outlive theirs, and the end of a layer.

mod client;
mod site;
mod spy;

use std::time::Duration;

use anynode::{Session, SessionError, core::ErrorKind};
use axum::{Router, routing::post};
use client::Client;
use http::StatusCode;
use site::{World, site};
use spy::{Fault, Gate, Verb};
use tower::ServiceExt;

async fn logged_in(node: &Router) -> Client {
    let mut client = Client::default();
    client.post(node, "/login", "ada").await;
    client
}

#[tokio::test]
async fn a_panic_and_a_cancelled_request_leave_the_session_as_it_was() {
    async fn doomed(session: Session, how: String) -> Result<(), SessionError> {
        session.insert("a", "changed").await?;
        session.bind("eve").await?;
        assert_ne!(how, "panic");
        std::future::pending().await
    }
    let world = World::new();
    let node = Router::new().route("/", post(doomed)).layer(world.layer());
    let mut client = logged_in(&world.node()).await;
    let writes = world.spy.writes();
    let panicked = client.start(&node, "/", "panic").await;
    assert!(panicked.expect_err("a panic").is_panic());
    let gate = world.spy.pause_answer(Verb::Load);
    let cancelled = client.start(&node, "/", "wait");
    gate.reached().await;
    gate.open();
    tokio::task::yield_now().await;
    cancelled.abort();
    assert!(cancelled.await.expect_err("cancelled").is_cancelled());
    assert_eq!(world.spy.writes(), writes);
    assert_eq!(client.get(&world.node(), "/user").await.text, "ada");
    assert_eq!(client.get(&world.node(), "/get/a").await.text, "none");
}

/// A node whose handler leaves its session to a task that writes when the gate is opened, and
/// then ends as `how` says.
fn with_a_task(world: &World, gate: Gate, done: Gate) -> Router {
    let handler = async move |session: Session, how: String| {
        let task = session.clone();
        tokio::spawn(async move {
            gate.pass().await;
            let written = task.insert("late", "written").await;
            done.pass().await;
            written
        });
        match how.as_str() {
            "cancelled" => std::future::pending().await,
            "used" => session.insert("early", "1").await.expect("recorded"),
            _ => {}
        }
        StatusCode::NO_CONTENT
    };
    Router::new().route("/", post(handler)).layer(world.layer())
}

#[tokio::test]
async fn a_task_that_outlives_its_request_writes_for_itself() {
    for how in ["cancelled", "used", "unused"] {
        let world = World::new();
        let (gate, done) = (Gate::new(), Gate::new());
        let node = with_a_task(&world, gate.clone(), done.clone());
        let mut client = logged_in(&world.node()).await;
        let request = client.request(http::Method::POST, "/", how);
        let mut response = tokio::spawn(node.oneshot(request));
        gate.reached().await;
        if how == "cancelled" {
            response.abort();
        }
        let answered = (&mut response).await;
        assert_eq!(answered.is_ok(), how != "cancelled");
        drop(answered);
        gate.open();
        done.reached().await;
        let late = client.get(&world.node(), "/get/late").await;
        assert_eq!(late.text, "written", "{how}");
    }
}

#[tokio::test]
async fn a_change_made_after_the_response_is_reported_by_the_call_that_makes_it() {
    let world = World::new();
    let held = std::sync::Arc::new(std::sync::Mutex::new(None));
    let slot = held.clone();
    let keep = async move |session: Session| {
        *slot.lock().expect("held shortly") = Some(session);
        StatusCode::NO_CONTENT
    };
    let node = Router::new().route("/", post(keep)).layer(world.layer());
    let mut client = logged_in(&world.node()).await;
    client.post(&node, "/", "").await;
    let session: Session = held.lock().expect("held shortly").take().expect("kept");
    let increment = async || {
        session
            .update("n", |n: Option<u32>| n.unwrap_or(0) + 1)
            .await
    };
    assert_eq!(increment().await.expect("written"), 1);
    let fault = Fault::Fail(anynode::core::ErrorKind::Unavailable);
    world.spy.next(Verb::Replace, fault);
    assert!(increment().await.is_err());
    assert_eq!(
        increment().await.expect("written"),
        2,
        "the failed one is not there"
    );
    assert!(matches!(
        session.bind("eve").await,
        Err(SessionError::HeadSent)
    ));
    client.post(&world.node(), "/logout", "").await;
    assert!(matches!(increment().await, Err(SessionError::Gone)));
    assert!(matches!(session.reload().await, Err(SessionError::Gone)));
}

#[tokio::test]
async fn a_layer_that_is_used_twice_and_its_clones_share_their_state() {
    let world = World::new();
    let quota = anynode::core::Quota {
        burst: 2,
        per_second: 0,
    };
    let layer = world.layer().with_anonymous_quota(quota);
    let (one, two) = (site(layer.clone()), site(layer));
    let mut created = 0;
    for node in [&one, &two, &one, &two] {
        let answer = Client::default().post(node, "/count", "").await;
        created += usize::from(answer.status.is_success());
    }
    assert_eq!(created, 2);
}

#[tokio::test(start_paused = true)]
async fn the_background_tasks_end_with_the_layer() {
    let world = World::new();
    let every = Duration::from_secs(60);
    let node = site(world.layer().with_sweep_every(Some(every)));
    Client::default().get(&node, "/idle").await;
    tokio::time::sleep(10 * every).await;
    let swept = world.spy.calls(Verb::Sweep);
    assert!(swept >= 5, "{swept}");
    drop(node);
    tokio::time::sleep(10 * every).await;
    assert_eq!(world.spy.calls(Verb::Sweep), swept);
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert_eq!(tasks, 0);
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_closed_reports_the_last_uses() {
    let world = World::new();
    let layer = world.layer();
    let node = site(layer.clone());
    let mut client = logged_in(&node).await;
    world.advance(Duration::from_secs(600));
    client.get(&node, "/user").await;
    // What waits to be reported stays so while the store is away, and is reported afterwards.
    world
        .spy
        .next(Verb::Touch, Fault::Fail(ErrorKind::Unavailable));
    layer.close().await.expect_err("the store is away");
    layer.close().await.expect("the store is there");
    layer.close().await.expect("nothing waits any more");
    assert_eq!(world.spy.calls(Verb::Touch), 2);
    assert_eq!(client.get(&node, "/user").await.text, "ada");
}

/// The first may have been performed and not be as safe as the store promises, as where no
/// replica has it.
#[tokio::test]
async fn a_logout_that_is_repeated_asks_the_store_again() {
    let world = World::new();
    let node = world.node();
    let mut client = logged_in(&node).await;
    let mut stranger = Client::default();
    world.spy.always(&[Verb::Revoke], &Fault::LostAnswer);
    for _ in 0..2 {
        let answer = client.post(&node, "/logout", "").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    world.spy.recover();
    let asked = world.spy.calls(Verb::Revoke);
    assert!(client.post(&node, "/logout", "").await.status.is_success());
    assert_eq!(world.spy.calls(Verb::Revoke), asked + 1);
    // Whoever presents no id ends nothing.
    assert!(
        stranger
            .post(&node, "/logout", "")
            .await
            .status
            .is_success()
    );
    assert_eq!(world.spy.calls(Verb::Revoke), asked + 1);
}
