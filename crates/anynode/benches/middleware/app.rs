//! The application, and the five ways of giving it sessions.

use std::sync::Arc;

use anynode::{Session, SessionError, SessionLayer, SystemClock, core::MemoryStore};
use axum::{
    Router,
    body::Body,
    http::{Request, header},
    routing::get,
};
use tower::ServiceExt;

/// One way of giving the application sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Without,
    Untouched,
    UntouchedAround,
    Memory,
    Sqlite,
    TowerSessions,
}

/// An application and the cookies of its visitors.
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) cookies: Vec<String>,
    /// The layer, where it is around the router instead of in it.
    pub(crate) around: Option<SessionLayer>,
    /// Holds the directory of the store while the application runs.
    _directory: Option<tempfile::TempDir>,
}

/// Visitors, so that no single record is always at hand.
const SESSIONS: usize = 1_000;

// === impl Variant ===

impl Variant {
    pub(crate) const ALL: [Self; 6] = [
        Self::Without,
        Self::Untouched,
        Self::UntouchedAround,
        Self::Memory,
        Self::Sqlite,
        Self::TowerSessions,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::Untouched => "untouched",
            Self::UntouchedAround => "untouched-around",
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::TowerSessions => "tower-sessions",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Without => "without sessions (against itself)",
            Self::Untouched => "untouched session",
            Self::UntouchedAround => "untouched, layer around the router",
            Self::Memory => "read, memory store",
            Self::Sqlite => "read, SQLite store",
            Self::TowerSessions => "read, tower-sessions memory store",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|variant| variant.name() == name);
        found.expect("the name of a variant")
    }

    /// The application with its sessions filled.
    pub(crate) async fn app(self) -> App {
        match self {
            Self::Without => {
                let cookie = format!("__Host-id={}", "A".repeat(43));
                App {
                    router: Router::new().route("/", get(plain)).with_state(()),
                    cookies: vec![cookie; SESSIONS],
                    around: None,
                    _directory: None,
                }
            }
            Self::Untouched => {
                let router = ours(get(plain), SessionLayer::new(memory()));
                App::filled(router, None).await
            }
            Self::UntouchedAround => {
                let layer = generous(SessionLayer::new(memory()));
                let filled = ours(get(plain), layer.clone());
                let filled = App::filled(filled, None).await;
                App {
                    router: Router::new().route("/", get(plain)).with_state(()),
                    around: Some(layer),
                    ..filled
                }
            }
            Self::Memory => {
                let router = ours(get(read), SessionLayer::new(memory()));
                App::filled(router, None).await
            }
            Self::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("sessions.db");
                let store = anynode::store::sqlite::SqliteStore::open(path).unwrap();
                let router = ours(get(read), SessionLayer::new(store));
                App::filled(router, Some(directory)).await
            }
            Self::TowerSessions => {
                let store = tower_sessions::MemoryStore::default();
                let router = Router::new()
                    .route("/", get(theirs::read))
                    .route("/fill", get(theirs::fill))
                    .layer(tower_sessions::SessionManagerLayer::new(store));
                App::filled(router, None).await
            }
        }
    }
}

// === impl App ===

impl App {
    async fn filled(router: Router, directory: Option<tempfile::TempDir>) -> Self {
        let mut cookies = Vec::new();
        for _ in 0..SESSIONS {
            let request = Request::get("/fill").body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let line = response.headers()[header::SET_COOKIE].to_str().unwrap();
            cookies.push(line.split(';').next().unwrap().to_owned());
        }
        Self {
            // Builds the layers once instead of for every request.
            router: router.with_state(()),
            cookies,
            around: None,
            _directory: directory,
        }
    }
}

fn ours(read: axum::routing::MethodRouter, layer: SessionLayer) -> Router {
    Router::new()
        .route("/", read)
        .route("/fill", get(fill))
        .layer(generous(layer))
}

/// Lets the benchmark create its visitors at once.
fn generous(layer: SessionLayer) -> SessionLayer {
    layer.with_anonymous_quota(anynode::core::Quota {
        burst: 10_000,
        per_second: 1,
    })
}

fn memory() -> MemoryStore {
    MemoryStore::new(Arc::new(SystemClock))
}

async fn plain() -> &'static str {
    "7"
}

async fn read(session: Session) -> Result<&'static str, SessionError> {
    let visits: Option<u32> = session.get("visits").await?;
    assert_eq!(visits, Some(7));
    Ok("7")
}

async fn fill(session: Session) -> Result<(), SessionError> {
    for (key, value) in texts() {
        session.insert(key, value).await?;
    }
    session.insert("visits", 7_u32).await
}

/// Seven texts; with the counter, eight keys and 500 encoded bytes.
fn texts() -> impl Iterator<Item = (String, String)> {
    (0..7).map(|key| (format!("key-{key}"), "x".repeat(58)))
}

mod theirs {
    use tower_sessions::Session;

    use super::texts;

    pub(super) async fn read(session: Session) -> &'static str {
        let visits: Option<u32> = session.get("visits").await.unwrap();
        assert_eq!(visits, Some(7));
        "7"
    }

    pub(super) async fn fill(session: Session) {
        for (key, value) in texts() {
            session.insert(&key, value).await.unwrap();
        }
        session.insert("visits", 7_u32).await.unwrap();
    }
}
