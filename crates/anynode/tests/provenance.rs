//! What a request can say of its own knowledge: how often the store was called for it, and how old it is.

#![expect(
    clippy::disallowed_methods,
    reason = "a test compares with the time that went by"
)]

mod client;
mod site;
mod spy;

use std::time::{Duration, Instant};

use anynode::{CookieConfig, CookieError, FailurePolicy, Session, SessionError, SessionLayer};
use axum::{Router, http::Uri, routing::any};
use client::Client;
use site::World;
use spy::{Fault, Verb};

/// A node whose answer to `/…` says how often the store was called for it once it did what its path says.
fn node(layer: SessionLayer) -> Router {
    async fn calls(session: Session, uri: Uri) -> Result<String, SessionError> {
        match uri.path() {
            "/unused" => {}
            "/read" => drop(session.user().await?),
            "/read-twice" => {
                session.user().await?;
                session.get::<u32>("n").await?;
            }
            "/write" => {
                let count = |n: Option<u32>| n.unwrap_or(0) + 1;
                session.update_now("n", count).await?;
            }
            "/list" => drop(session.sessions().await?.list(None).await?),
            "/login" => {
                session.bind("ada").await?;
                session.save().await?;
            }
            _ => {
                session.revoke().await?;
            }
        }
        Ok(session.store_calls().to_string())
    }
    let calls = any(calls);
    let paths = [
        "/unused",
        "/read",
        "/read-twice",
        "/write",
        "/list",
        "/login",
        "/logout",
    ];
    let routes = paths
        .into_iter()
        .fold(Router::new(), |node, path| node.route(path, calls.clone()));
    routes
        .route("/staleness", any(staleness))
        .route("/presented", any(presented))
        .layer(layer)
}

/// The age in microseconds after the session was used.
async fn staleness(session: Session) -> Result<String, SessionError> {
    assert_eq!(session.staleness(), None, "nothing was asked so far");
    session.user().await?;
    let staleness = session.staleness();
    Ok(staleness.map_or("none".to_owned(), |age| age.as_micros().to_string()))
}

async fn presented(session: Session) -> String {
    session.was_presented().to_string()
}

#[tokio::test]
async fn a_request_knows_how_often_the_store_was_called_for_it() {
    let world = World::new();
    let node = node(world.layer());
    let mut client = Client::default();
    for (path, expected) in [
        ("/unused", 0),
        ("/read", 0),
        ("/login", 1),
        ("/unused", 0),
        ("/read", 1),
        ("/read-twice", 1),
        ("/write", 2),
        ("/list", 2),
        ("/logout", 2),
        ("/read", 0),
    ] {
        let before = world.spy.all_calls();
        let answer = client.post(&node, path, "").await;
        assert_eq!(answer.text, expected.to_string(), "{path}");
        assert_eq!(world.spy.all_calls() - before, expected, "{path}");
    }
}

#[tokio::test]
async fn calls_that_were_repeated_are_counted_each_time() {
    let world = World::new();
    let node = node(world.layer());
    let mut client = Client::default();
    client.post(&node, "/login", "").await;
    world.spy.next(Verb::Replace, Fault::LostCall);
    let before = world.spy.all_calls();
    let answer = client.post(&node, "/write", "").await;
    // The session, the write that was lost, a look at what became of it, the write again.
    assert_eq!(answer.text, "4");
    assert_eq!(world.spy.all_calls() - before, 4);
}

#[tokio::test]
async fn what_is_known_of_a_session_is_as_old_as_the_question() {
    let world = World::new();
    let layer = world.layer();
    let hour = Duration::from_secs(3_600);
    let node = node(layer.with_failure_policy(FailurePolicy::ReadOnlyStale(hour)));
    let mut client = Client::default();
    assert_eq!(client.get(&node, "/staleness").await.text, "none");
    client.post(&node, "/login", "").await;
    let mut age = async || -> u128 {
        let answer = client.get(&node, "/staleness").await;
        answer.text.parse().expect("microseconds")
    };
    let asked = Instant::now();
    assert!(age().await <= asked.elapsed().as_micros());

    // From here on a copy stands in, and it does not grow younger by being read.
    let copied = Instant::now();
    world.spy.go_down();
    for _ in 0..1_000 {
        age().await;
    }
    let least = copied.elapsed().as_micros();
    let last = age().await;
    assert!(least <= last && last <= asked.elapsed().as_micros());
}

#[tokio::test]
async fn a_request_knows_whether_it_brought_a_cookie_that_opens_nothing() {
    let node = node(World::new().layer());
    let mut stranger = Client::default();
    assert_eq!(stranger.get(&node, "/presented").await.text, "false");
    let mut ended = Client::with_cookie(&"A".repeat(43));
    assert_eq!(ended.get(&node, "/presented").await.text, "true");
}

#[tokio::test]
async fn two_applications_on_one_host_have_cookies_of_their_own_names() {
    let named = CookieConfig::insecure_loopback().with_name("other");
    assert_eq!(named.expect("a token").name(), "other");
    let promise = CookieConfig::insecure_loopback().with_name("__Host-other");
    assert_eq!(promise, Err(CookieError::HostPrefix));
    let wrong = CookieConfig::default().with_name("a b");
    assert_eq!(wrong, Err(CookieError::Name));
}
