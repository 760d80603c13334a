//! The sample application: a shop with a login, a cart and a counter of visits, whose every page says which node answered.
//!
//! It is what an application on anynode looks like: nothing here knows that there are other nodes.

mod page;

use std::process;
use std::sync::Arc;

use anynode::core::{Handle, Store};
use anynode::{CookieConfig, Session, SessionError, SessionLayer};
use axum::extract::{Form, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::map_response_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// Names the node in every response.
const NODE: HeaderName = HeaderName::from_static("x-anynode-node");

/// Longer names are refused: nobody has to read them.
const NAME_CHARS_MAX: usize = 40;

/// What the shop sells.
const ITEMS: [&str; 3] = ["apples", "bread", "coffee"];

/// A larger cart is refused; a session is no warehouse.
const CART_MAX: usize = 20;

#[derive(Clone, Debug)]
struct Node {
    name: String,
    pid: u32,
}

/// Answer of `/whoami`.
#[derive(Debug, Serialize)]
struct WhoAmI {
    node: String,
    pid: u32,
    user: Option<String>,
    visits: u64,
    cart: Vec<String>,
}

/// Answer of `/visit`.
#[derive(Debug, Serialize)]
struct Visit {
    node: String,
    visits: u64,
}

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
struct Item {
    item: String,
}

#[derive(Deserialize)]
struct Other {
    handle: String,
}

/// The application as the node of this name serves it.
pub(crate) fn app(node: &str, store: Arc<dyn Store>) -> Router {
    let node = Node {
        name: node.to_owned(),
        pid: process::id(),
    };
    // Nodes serve plain HTTP on loopback alone, where no browser takes a `Secure` cookie from curl.
    let sessions = SessionLayer::from_arc(store).with_cookie(CookieConfig::insecure_loopback());
    let with_session = Router::new()
        .route("/", get(home))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/logout-there", post(log_out_there))
        .route("/logout-everywhere", post(log_out_everywhere))
        .route("/cart", post(add_to_cart))
        .route("/visit", get(visit).post(visit))
        .route("/whoami", get(who_am_i))
        .layer(sessions)
        .with_state(node.clone());
    Router::new()
        .route("/healthz", get("ok\n"))
        .route("/style.css", get(style))
        .merge(with_session)
        .layer(map_response_with_state(node, finish))
}

// === pages ===

async fn home(State(node): State<Node>, session: Session) -> Result<Response, SessionError> {
    let Some(user) = session.user().await? else {
        return Ok(Html(page::login(&node)).into_response());
    };
    let visits = count_visit(&session).await?;
    let cart = cart(&session).await?;
    let (sessions, _) = session.sessions().await?.list(None).await?;
    let page = page::home(&node, user.as_str(), visits, &cart, &sessions);
    Ok(Html(page).into_response())
}

async fn log_in(session: Session, Form(login): Form<Login>) -> Result<Response, SessionError> {
    let name = login.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Ok(bad_request("a name has 1 to 40 characters\n"));
    }
    session.bind(name).await?;
    Ok(home_with(format!("logged in as {name}\n")))
}

async fn log_out(session: Session) -> Result<Response, SessionError> {
    session.revoke().await?;
    Ok(home_with("logged out\n"))
}

async fn log_out_there(
    session: Session,
    Form(other): Form<Other>,
) -> Result<Response, SessionError> {
    let Ok(handle) = other.handle.parse::<Handle>() else {
        return Ok(bad_request("this is no handle of a session\n"));
    };
    session.sessions().await?.revoke(handle).await?;
    Ok(home_with("logged out there\n"))
}

async fn log_out_everywhere(session: Session) -> Result<Response, SessionError> {
    session.sessions().await?.revoke_all().await?;
    Ok(home_with("logged out everywhere\n"))
}

async fn add_to_cart(session: Session, Form(item): Form<Item>) -> Result<Response, SessionError> {
    let Some(item) = ITEMS.into_iter().find(|known| *known == item.item) else {
        return Ok(bad_request("the shop has no such item\n"));
    };
    logged_in(&session).await?;
    // The closure may run again on a newer cart, and so adds to the one it is given.
    let add = move |cart: Option<Vec<String>>| {
        let mut cart = cart.unwrap_or_default();
        if cart.len() < CART_MAX {
            cart.push(item.to_owned());
        }
        cart
    };
    session.update("cart", add).await?;
    Ok(home_with("added\n"))
}

// === for programs ===

async fn visit(State(node): State<Node>, session: Session) -> Result<Json<Visit>, SessionError> {
    logged_in(&session).await?;
    let visits = count_visit(&session).await?;
    let node = node.name;
    Ok(Json(Visit { node, visits }))
}

async fn who_am_i(
    State(node): State<Node>,
    session: Session,
) -> Result<Json<WhoAmI>, SessionError> {
    let user = session.user().await?;
    Ok(Json(WhoAmI {
        node: node.name,
        pid: node.pid,
        user: user.map(|user| user.as_str().to_owned()),
        visits: session.get("visits").await?.unwrap_or(0),
        cart: cart(&session).await?,
    }))
}

// === parts ===

async fn logged_in(session: &Session) -> Result<(), SessionError> {
    let user = session.user().await?;
    user.map(|_| ()).ok_or(SessionError::NotBound)
}

/// Commits at once, so that the number shown is the one that was written.
async fn count_visit(session: &Session) -> Result<u64, SessionError> {
    let count = |visits: Option<u64>| visits.unwrap_or(0) + 1;
    session.update_now("visits", count).await
}

async fn cart(session: &Session) -> Result<Vec<String>, SessionError> {
    Ok(session.get("cart").await?.unwrap_or_default())
}

/// Sends a browser back to the page; the text is for those who do not follow.
fn home_with(text: impl IntoResponse) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, "/")], text).into_response()
}

fn bad_request(text: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, text).into_response()
}

async fn style() -> impl IntoResponse {
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    ([(CONTENT_TYPE, css)], include_str!("style.css"))
}

/// Names the node, and lets a page load nothing but its own style and send forms nowhere else.
async fn finish(State(node): State<Node>, mut response: Response) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    let headers = response.headers_mut();
    if let Ok(name) = HeaderValue::from_str(&node.name) {
        headers.insert(NODE, name);
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
