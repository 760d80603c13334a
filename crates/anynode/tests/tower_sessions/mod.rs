//! What tower-sessions asks of a store and of a layer, on ours.

mod ends;
mod in_flight;
mod in_our_layer;
mod in_their_layer;
mod records;
mod store_down;
mod world;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anynode::{
    SystemClock,
    core::{MemoryStore, Store},
    store::sqlite::SqliteStore,
};
use axum::{Router, body::Body, routing::get};
use http::{HeaderMap, Request, StatusCode, header};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::{
    client,
    tower_sessions::{Expiry, Session},
};

/// A cookie as a response sets it.
#[derive(Clone, Debug)]
struct SetCookie {
    name: String,
    value: String,
    attributes: Vec<String>,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    text: String,
    cookie: Option<SetCookie>,
}

thread_local! {
    /// Removed when the test's thread ends, after everything that has a file of it open.
    static FILES: TempDir = TempDir::new().expect("a directory");
}

/// The stores that the adapters are run on, empty.
fn stores() -> Vec<Arc<dyn Store>> {
    static FILE: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}.db", FILE.fetch_add(1, Ordering::Relaxed));
    let file = FILES.with(|files| SqliteStore::open(files.path().join(name)));
    vec![
        Arc::new(MemoryStore::new(Arc::new(SystemClock))),
        Arc::new(file.expect("opens")),
    ]
}

/// An application on tower-sessions: one route for each thing a handler may do.
fn routes() -> Router {
    Router::new()
        .route("/", get(async |_: Session| "hello"))
        .route(
            "/insert",
            get(async |session: Session| session.insert("n", 42).await.expect("inserts")),
        )
        .route(
            "/get",
            get(async |session: Session| {
                let n = session.get::<u32>("n").await.expect("reads");
                format!("{n:?}")
            }),
        )
        .route(
            "/remove",
            get(async |session: Session| {
                let n = session.remove::<u32>("n").await.expect("removes");
                format!("{n:?}")
            }),
        )
        .route(
            "/cycle_id",
            get(async |session: Session| session.cycle_id().await.expect("cycles")),
        )
        .route(
            "/flush",
            get(async |session: Session| session.flush().await.expect("flushes")),
        )
        .route(
            "/set_expiry",
            get(async |session: Session| {
                let tomorrow = OffsetDateTime::now_utc() + Duration::days(1);
                session.set_expiry(Some(Expiry::AtDateTime(tomorrow)));
            }),
        )
        .route(
            "/remove_expiry",
            get(async |session: Session| session.set_expiry(Some(Expiry::OnSessionEnd))),
        )
        .route(
            "/cycle_id_and_fail",
            get(async |session: Session| {
                session.cycle_id().await.expect("cycles");
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .route(
            "/save",
            get(async |session: Session| {
                session.insert("n", 7).await.expect("inserts");
                session.save().await.expect("saves");
                session.id().map(|id| id.to_string()).unwrap_or_default()
            }),
        )
}

/// A request by GET with this cookie, as the browser of its owner sends it.
async fn ask(app: &Router, path: &str, cookie: Option<(&str, &str)>) -> Answer {
    let mut request = Request::builder()
        .uri(path)
        .header(header::HOST, "shop.example")
        .header("sec-fetch-site", "same-origin");
    if let Some((name, value)) = cookie {
        request = request.header(header::COOKIE, format!("{name}={value}"));
    }
    let request = request.body(Body::empty()).expect("a request");
    let answer = client::send(app, request).await;
    Answer {
        status: answer.status,
        text: answer.text,
        cookie: set_cookie(&answer.headers),
    }
}

fn set_cookie(headers: &HeaderMap) -> Option<SetCookie> {
    let mut lines = headers.get_all(header::SET_COOKIE).iter();
    let line = lines.next()?.to_str().expect("ASCII");
    assert!(lines.next().is_none(), "one cookie");
    let mut parts = line.split("; ");
    let (name, value) = parts.next()?.split_once('=').expect("a pair");
    Some(SetCookie {
        name: name.to_owned(),
        value: value.to_owned(),
        attributes: parts.map(str::to_owned).collect(),
    })
}

// === impl SetCookie ===

impl SetCookie {
    fn pair(&self) -> Option<(&str, &str)> {
        Some((&self.name, &self.value))
    }

    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|of| of == attribute)
    }

    /// Seconds of `Max-Age`.
    fn max_age(&self) -> Option<i64> {
        let mut values = self
            .attributes
            .iter()
            .filter_map(|of| of.strip_prefix("Max-Age="));
        values.next().map(|value| value.parse().expect("seconds"))
    }

    fn lasts(&self, wanted: Duration) -> bool {
        let seconds = wanted.whole_seconds();
        self.max_age()
            .is_some_and(|age| (seconds - 60..=seconds).contains(&age))
    }
}

// === impl Answer ===

impl Answer {
    fn set(&self) -> SetCookie {
        self.cookie.clone().expect("a Set-Cookie header")
    }
}
