//! Open connections: closed when their session ends, wherever that happens, and not before.

mod ends;
mod faults;

use std::{convert::Infallible, future::ready, sync::Arc, time::Duration};

use anynode::{
    FailurePolicy, NearCache, OpenConnection, Session, SessionError, SessionLayer,
    core::{MemoryStore, Store},
};
use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
    routing::{get, post},
};
use futures_util::{
    FutureExt, StreamExt,
    stream::{self, Stream},
};
use http::Method;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::{
    client::Client,
    scene::{Node, PATIENCE, store},
    site::site,
};

/// A node that serves connections which stay open.
struct Site {
    node: Node,
    app: Router,
    /// The same, but its connections are closed soon when nothing is known of them.
    strict: Router,
}

/// A connection as its client sees it.
struct Connection(Body);

/// Longer than a machine stands still while a test runs on it.
const LONG: FailurePolicy = FailurePolicy::ReadOnlyStale(Duration::from_secs(60));

// === impl Site ===

impl Site {
    async fn on(store: &MemoryStore) -> Self {
        let node = Node::on(store, NearCache::options()).await;
        let app = app(node.near.clone(), LONG);
        let strict = app_of(node.near.clone());
        Self { node, app, strict }
    }

    /// A connection that this node has asked about what had to be asked.
    async fn settled(&self, client: &Client) -> Connection {
        let connection = Connection::to(&self.app, client).await;
        self.node.caught_up().await;
        connection
    }
}

async fn sites() -> [Site; 2] {
    let store = store();
    [Site::on(&store).await, Site::on(&store).await]
}

fn app_of(store: Arc<dyn Store>) -> Router {
    app(store, FailurePolicy::FailClosed)
}

fn app(store: Arc<dyn Store>, failure: FailurePolicy) -> Router {
    let layer = SessionLayer::from_arc(store)
        .with_sweep_every(None)
        .with_failure_policy(failure);
    Router::new()
        .route("/open", get(open))
        .route("/flood", get(flood))
        .route("/long", get(long))
        .route("/run", get(run))
        .route("/talk", get(talk))
        .route("/logout-elsewhere", post(log_out_elsewhere))
        .layer(layer.clone())
        .merge(site(layer))
}

/// A stream of nothing, and at its end why it ended.
async fn open(session: Session) -> Result<Body, SessionError> {
    let connection = session.open_connection().await?;
    let nothing = connection.clone().stream(stream::pending());
    let begun = stream::once(ready("open "));
    Ok(streamed(begun.chain(nothing).chain(last(connection))))
}

fn last(connection: OpenConnection) -> impl Stream<Item = &'static str> + Send {
    stream::once(async move { connection.ended().await.as_str() })
}

fn streamed(parts: impl Stream<Item = &'static str> + Send + 'static) -> Body {
    Body::from_stream(parts.map(|part| Ok::<_, Infallible>(Bytes::from_static(part.as_bytes()))))
}

/// As much as the client takes.
async fn flood(session: Session) -> Result<Body, SessionError> {
    let connection = session.open_connection().await?;
    Ok(streamed(connection.stream(stream::repeat("open "))))
}

/// A long response, of which a part is no use.
async fn long(session: Session) -> Result<Response, SessionError> {
    let connection = session.open_connection().await?;
    let parts = stream::once(ready("open ")).chain(stream::pending());
    Ok(connection.response(streamed(parts)))
}

/// What serves a WebSocket, say.
async fn run(session: Session) -> Result<Body, SessionError> {
    let connection = session.open_connection().await?;
    let begun = stream::once(ready("open "));
    let served = stream::once(async move {
        let serving = std::future::pending::<()>();
        match connection.run(serving).await {
            Ok(()) => "served",
            Err(ending) => ending.as_str(),
        }
    });
    Ok(streamed(begun.chain(served)))
}

/// A client that says something.
async fn talk(session: Session) -> Result<(), SessionError> {
    session.open_connection().await?.used();
    Ok(())
}

async fn log_out_elsewhere(session: Session) -> Result<(), SessionError> {
    session.sessions().await?.revoke_others().await?;
    Ok(())
}

// === impl Connection ===

impl Connection {
    async fn to(app: &Router, client: &Client) -> Self {
        Self::at(app, client, "/open").await
    }

    /// Opened, and greeted.
    async fn at(app: &Router, client: &Client, path: &str) -> Self {
        let request = client.request(Method::GET, path, "");
        let response = app.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        let mut connection = Self(response.into_body());
        let greeting = connection.0.frame().await.unwrap().unwrap();
        assert_eq!(greeting.into_data().unwrap(), "open ");
        connection
    }

    /// Whether nothing came and nothing ended.
    fn is_open(&mut self) -> bool {
        self.0.frame().now_or_never().is_none()
    }

    /// What came last.
    async fn end(self) -> String {
        let rest = tokio::time::timeout(PATIENCE, self.0.collect()).await;
        let rest = rest.expect("it is closed").unwrap().to_bytes();
        String::from_utf8(rest.to_vec()).unwrap()
    }
}

/// A client who is logged in on this node.
async fn logged_in(site: &Site) -> Client {
    let mut client = Client::default();
    let answer = client.post(&site.app, "/login", "ada").await;
    assert!(answer.status.is_success(), "{answer:?}");
    client
}
