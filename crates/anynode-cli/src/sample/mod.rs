//! The sample application: a shop with a login, a cart and a counter of visits, whose every page says which node answered.
//!
//! It is what an application on anynode looks like: nothing here knows that there are other nodes.

mod open;
mod page;
mod rows;

use std::process;
use std::sync::Arc;

use anynode::core::{ChannelKind, Handle, Store};
use anynode::{AgeHeader, ClearSiteData, CookieConfig, Session, SessionError, SessionLayer};
use axum::extract::{Form, State};
use axum::http::{StatusCode, header::LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::Strategy;
use crate::demo::Around;
use crate::stop::Stopping;

/// Longer names are refused: nobody has to read them.
const NAME_CHARS_MAX: usize = 40;

/// What the shop sells.
const ITEMS: [&str; 3] = ["apples", "bread", "coffee"];

/// What does not fit into the cart is left out; a session is no warehouse.
const CART_MAX: usize = 20;

/// Of how many visits the page says who answered.
const TRAIL_MAX: usize = 12;

type Place = State<Arc<Shop>>;
type Answer = Result<Response, SessionError>;

/// The shop as one node serves it.
pub(crate) struct Shop {
    /// What the node is called.
    pub(crate) node: String,
    /// What its paths begin with.
    pub(crate) base: &'static str,
    /// The path of its page.
    pub(crate) home: &'static str,
    /// Where its sessions live.
    pub(crate) strategy: Strategy,
    /// How copies of them are kept from being used too late, under [`Strategy::NearCache`].
    pub(crate) copies: ChannelKind,
    /// When its connections that are open have to be closed, that others may serve them.
    pub(crate) stopping: Stopping,
    /// What a demonstration shows around it.
    pub(crate) around: Box<dyn Fn() -> Around + Send + Sync>,
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

/// The sessions of a shop, in `store`.
pub(crate) fn sessions(
    store: Arc<dyn Store>,
    cookie: CookieConfig,
    age_header: AgeHeader,
) -> SessionLayer {
    SessionLayer::from_arc(store)
        .with_cookie(cookie)
        .with_age_header(age_header)
        // All programs on loopback share one jar, and a logout here is none of theirs.
        .with_clear_site_data(ClearSiteData::Omitted)
}

/// The shop with these sessions, and with `more` routes that are protected as its own are.
pub(crate) fn shop(shop: Shop, sessions: SessionLayer, more: Router) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(log_in))
        .route("/logged-in", get(arrive))
        .route("/logout", post(log_out))
        .route("/logout-there", post(log_out_there))
        .route("/logout-elsewhere", post(log_out_elsewhere))
        .route("/logout-everywhere", post(log_out_everywhere))
        .route("/cart", post(add_to_cart))
        .route("/cart/remove", post(take_from_cart))
        .route("/visit", get(visit).post(visit))
        .route("/whoami", get(who_am_i))
        .route("/session/events", get(open::events))
        .route("/session/socket", get(open::socket))
        .with_state(Arc::new(shop))
        .merge(more)
        .layer(sessions)
}

// === pages ===

async fn home(State(shop): Place, session: Session) -> Answer {
    let Some(user) = session.user().await? else {
        return Ok(page::login(&shop, &session).into_response());
    };
    let node = shop.node.clone();
    let follow = move |trail: Option<Vec<String>>| {
        let mut trail = trail.unwrap_or_default();
        trail.push(node.clone());
        trail.split_off(trail.len().saturating_sub(TRAIL_MAX))
    };
    // Written together with the visit.
    let trail = session.update("trail", follow).await?;
    let visits = count_visit(&session).await?;
    let cart = cart(&session).await?;
    let (list, _) = session.sessions().await?.list(None).await?;
    let main = page::shop(&shop, user.as_str(), visits, &trail, &cart, &list);
    Ok(page::page(&shop, &session, "Shop", &main).into_response())
}

async fn log_in(State(shop): Place, session: Session, Form(login): Form<Login>) -> Answer {
    let name = login.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Ok((StatusCode::BAD_REQUEST, "a name has 1 to 40 characters\n").into_response());
    }
    session.bind(name).await?;
    let arrival = format!("{}/logged-in", shop.base);
    Ok(see_other(&arrival, "logged in\n"))
}

/// Where a login leads: a browser that does not send the cookie back is told so.
async fn arrive(State(shop): Place, session: Session) -> Response {
    if session.was_presented() {
        return see_other(shop.home, "logged in\n");
    }
    page::cookie_missing(&shop, &session).into_response()
}

async fn log_out(State(shop): Place, session: Session) -> Answer {
    session.revoke().await?;
    Ok(see_other(shop.home, "logged out\n"))
}

async fn log_out_there(State(shop): Place, session: Session, Form(other): Form<Other>) -> Answer {
    let Ok(handle) = other.handle.parse::<Handle>() else {
        return Ok((StatusCode::BAD_REQUEST, "this is no handle of a session\n").into_response());
    };
    session.sessions().await?.revoke(handle).await?;
    Ok(see_other(shop.home, "logged out there\n"))
}

async fn log_out_elsewhere(State(shop): Place, session: Session) -> Answer {
    session.sessions().await?.revoke_others().await?;
    Ok(see_other(shop.home, "logged out everywhere but here\n"))
}

async fn log_out_everywhere(State(shop): Place, session: Session) -> Answer {
    session.sessions().await?.revoke_all().await?;
    Ok(see_other(shop.home, "logged out everywhere\n"))
}

async fn add_to_cart(State(shop): Place, session: Session, Form(item): Form<Item>) -> Answer {
    let Some(item) = ITEMS.into_iter().find(|known| *known == item.item) else {
        return Ok((StatusCode::BAD_REQUEST, "the shop has no such item\n").into_response());
    };
    let add = move |cart: &mut Vec<String>| {
        cart.push(item.to_owned());
        cart.truncate(CART_MAX);
    };
    change_cart(&session, add).await?;
    Ok(see_other(shop.home, "added\n"))
}

async fn take_from_cart(State(shop): Place, session: Session, Form(item): Form<Item>) -> Answer {
    let take = move |cart: &mut Vec<String>| {
        let place = cart.iter().position(|of| *of == item.item);
        place.map(|place| cart.remove(place));
    };
    change_cart(&session, take).await?;
    Ok(see_other(shop.home, "taken out\n"))
}

// === for programs ===

async fn visit(State(shop): Place, session: Session) -> Result<Json<Value>, SessionError> {
    let user = session.user().await?.ok_or(SessionError::NotBound)?;
    let visits = count_visit(&session).await?;
    Ok(Json(
        json!({ "node": shop.node, "user": user.as_str(), "visits": visits }),
    ))
}

async fn who_am_i(State(shop): Place, session: Session) -> Result<Json<Value>, SessionError> {
    let user = session.user().await?;
    Ok(Json(json!({
        "node": shop.node,
        "pid": process::id(),
        "user": user.as_ref().map(|user| user.as_str()),
        "visits": session.get::<u64>("visits").await?.unwrap_or(0),
        "cart": cart(&session).await?,
    })))
}

// === parts ===

/// Commits at once, so that the number shown is the one that was written.
async fn count_visit(session: &Session) -> Result<u64, SessionError> {
    let count = |visits: Option<u64>| visits.unwrap_or(0) + 1;
    session.update_now("visits", count).await
}

async fn cart(session: &Session) -> Result<Vec<String>, SessionError> {
    Ok(session.get("cart").await?.unwrap_or_default())
}

/// The change may be made again on a newer cart, and so is one of the cart it is given.
async fn change_cart(
    session: &Session,
    change: impl Fn(&mut Vec<String>) + Send + Sync + 'static,
) -> Result<(), SessionError> {
    session.user().await?.ok_or(SessionError::NotBound)?;
    let update = move |cart: Option<Vec<String>>| {
        let mut cart = cart.unwrap_or_default();
        change(&mut cart);
        cart
    };
    session.update("cart", update).await.map(drop)
}

fn see_other(path: &str, text: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path)], text).into_response()
}
