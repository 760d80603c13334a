//! The near cache under the session layer: what a route demands, and what a response tells.

use std::sync::Arc;

use anynode::{
    AgeHeader, Freshness, FreshnessLayer, NearCache, Session, SessionError, SessionLayer,
    core::{MemoryStore, Store},
};
use axum::{Router, routing::get};

use crate::{
    client::{Answer, Client, NAME},
    scene::{Node, store},
    site::site,
    wire::Mode,
};

/// A node with the site on it, over a near cache.
struct Site {
    node: Node,
    app: Router,
}

impl Site {
    async fn on(store: &MemoryStore) -> Self {
        let node = Node::on(store, NearCache::options()).await;
        let near: Arc<dyn Store> = node.near.clone();
        let layer = SessionLayer::from_arc(near).with_sweep_every(None);
        let layer = layer.with_age_header(AgeHeader::Sent);
        let strict = FreshnessLayer::new(Freshness::Strict);
        let app = Router::new()
            .route("/strict", get(user).layer(strict))
            .route("/both", get(both))
            .layer(layer.clone())
            .merge(site(layer));
        Self { node, app }
    }

    /// How many round trips an answer took.
    async fn cost(&self, client: &mut Client, path: &str) -> (usize, Answer) {
        let before = self.node.loads();
        let answer = client.get(&self.app, path).await;
        assert!(answer.status.is_success(), "{answer:?}");
        (self.node.loads() - before, answer)
    }
}

async fn user(session: Session) -> Result<String, SessionError> {
    let user = session.user().await?;
    Ok(user.map_or("nobody".to_owned(), |user| user.as_str().to_owned()))
}

/// Uses its session, and then demands more of it.
async fn both(session: Session) -> Result<String, SessionError> {
    session.user().await?;
    let first = session.store_calls();
    session.require(Freshness::Strict);
    session.user().await?;
    session.user().await?;
    Ok(format!("{first} {}", session.store_calls()))
}

fn age(answer: &Answer) -> (u64, &str) {
    let age = answer.headers["anynode-session-age"].to_str().unwrap();
    let (micros, source) = age.split_once("; ").unwrap();
    (micros.parse().unwrap(), source)
}

/// Someone who is logged in and known to the node.
async fn known(site: &Site) -> Client {
    let mut client = Client::default();
    client.post(&site.app, "/login", "ada").await;
    site.node.caught_up().await;
    client.get(&site.app, "/user").await;
    client
}

#[tokio::test]
async fn a_request_that_reads_its_session_costs_no_round_trip() {
    let site = Site::on(&store()).await;
    let mut client = known(&site).await;
    for _ in 0..10 {
        let (cost, answer) = site.cost(&mut client, "/user").await;
        assert_eq!((cost, answer.text.as_str()), (0, "ada"));
        assert_eq!(age(&answer).1, "copy");
        assert!(answer.cookies().is_empty(), "lean");
    }
}

#[tokio::test]
async fn a_strict_route_is_answered_by_the_store() {
    let site = Site::on(&store()).await;
    let mut client = known(&site).await;
    for _ in 0..3 {
        let (cost, answer) = site.cost(&mut client, "/strict").await;
        assert_eq!((cost, age(&answer).1), (1, "store"));
    }
}

#[tokio::test]
async fn a_handler_that_demands_more_has_its_session_read_again_once() {
    let site = Site::on(&store()).await;
    let mut client = known(&site).await;
    let (cost, answer) = site.cost(&mut client, "/both").await;
    assert_eq!((cost, answer.text.as_str()), (1, "0 1"));
}

#[tokio::test]
async fn the_layer_around_all_routes_has_a_say_and_the_innermost_one_counts() {
    let node = Node::on(&store(), NearCache::options()).await;
    let near: Arc<dyn Store> = node.near.clone();
    let app = Router::new()
        .route("/outer", get(user))
        .route(
            "/inner",
            get(user).layer(FreshnessLayer::new(Freshness::Bounded)),
        )
        .layer(SessionLayer::from_arc(near.clone()).with_freshness(Freshness::Bounded))
        .merge(site(SessionLayer::from_arc(near)))
        .layer(FreshnessLayer::new(Freshness::Strict));
    let site = Site { node, app };
    let mut client = known(&site).await;
    assert_eq!(site.cost(&mut client, "/outer").await.0, 1);
    assert_eq!(site.cost(&mut client, "/inner").await.0, 0);
}

/// Round robin: the next request of whoever wrote comes to a node that has an older copy.
#[tokio::test]
async fn a_client_sees_its_own_writes_on_every_node() {
    let store = store();
    let [one, two] = [Site::on(&store).await, Site::on(&store).await];
    let mut client = known(&one).await;
    let (_, answer) = two.cost(&mut client, "/get/cart").await;
    assert_eq!(answer.text, "none");
    two.node.caught_up().await;
    assert_eq!(two.cost(&mut client, "/get/cart").await.0, 0, "a copy");
    // Nothing that happens from now on is told to the second node.
    two.node.wire.turn(Mode::Silent);
    let answer = client.post(&one.app, "/put/cart", "a book").await;
    let companion = companion(&answer);
    let id = client.cookie().unwrap();
    let request = |cookies: String| {
        let request = http::Request::get("/get/cart")
            .header("host", "shop.example")
            .header("cookie", cookies);
        request.body(axum::body::Body::empty()).unwrap()
    };
    let with = request(format!("{NAME}={id}; {companion}"));
    let seen = crate::client::send(&two.app, with).await;
    assert_eq!(seen.text, "a book");
}

/// The name and value of the companion that a response sets.
fn companion(answer: &Answer) -> String {
    let cookies = answer.cookies();
    let companion = cookies
        .iter()
        .find(|line| line.starts_with("__Host-id-seen="));
    let (pair, attributes) = companion.expect("it was written").split_once(';').unwrap();
    for attribute in ["Max-Age=2", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    pair.to_owned()
}

#[tokio::test]
async fn only_a_response_that_wrote_its_session_tells_of_a_version() {
    let site = Site::on(&store()).await;
    let mut client = Client::default();
    let login = client.post(&site.app, "/login", "ada").await;
    companion(&login);
    assert_eq!(login.cookies().len(), 2, "and its own");
    let read = client.get(&site.app, "/user").await;
    assert!(read.cookies().is_empty());
    let written = client.post(&site.app, "/put/cart", "a book").await;
    companion(&written);
    assert_eq!(written.headers["cache-control"], "no-store");
    let logout = client.post(&site.app, "/logout", "").await;
    assert_eq!(logout.cookies().len(), 1, "it is over");
}

#[tokio::test]
async fn without_a_near_cache_there_is_no_companion_and_no_age_unless_asked_for() {
    let app = site(SessionLayer::new(store()).with_sweep_every(None));
    let answer = Client::default().post(&app, "/login", "ada").await;
    assert_eq!(answer.cookies().len(), 1);
    assert!(!answer.headers.contains_key("anynode-session-age"));
}

/// Its login may just have happened on another node, and its copy here is from before.
#[tokio::test]
async fn a_login_on_one_node_is_known_to_another_that_has_an_older_copy() {
    let store = store();
    let [one, two] = [Site::on(&store).await, Site::on(&store).await];
    let mut client = Client::default();
    client.post(&one.app, "/put/cart", "a book").await;
    client.get(&two.app, "/get/cart").await;
    two.node.caught_up().await;
    assert_eq!(two.cost(&mut client, "/get/cart").await.0, 0, "a copy");
    two.node.wire.turn(Mode::Silent);
    client.post(&one.app, "/login", "ada").await;
    let (_, answer) = two.cost(&mut client, "/user").await;
    assert_eq!(answer.text, "ada");
}
