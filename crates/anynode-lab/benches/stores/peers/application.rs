//! The application of the middleware's benchmark under tower-sessions: as in `middleware/app.rs`,
//! with its sessions in memory, in Redis, and in Redis under the Moka cache.

use axum::{Router, routing::get};
use tower_sessions::{
    CachingSessionStore, MemoryStore, Session, SessionManagerLayer, SessionStore, session::Id,
};
use tower_sessions_moka_store::MokaStore;

use crate::redis;
use crate::visitors::{self, KNOWN, UNKNOWN, announce, fill, texts};

/// Serves until standard input ends, which it does with the parent.
pub(crate) fn serve(variant: &str, url: &str) {
    one_thread().block_on(async {
        let router = router(variant, url).await;
        let cookies = fill(&router).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        announce(listener.local_addr().unwrap().port(), &cookies);
        axum::serve(listener, router).await.unwrap();
    });
}

/// Sends requests through the router, without network.
pub(crate) fn repeat(variant: &str, url: &str, count: usize) {
    one_thread().block_on(async {
        let router = router(variant, url).await;
        let cookies = fill(&router).await;
        visitors::repeat(&router, &cookies, count).await;
    });
}

/// Deletes the sessions whose ids are read, a line each, as a node does at a logout.
pub(crate) fn end(url: &str) {
    one_thread().block_on(async {
        let store = redis(url).await;
        for line in std::io::stdin().lines() {
            let id: Id = line.unwrap().parse().unwrap();
            assert!(store.load(&id).await.unwrap().is_some(), "it is alive");
            store.delete(&id).await.unwrap();
        }
    });
}

async fn router(variant: &str, url: &str) -> Router {
    match variant {
        "tower-memory" => over(MemoryStore::default()),
        "tower-redis" => over(redis(url).await),
        // As its documentation shows it.
        "tower-moka" => {
            let cache = MokaStore::new(Some(100_000));
            over(CachingSessionStore::new(cache, redis(url).await))
        }
        other => panic!("{other} is no variant of tower-sessions"),
    }
}

fn over(store: impl SessionStore + Clone) -> Router {
    Router::new()
        .route("/", get(read))
        .route("/fill", get(fill_session))
        .layer(SessionManagerLayer::new(store))
        .with_state(())
}

async fn read(session: Session) -> &'static str {
    let visits: Option<u32> = session.get("visits").await.unwrap();
    match visits {
        Some(7) => KNOWN,
        _ => UNKNOWN,
    }
}

async fn fill_session(session: Session) {
    for (key, value) in texts() {
        session.insert(&key, value).await.unwrap();
    }
    session.insert("visits", 7_u32).await.unwrap();
}

fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
