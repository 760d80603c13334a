//! The application under sessions of ours.

use std::{sync::Arc, time::Duration};

use anynode::{
    NearCache, Session, SessionError, SessionLayer, SystemClock,
    core::{MemoryStore, near::Condition},
};
use axum::{Router, routing::get};

use crate::variant::Variant;
use crate::visitors::{KNOWN, SESSIONS, UNKNOWN, fill, texts};

/// An application and the cookies of its visitors.
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) cookies: Vec<String>,
    /// The layer, where it is around the router instead of in it.
    pub(crate) around: Option<SessionLayer>,
    /// Holds the directory of the store while the application runs.
    _directory: Option<tempfile::TempDir>,
}

/// How long a near cache may take until it may be used.
const PATIENCE: Duration = Duration::from_secs(20);

// === impl App ===

impl App {
    /// The application with its sessions filled, in the store at this URL if it is a server's.
    pub(crate) async fn of(variant: Variant, url: &str) -> Self {
        match variant {
            Variant::Without => {
                let cookie = format!("__Host-id={}", "A".repeat(43));
                Self {
                    router: without_sessions(),
                    cookies: vec![cookie; SESSIONS],
                    around: None,
                    _directory: None,
                }
            }
            Variant::Untouched => {
                let router = with_sessions(get(plain), SessionLayer::new(memory()));
                Self::filled(router, None).await
            }
            Variant::UntouchedAround => {
                let layer = generous(SessionLayer::new(memory()));
                let filled = with_sessions(get(plain), layer.clone());
                Self {
                    router: without_sessions(),
                    around: Some(layer),
                    ..Self::filled(filled, None).await
                }
            }
            Variant::Memory => {
                let router = with_sessions(get(read), SessionLayer::new(memory()));
                Self::filled(router, None).await
            }
            Variant::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("sessions.db");
                let store = anynode::store::sqlite::SqliteStore::open(path).unwrap();
                let router = with_sessions(get(read), SessionLayer::new(store));
                Self::filled(router, Some(directory)).await
            }
            Variant::Redis => {
                let store = anynode::store::open(url).await.unwrap();
                let router = with_sessions(get(read), SessionLayer::from_arc(store));
                Self::filled(router, None).await
            }
            Variant::NearRedis | Variant::NearPostgres => {
                let layer = SessionLayer::from_arc(near_cache(url).await);
                Self::filled(with_sessions(get(read), layer), None).await
            }
            Variant::TowerMemory | Variant::TowerRedis | Variant::TowerMoka => {
                unreachable!("another program serves it")
            }
        }
    }

    async fn filled(router: Router, directory: Option<tempfile::TempDir>) -> Self {
        // Builds the layers once instead of for every request.
        let router = router.with_state(());
        Self {
            cookies: fill(&router).await,
            router,
            around: None,
            _directory: directory,
        }
    }
}

/// A near cache as it comes, once it may be used.
async fn near_cache(url: &str) -> Arc<NearCache> {
    let store = anynode::store::open(url).await.unwrap();
    let cache = Arc::new(NearCache::from_arc(store));
    let becomes = async {
        while cache.condition() != Condition::Trusted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let became = tokio::time::timeout(PATIENCE, becomes).await;
    became.expect("a near cache on a store that answers is trusted");
    cache
}

fn without_sessions() -> Router {
    Router::new().route("/", get(plain)).with_state(())
}

fn with_sessions(read: axum::routing::MethodRouter, layer: SessionLayer) -> Router {
    Router::new()
        .route("/", read)
        .route("/fill", get(fill_session))
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
    KNOWN
}

async fn read(session: Session) -> Result<&'static str, SessionError> {
    let visits: Option<u32> = session.get("visits").await?;
    Ok(match visits {
        Some(7) => KNOWN,
        _ => UNKNOWN,
    })
}

async fn fill_session(session: Session) -> Result<(), SessionError> {
    for (key, value) in texts() {
        session.insert(key, value).await?;
    }
    session.insert("visits", 7_u32).await
}
