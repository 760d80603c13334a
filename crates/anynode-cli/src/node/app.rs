//! What a node serves: the sample application, in a demonstration a second one on its memory, and its figures.

use std::sync::Arc;

use anynode::core::{ChannelKind, Store};
use anynode::{AgeHeader, CookieConfig, SessionLayer};
use axum::Router;
use axum::extract::State;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::map_response_with_state;
use axum::response::{Redirect, Response};
use axum::routing::get;

use crate::args::{self, Strategy};
use crate::demo::{self, Around, Siblings, Tab};
use crate::sample::{self, Shop};
use crate::stop::Stopping;
use crate::store::channel_kind;

/// Names the node in every response.
const NODE: HeaderName = HeaderName::from_static("x-anynode-node");

/// The session cookie of the shop on the node's memory, so that it is another visitor there.
const MEMORY_COOKIE: &str = "memory-id";

/// The sessions of the shop that all nodes serve.
pub(super) fn sessions(node: &args::Node, store: Arc<dyn Store>) -> SessionLayer {
    sample::sessions(store, cookie(), age_header(node))
}

/// Everything that this node answers. Without siblings it is no demonstration.
pub(super) fn app(
    node: &args::Node,
    sessions: SessionLayer,
    siblings: Option<Siblings>,
    stopping: &Stopping,
    metrics: Router,
) -> Router {
    let shops = match siblings {
        Some(siblings) => two_shops(node, sessions, &siblings, stopping),
        None => shop(node, sessions, stopping),
    };
    let name = HeaderValue::from_str(&node.name).ok();
    Router::new()
        .merge(assets())
        .merge(metrics)
        .merge(shops)
        .layer(map_response_with_state(name, finish))
}

fn shop(node: &args::Node, sessions: SessionLayer, stopping: &Stopping) -> Router {
    let shop = Shop {
        node: node.name.clone(),
        base: Tab::Central.base(),
        home: Tab::Central.home(),
        strategy: node.strategy,
        copies: copies(node),
        stopping: stopping.clone(),
        around: Box::new(Around::default),
    };
    sample::shop(shop, sessions, Router::new())
}

/// The shop on the store that all nodes share, and beside it the same shop as it was before.
fn two_shops(
    node: &args::Node,
    sessions: SessionLayer,
    siblings: &Siblings,
    stopping: &Stopping,
) -> Router {
    let central = node.strategy;
    let shop = |tab: Tab, strategy| {
        let siblings = siblings.clone();
        Shop {
            node: node.name.clone(),
            base: tab.base(),
            home: tab.home(),
            strategy,
            copies: copies(node),
            stopping: stopping.clone(),
            around: Box::new(move || demo::around(tab, central, &siblings)),
        }
    };
    let more = |tab| demo::routes(tab, siblings.clone());
    let central = shop(Tab::Central, node.strategy);
    let memory = shop(Tab::Memory, Strategy::Memory);
    let memory_cookie = cookie().with_name(MEMORY_COOKIE).expect("it is a token");
    let in_memory = sample::sessions(super::memory(), memory_cookie, age_header(node));
    let memory = sample::shop(memory, in_memory, more(Tab::Memory));
    sample::shop(central, sessions, more(Tab::Central))
        .nest(Tab::Memory.base(), memory)
        .route("/memory/", get(Redirect::permanent(Tab::Memory.base())))
}

/// Nodes serve plain HTTP on loopback alone, where no browser takes a `Secure` cookie from curl.
fn cookie() -> CookieConfig {
    CookieConfig::insecure_loopback()
}

/// How copies are kept from being used too late, if there are any.
fn copies(node: &args::Node) -> ChannelKind {
    let url = node.store.as_deref().unwrap_or_default();
    channel_kind(url)
}

/// Whether answers tell how old the knowledge is that they are made from.
fn age_header(node: &args::Node) -> AgeHeader {
    match node.tell_age || node.demo {
        true => AgeHeader::Sent,
        false => AgeHeader::Omitted,
    }
}

/// What pages are made of besides HTML, and a sign of life.
fn assets() -> Router {
    let file =
        |kind: &'static str, text: &'static str| get(async move || ([(CONTENT_TYPE, kind)], text));
    let style = include_str!("../sample/style.css");
    let script = include_str!("../sample/live.js");
    let icon = include_str!("../sample/icon.svg");
    Router::new()
        .route("/healthz", get("ok\n"))
        .route("/style.css", file("text/css; charset=utf-8", style))
        .route("/live.js", file("text/javascript; charset=utf-8", script))
        .route("/icon.svg", file("image/svg+xml", icon))
}

/// Names the node, and lets a page load nothing but what is this site's own and send forms nowhere else.
async fn finish(State(node): State<Option<HeaderValue>>, mut response: Response) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    let headers = response.headers_mut();
    if let Some(node) = node {
        headers.insert(NODE, node);
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
