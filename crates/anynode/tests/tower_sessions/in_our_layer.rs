//! tower-sessions' own route cases under our layer: with handlers on tower-sessions, through the
//! adapter, and with the same handlers written for our session.
//!
//! Where we behave otherwise on purpose, the case says how and why.

use std::{sync::Arc, time::Duration};

use anynode::{
    CookieConfig, Session, SessionError, SessionLayer,
    core::{ManualClock, MemoryStore, SessionId, Store, Timestamp},
};
use axum::{Router, routing::get};
use http::StatusCode;

use super::{SetCookie, ask, routes, stores};
use crate::SessionAdapterLayer;

const HOUR: Duration = Duration::from_secs(3600);

fn our_routes() -> Router {
    Router::new()
        .route("/", get(async |_: Session| "hello"))
        .route(
            "/insert",
            get(async |session: Session| session.insert("n", 42).await),
        )
        .route("/get", get(our_get))
        .route("/remove", get(our_remove))
        .route(
            "/cycle_id",
            get(async |session: Session| session.rotate().await),
        )
        .route("/flush", get(our_flush))
        .route(
            "/set_expiry",
            get(async |session: Session| session.set_idle_timeout(24 * HOUR).await),
        )
        .route(
            "/cycle_id_and_fail",
            get(async |session: Session| {
                session.rotate().await.expect("rotates");
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .route("/save", get(our_save))
}

async fn our_get(session: Session) -> Result<String, SessionError> {
    Ok(format!("{:?}", session.get::<u32>("n").await?))
}

async fn our_remove(session: Session) -> Result<String, SessionError> {
    Ok(format!("{:?}", session.remove::<u32>("n").await?))
}

async fn our_flush(session: Session) -> Result<(), SessionError> {
    session.revoke().await.map(|_| ())
}

async fn our_save(session: Session) -> Result<String, SessionError> {
    session.insert("n", 7).await?;
    session.save().await?;
    let handle = session.handle().await?;
    Ok(handle.map(|handle| handle.to_string()).unwrap_or_default())
}

fn layer(store: Arc<dyn Store>) -> SessionLayer {
    SessionLayer::from_arc(store)
}

/// Both applications, on every store, under the layer that `layer` makes.
fn apps(layer: impl Fn(Arc<dyn Store>) -> SessionLayer) -> Vec<Router> {
    let on_ours = stores()
        .into_iter()
        .map(|store| our_routes().layer(layer(store)));
    let on_theirs = stores().into_iter().map(|store| {
        routes()
            .layer(SessionAdapterLayer::default())
            .layer(layer(store))
    });
    on_ours.chain(on_theirs).collect()
}

fn with_cookie(cookie: CookieConfig) -> impl Fn(Arc<dyn Store>) -> SessionLayer {
    move |store| layer(store).with_cookie(cookie.clone())
}

async fn has_value(app: &Router, cookie: &SetCookie) -> bool {
    ask(app, "/get", cookie.pair()).await.text == "Some(42)"
}

#[tokio::test]
async fn an_untouched_session_sets_no_cookie() {
    for app in apps(layer) {
        assert!(ask(&app, "/", None).await.cookie.is_none());
    }
}

#[tokio::test]
async fn an_unknown_id_is_replaced() {
    for app in apps(layer) {
        let unknown = "A".repeat(SessionId::LENGTH);
        let answer = ask(&app, "/insert", Some(("__Host-id", &unknown))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_ne!(answer.set().value, unknown);
    }
}

/// tower-sessions takes a malformed cookie away even from a handler that never asks for it. We
/// leave it: an untouched session sets no cookie, whatever was sent, so that the page stays
/// cacheable and a late response cannot clear a newer cookie. The next write replaces it.
#[tokio::test]
async fn a_malformed_cookie_is_no_session_and_is_replaced_by_the_next_write() {
    for app in apps(layer) {
        let malformed = Some(("__Host-id", "malformed"));
        let answer = ask(&app, "/", malformed).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.cookie.is_none());
        assert_eq!(ask(&app, "/get", malformed).await.text, "None");
        let cookie = ask(&app, "/insert", malformed).await.set();
        assert!(has_value(&app, &cookie).await);
    }
}

/// Our default is `SameSite=Lax`, so that a link from elsewhere finds its reader logged in (the
/// layer itself refuses cross-site requests that change state), and a `__Host-` name, so that no
/// sibling domain can plant a cookie.
#[tokio::test]
async fn a_new_session_sets_a_cookie_with_its_flags() {
    let config = CookieConfig::default();
    let config = config.with_max_age(HOUR).expect("an hour");
    for app in apps(with_cookie(config)) {
        let cookie = ask(&app, "/insert", None).await.set();
        assert_eq!(cookie.name, "__Host-id");
        for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(cookie.has(attribute), "{attribute} in {cookie:?}");
        }
        assert_eq!(cookie.max_age(), Some(3600));
    }
}

#[tokio::test]
async fn by_default_the_cookie_has_no_max_age() {
    for app in apps(layer) {
        let cookie = ask(&app, "/insert", None).await.set();
        assert_eq!(cookie.max_age(), None);
    }
}

#[tokio::test]
async fn a_value_is_there_at_the_next_request() {
    for app in apps(layer) {
        let cookie = ask(&app, "/insert", None).await.set();
        assert!(has_value(&app, &cookie).await);
    }
}

#[tokio::test]
async fn a_visitor_without_a_session_has_no_value() {
    for app in apps(layer) {
        assert_eq!(ask(&app, "/get", None).await.text, "None");
    }
}

#[tokio::test]
async fn the_last_value_can_be_removed() {
    for app in apps(layer) {
        let cookie = ask(&app, "/insert", None).await.set();
        assert_eq!(ask(&app, "/remove", cookie.pair()).await.text, "Some(42)");
        assert_eq!(ask(&app, "/get", cookie.pair()).await.text, "None");
    }
}

#[tokio::test]
async fn a_cycled_id_carries_the_data_on_and_the_old_id_is_dead() {
    for app in apps(layer) {
        let first = ask(&app, "/insert", None).await.set();
        let second = ask(&app, "/cycle_id", first.pair()).await.set();
        assert_ne!(first.value, second.value);
        assert!(has_value(&app, &second).await);
        assert!(!has_value(&app, &first).await);
    }
}

/// tower-sessions deletes the old id at once and creates the new one only if the handler does
/// not fail, so its visitor is logged out. We rotate in one write, which a 5xx does not undo.
#[tokio::test]
async fn a_cycled_id_survives_a_handler_that_fails() {
    for app in apps(layer) {
        let first = ask(&app, "/insert", None).await.set();
        let answer = ask(&app, "/cycle_id_and_fail", first.pair()).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(has_value(&app, &answer.set()).await);
    }
}

#[tokio::test]
async fn a_flush_ends_the_session_and_takes_the_cookie_away() {
    for app in apps(layer) {
        let cookie = ask(&app, "/insert", None).await.set();
        let removal = ask(&app, "/flush", cookie.pair()).await.set();
        assert_eq!(removal.value, "");
        assert_eq!(removal.max_age(), Some(0));
        assert!(removal.has("Path=/"), "{removal:?}");
        assert!(!has_value(&app, &cookie).await);
    }
}

/// A cookie for a domain cannot bear a `__Host-` name, so it is given another one.
#[tokio::test]
async fn a_flush_takes_the_cookie_of_a_domain_away() {
    let config = CookieConfig::new("id").expect("a token");
    let config = config.with_domain("localhost").expect("a domain");
    for app in apps(with_cookie(config)) {
        let cookie = ask(&app, "/insert", None).await.set();
        let removal = ask(&app, "/flush", cookie.pair()).await.set();
        assert_eq!(removal.value, "");
        assert_eq!(removal.max_age(), Some(0));
        assert!(removal.has("Domain=localhost"), "{removal:?}");
        assert!(removal.has("Path=/"), "{removal:?}");
    }
}

/// tower-sessions changes the cookie's `Max-Age` and forgets the new expiry at the next request.
/// We keep it with the session, where the server enforces it, and leave the cookie alone: the
/// `Max-Age` of the layer says how long a browser keeps it. The absolute deadline still holds.
#[tokio::test]
async fn an_expiry_that_a_handler_sets_is_kept_with_the_session() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let apps = [
        our_routes().layer(layer(store.clone())),
        routes()
            .layer(SessionAdapterLayer::default())
            .layer(layer(store)),
    ];
    for app in apps {
        let short = ask(&app, "/insert", None).await.set();
        let long = ask(&app, "/insert", None).await.set();
        let answer = ask(&app, "/set_expiry", long.pair()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.cookie.is_none());
        clock.advance(minutes(119));
        assert!(!has_value(&app, &short).await, "idle for 15 minutes");
        assert!(has_value(&app, &long).await);
        clock.advance(minutes(1));
        assert!(!has_value(&app, &long).await, "past two hours in all");
    }
}

/// The type of tower-sessions' expiry decides between a cookie with and without `Max-Age`. Ours
/// does not depend on the handler, and a session without an expiry of its own keeps the layer's.
#[tokio::test]
async fn a_change_of_the_type_of_the_expiry_leaves_cookie_and_session_alone() {
    for store in stores() {
        let app = routes()
            .layer(SessionAdapterLayer::default())
            .layer(layer(store));
        let cookie = ask(&app, "/insert", None).await.set();
        let answer = ask(&app, "/remove_expiry", cookie.pair()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.cookie.is_none());
        assert!(has_value(&app, &cookie).await);
    }
}

#[tokio::test]
async fn an_explicit_save_is_written_at_once_and_once() {
    for app in apps(layer) {
        let cookie = ask(&app, "/insert", None).await.set();
        let answer = ask(&app, "/save", cookie.pair()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(ask(&app, "/get", cookie.pair()).await.text, "Some(7)");
    }
}

/// What tower-sessions code may log as the id is the handle, which opens nothing.
#[tokio::test]
async fn the_id_that_a_handler_sees_is_not_the_cookie() {
    for app in apps(layer) {
        let answer = ask(&app, "/save", None).await;
        let (shown, cookie) = (answer.text.clone(), answer.set().value);
        // The 22nd character of a handle has bits that a cookie uses for its next byte.
        assert_eq!(shown.len(), 22);
        assert!(cookie.starts_with(&shown[..21]), "a handle");
        assert!(ask(&app, "/get", Some(("__Host-id", &shown))).await.text == "None");
        assert_eq!(cookie.len(), SessionId::LENGTH);
    }
}
