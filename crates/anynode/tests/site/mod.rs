//! A small site on a store that a test controls.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{sync::Arc, time::Duration};

use anynode::{
    Session, SessionError, SessionLayer,
    core::{ManualClock, MemoryStore, Store, Timestamp},
};
use axum::{
    Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::spy::Spy;

/// A store with its clock, and the nodes on it.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) spy: Arc<Spy>,
}

// === impl World ===

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_700_000_000_000)));
        let spy = Spy::new(MemoryStore::new(clock.clone()));
        Self { clock, spy }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.spy.clone()
    }

    /// A layer with its defaults, which does not sweep.
    pub(crate) fn layer(&self) -> SessionLayer {
        SessionLayer::from_arc(self.store()).with_sweep_every(None)
    }

    /// A node with the site on it.
    pub(crate) fn node(&self) -> Router {
        site(self.layer())
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// The site under this layer.
pub(crate) fn site(layer: SessionLayer) -> Router {
    Router::new()
        .route("/idle", get(async || "idle").post(async || "idle"))
        .route("/count", get(count).post(count))
        .route("/get/{key}", get(read))
        .route("/put/{key}", post(put))
        .route("/clear", post(clear))
        .route("/login", post(login))
        .route(
            "/login-by-link",
            get(async |session| login(session, "ada".into()).await),
        )
        .route("/logout", post(logout))
        .route("/rotate", post(rotate))
        .route("/user", get(user))
        .route("/idle-timeout", post(idle_timeout))
        .route("/answer/{status}/put/{key}", post(answer_put))
        .route("/answer/{status}/login", post(answer_login))
        .layer(layer)
}

async fn count(session: Session) -> Result<String, SessionError> {
    let n = session.update("n", |n: Option<u32>| n.unwrap_or(0) + 1);
    Ok(n.await?.to_string())
}

async fn read(session: Session, Path(key): Path<String>) -> Result<String, SessionError> {
    let value = session.get::<String>(&key).await?;
    Ok(value.unwrap_or_else(|| "none".to_owned()))
}

async fn put(session: Session, Path(key): Path<String>, value: String) -> Result<(), SessionError> {
    session.insert(key, value).await
}

async fn clear(session: Session) -> Result<(), SessionError> {
    session.clear().await
}

async fn login(session: Session, name: String) -> Result<(), SessionError> {
    session.bind(name).await
}

async fn logout(session: Session) -> Result<(), SessionError> {
    session.revoke().await.map(|_| ())
}

async fn rotate(session: Session) -> Result<(), SessionError> {
    session.rotate().await
}

async fn user(session: Session) -> Result<String, SessionError> {
    let user = session.user().await?;
    Ok(user.map_or("nobody".to_owned(), |user| user.as_str().to_owned()))
}

async fn idle_timeout(session: Session, seconds: String) -> Result<(), SessionError> {
    let seconds = seconds.parse().expect("a number");
    session.set_idle_timeout(Duration::from_secs(seconds)).await
}

async fn answer_put(
    session: Session,
    Path((status, key)): Path<(u16, String)>,
    value: String,
) -> Result<Response, SessionError> {
    session.insert(key, value).await?;
    Ok(answer(status))
}

async fn answer_login(
    session: Session,
    Path(status): Path<u16>,
    name: String,
) -> Result<Response, SessionError> {
    session.insert("seen", "yes").await?;
    session.bind(name).await?;
    Ok(answer(status))
}

fn answer(status: u16) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    status.into_response()
}
