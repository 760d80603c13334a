//! The axum-login example over HTTP, on several nodes at once.

mod client;
#[allow(dead_code, reason = "the example's `main` is not called")]
#[path = "../examples/axum_login.rs"]
mod example;

use std::sync::Arc;

use anynode::{
    AdminSessions, LoginByLink, SessionLayer, SystemClock,
    adapter::{tower_sessions_014::SessionAdapterLayer, user_id},
    core::{Cause, Item, MemoryStore, Store},
};
use axum::{Router, body::Body, routing::get};
use axum_login::{AuthManager, AuthSession, AuthnBackend};
use client::Client;
use example::Users;
use http::{Request, StatusCode, header};
use tower::layer::layer_fn;

/// Two nodes on one store and one table of users.
struct Site {
    store: Arc<dyn Store>,
    here: Router,
    there: Router,
}

fn site() -> Site {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let users = Users::default();
    let node = || example::app(users.clone(), SessionLayer::from_arc(store.clone()));
    Site {
        here: node(),
        there: node(),
        store,
    }
}

async fn post_form(client: &mut Client, node: &Router, path: &str, form: &str) -> client::Answer {
    let mut request = Request::post(path)
        .header(header::HOST, "shop.example")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(value) = client.cookie() {
        request = request.header(header::COOKIE, format!("{}={value}", client::NAME));
    }
    let request = request.body(Body::from(form.to_owned()));
    let answer = client::send(node, request.expect("a request")).await;
    client.keep(&answer.headers);
    answer
}

async fn logged_in(node: &Router) -> Client {
    let mut client = Client::default();
    let answer = post_form(&mut client, node, "/login", "name=ada&password=lovelace").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert!(client.cookie().is_some());
    client
}

async fn is_logged_in(client: &Client, node: &Router) -> bool {
    let answer = client.clone().get(node, "/").await;
    match answer.status {
        StatusCode::OK => true,
        StatusCode::TEMPORARY_REDIRECT => false,
        other => panic!("{other}: {}", answer.text),
    }
}

// === impl Site ===

impl Site {
    async fn listed(&self) -> Vec<anynode::SessionInfo> {
        let admin = AdminSessions::new(self.store.clone());
        let user = user_id(1).expect("a name");
        admin.list(&user, None).await.expect("a list").0
    }
}

#[tokio::test]
async fn the_protected_page_is_for_users_only() {
    let site = site();
    let mut stranger = Client::default();
    let answer = stranger.get(&site.here, "/").await;
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(
        answer.headers[header::LOCATION]
            .to_str()
            .expect("ASCII")
            .starts_with("/login")
    );
    assert_eq!(
        stranger.cookie(),
        None,
        "nothing is remembered of a stranger"
    );
}

#[tokio::test]
async fn a_login_holds_on_every_node_and_a_logout_ends_it_on_every_node() {
    let site = site();
    let mut ada = logged_in(&site.here).await;
    let page = ada.get(&site.there, "/").await.text;
    assert!(page.contains("Hello ada"), "{page}");
    assert!(page.contains("(this one)"), "{page}");
    let kept = ada.clone();
    let answer = post_form(&mut ada, &site.there, "/logout", "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(ada.cookie(), None);
    assert!(!is_logged_in(&kept, &site.here).await);
    assert!(site.listed().await.is_empty());
}

#[tokio::test]
async fn a_wrong_password_logs_nobody_in() {
    let site = site();
    let mut client = Client::default();
    let answer = post_form(&mut client, &site.here, "/login", "name=ada&password=byron").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.cookie(), None);
    assert!(site.store.scan(None, 10).await.expect("scans").is_empty());
}

#[tokio::test]
async fn a_login_replaces_the_id_and_keeps_the_handle() {
    let site = site();
    let mut ada = logged_in(&site.here).await;
    let (first, handle) = (ada.clone(), site.listed().await[0].handle);
    post_form(&mut ada, &site.here, "/login", "name=grace&password=hopper").await;
    assert_ne!(first.cookie(), ada.cookie());
    assert!(
        !is_logged_in(&first, &site.there).await,
        "ada's cookie is dead"
    );
    let page = ada.get(&site.there, "/").await.text;
    assert!(page.contains("Hello grace"), "{page}");
    assert!(page.contains(&handle.to_string()), "{page}");
    assert!(site.listed().await.is_empty());
}

#[tokio::test]
async fn the_sessions_of_a_user_are_listed() {
    let site = site();
    let (ada, _elsewhere) = (logged_in(&site.here).await, logged_in(&site.there).await);
    post_form(
        &mut Client::default(),
        &site.here,
        "/login",
        "name=grace&password=hopper",
    )
    .await;
    assert_eq!(site.listed().await.len(), 2);
    let page = ada.clone().get(&site.here, "/").await.text;
    assert_eq!(page.matches("<li>").count(), 2, "{page}");
}

#[tokio::test]
async fn log_out_everywhere_ends_every_session_of_the_user() {
    let site = site();
    let (mut ada, elsewhere) = (logged_in(&site.here).await, logged_in(&site.there).await);
    let answer = post_form(&mut ada, &site.here, "/logout-everywhere", "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(ada.cookie(), None);
    assert!(!is_logged_in(&elsewhere, &site.there).await);
    assert!(site.listed().await.is_empty());
}

#[tokio::test]
async fn a_session_that_an_administrator_revokes_is_logged_out_at_once() {
    let site = site();
    let (ada, elsewhere) = (logged_in(&site.here).await, logged_in(&site.there).await);
    let admin = AdminSessions::new(site.store.clone());
    admin
        .revoke_user(&user_id(1).expect("a name"))
        .await
        .expect("revokes");
    assert!(!is_logged_in(&ada, &site.here).await);
    assert!(!is_logged_in(&elsewhere, &site.there).await);
    assert!(
        is_logged_in(&logged_in(&site.here).await, &site.there).await,
        "a later login holds"
    );
}

#[tokio::test]
async fn a_changed_password_logs_the_user_out_everywhere() {
    let site = site();
    let (mut ada, elsewhere) = (logged_in(&site.here).await, logged_in(&site.there).await);
    post_form(&mut ada, &site.here, "/password", "password=byron").await;
    assert!(!is_logged_in(&elsewhere, &site.there).await);
    assert!(!is_logged_in(&ada, &site.here).await);
    assert!(
        site.listed().await.is_empty(),
        "axum-login ends them when it sees them"
    );
    let items = site.store.scan(None, 10).await.expect("scans");
    let ended = |item: &Item| matches!(item, Item::Tombstone(of) if of.cause == Cause::User);
    assert!(items.iter().all(ended), "{items:?}");
}

#[tokio::test]
async fn a_login_that_another_site_causes_is_refused() {
    let site = site();
    let request = Request::post("/login")
        .header(header::HOST, "shop.example")
        .header("sec-fetch-site", "cross-site")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("name=ada&password=lovelace"))
        .expect("a request");
    let answer = client::send(&site.here, request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(site.listed().await.is_empty());
}

/// A site where following a link logs ada in, as the return from an identity provider does.
fn linked(login_by_link: LoginByLink) -> Router {
    async fn log_in(mut auth: AuthSession<Users>) {
        let ada = auth.backend.get_user(&1).await.expect("infallible");
        auth.login(&ada.expect("ada")).await.expect("recorded");
    }
    let store = MemoryStore::new(Arc::new(SystemClock));
    Router::new()
        .route("/link", get(log_in))
        .layer(layer_fn(|inner| {
            AuthManager::new(inner, Users::default(), "axum-login.data")
        }))
        .layer(SessionAdapterLayer::default())
        .layer(SessionLayer::new(store).with_login_by_link(login_by_link))
}

#[tokio::test]
async fn a_link_logs_nobody_in_unless_that_is_allowed() {
    let mut client = Client::default();
    let answer = client.get(&linked(LoginByLink::Refused), "/link").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.cookie(), None);
    let answer = client.get(&linked(LoginByLink::Allowed), "/link").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(client.cookie().is_some());
}
