//! A session over HTTP: what a browser sees of it.

mod client;

use std::sync::Arc;

use anynode::{
    Session, SessionError, SessionLayer, SystemClock,
    core::{MemoryStore, Store},
};
use axum::{
    Router,
    routing::{get, post},
};
use client::Client;

fn app(store: Arc<dyn Store>) -> Router {
    Router::new()
        .route("/visit", get(visit))
        .route("/idle", get(async || "idle"))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/user", get(user))
        .layer(SessionLayer::from_arc(store))
}

async fn visit(session: Session) -> Result<String, SessionError> {
    let visits = session
        .update("visits", |n: Option<u32>| n.unwrap_or(0) + 1)
        .await?;
    Ok(visits.to_string())
}

async fn login(session: Session, name: String) -> Result<(), SessionError> {
    session.bind(name).await
}

async fn logout(session: Session) -> Result<(), SessionError> {
    session.revoke().await.map(|_| ())
}

async fn user(session: Session) -> Result<String, SessionError> {
    let user = session.user().await?;
    Ok(user.map_or("nobody".to_owned(), |user| user.as_str().to_owned()))
}

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Arc::new(SystemClock)))
}

#[tokio::test]
async fn a_session_counts_on_any_node() {
    let store = store();
    let nodes = [app(store.clone()), app(store.clone()), app(store)];
    let mut client = Client::default();
    for (turn, node) in nodes.iter().cycle().take(9).enumerate() {
        let answer = client.get(node, "/visit").await;
        assert_eq!(answer.text, (turn + 1).to_string());
    }
}

#[tokio::test]
async fn a_login_rotates_the_id_and_a_logout_ends_it_on_every_node() {
    let store = store();
    let (here, there) = (app(store.clone()), app(store));
    let mut client = Client::default();
    client.get(&here, "/visit").await;
    let planted = client.cookie().expect("a session");
    client.post(&here, "/login", "ada").await;
    assert_ne!(client.cookie(), Some(planted.clone()));
    assert_eq!(client.get(&there, "/user").await.text, "ada");
    assert_eq!(
        client.get(&there, "/visit").await.text,
        "2",
        "the data was carried over"
    );

    let mut old = Client::with_cookie(&planted);
    assert_eq!(old.get(&there, "/user").await.text, "nobody");

    let kept = client.cookie().expect("a session");
    client.post(&here, "/logout", "").await;
    assert_eq!(client.cookie(), None);
    let mut late = Client::with_cookie(&kept);
    assert_eq!(late.get(&there, "/user").await.text, "nobody");
}

#[tokio::test]
async fn a_visitor_who_is_not_remembered_gets_no_cookie() {
    let node = app(store());
    let mut client = Client::default();
    let answer = client.get(&node, "/idle").await;
    assert!(answer.headers.get("set-cookie").is_none());
    assert!(answer.headers.get("vary").is_none());
}
