//! Requests through the adapter layer while another request changes or ends their session.

use std::sync::Arc;

use anynode::SessionLayer;
use axum::{Router, extract::State, routing::get};
use http::StatusCode;
use tokio::sync::Semaphore;

use super::{Answer, SetCookie, ask, stores};
use crate::{SessionAdapterLayer, tower_sessions::Session};

/// Where a slow request waits between its read and its write.
#[derive(Clone)]
struct Gate {
    read: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

async fn slow(gate: State<Gate>, session: Session) {
    session.get::<u32>("fast").await.expect("reads");
    gate.read.add_permits(1);
    gate.go_on.acquire().await.expect("open").forget();
    session.insert("slow", 1).await.expect("inserts");
}

async fn fast(session: Session) {
    session.insert("fast", 2).await.expect("inserts");
}

async fn both(session: Session) -> String {
    let slow: Option<u32> = session.get("slow").await.expect("reads");
    let fast: Option<u32> = session.get("fast").await.expect("reads");
    format!("{slow:?} {fast:?}")
}

async fn begin(session: Session) {
    session.insert("kept", 1).await.expect("inserts");
}

fn apps() -> Vec<(Router, Gate)> {
    let apps = stores().into_iter().map(|store| {
        let gate = Gate {
            read: Arc::new(Semaphore::new(0)),
            go_on: Arc::new(Semaphore::new(0)),
        };
        let app = Router::new()
            .route("/slow", get(slow))
            .route("/fast", get(fast))
            .route("/both", get(both))
            .route("/begin", get(begin))
            .route(
                "/flush",
                get(async |session: Session| session.flush().await.expect("flushes")),
            )
            .route(
                "/rotate",
                get(async |session: Session| session.cycle_id().await.expect("cycles")),
            )
            .layer(SessionAdapterLayer::default())
            .layer(SessionLayer::from_arc(store))
            .with_state(gate.clone());
        (app, gate)
    });
    apps.collect()
}

/// Asks for `path` while a slow request stands between its read and its write; the answers of
/// the slow one and of `path`.
async fn meanwhile(app: &Router, gate: &Gate, cookie: &SetCookie, path: &str) -> (Answer, Answer) {
    let between = async {
        gate.read.acquire().await.expect("open").forget();
        let answer = ask(app, path, cookie.pair()).await;
        gate.go_on.add_permits(1);
        answer
    };
    tokio::join!(ask(app, "/slow", cookie.pair()), between)
}

#[tokio::test]
async fn requests_that_change_different_keys_both_survive() {
    for (app, gate) in apps() {
        let cookie = ask(&app, "/begin", None).await.set();
        let (slow, fast) = meanwhile(&app, &gate, &cookie, "/fast").await;
        assert_eq!((slow.status, fast.status), (StatusCode::OK, StatusCode::OK));
        let answer = ask(&app, "/both", cookie.pair()).await;
        assert_eq!(answer.text, "Some(1) Some(2)");
    }
}

#[tokio::test]
async fn a_logout_is_not_undone_by_a_late_write() {
    for (app, gate) in apps() {
        let cookie = ask(&app, "/begin", None).await.set();
        let (slow, _) = meanwhile(&app, &gate, &cookie, "/flush").await;
        assert_eq!(slow.status, StatusCode::CONFLICT);
        assert!(slow.cookie.is_none());
        let answer = ask(&app, "/both", cookie.pair()).await;
        assert_eq!(answer.text, "None None");
    }
}

#[tokio::test]
async fn a_write_from_before_a_rotation_does_not_land_after_it() {
    for (app, gate) in apps() {
        let cookie = ask(&app, "/begin", None).await.set();
        let (slow, rotated) = meanwhile(&app, &gate, &cookie, "/rotate").await;
        assert_eq!(slow.status, StatusCode::CONFLICT);
        let cookie = rotated.set();
        let answer = ask(&app, "/both", cookie.pair()).await;
        assert_eq!(answer.text, "None None");
    }
}

/// The session and the store it calls hold each other while the handler runs.
#[tokio::test]
async fn a_request_leaves_nothing_behind() {
    for store in stores() {
        let app = Router::new()
            .route("/fast", get(fast))
            .layer(SessionAdapterLayer::default())
            .layer(SessionLayer::from_arc(store.clone()));
        let cookie = ask(&app, "/fast", None).await.set();
        ask(&app, "/fast", cookie.pair()).await;
        drop(app);
        assert_eq!(Arc::strong_count(&store), 1);
    }
}
