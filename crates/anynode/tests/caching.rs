//! What caches and stores see: K-07, `Vary`, `Cache-Control`, and payloads sealed at rest.

mod client;
mod site;
mod spy;

use std::collections::HashMap;

use anynode::{Session, SessionError, core::store::Item};
use axum::{Router, body::Body, extract::Path, routing::get};
use client::{Answer, Client, send};
use http::{HeaderMap, Method, Request, header};
use site::World;

/// A shared cache by RFC 9111, as eager as it may be: it keeps every 200 to a GET that does
/// not forbid it, and serves it to whoever asks with the same headers that `Vary` names.
#[derive(Default)]
struct SharedCache {
    kept: HashMap<String, Vec<Kept>>,
    hits: usize,
}

/// The headers that `Vary` named with their values, and the answer.
type Kept = (Vec<(String, String)>, String, HeaderMap);

impl SharedCache {
    async fn get(&mut self, node: &Router, request: Request<Body>) -> Answer {
        let path = request.uri().path().to_owned();
        let asked = request.headers().clone();
        let kept = self.kept.entry(path).or_default();
        let fits = |key: &[(String, String)]| key.iter().all(|(n, v)| value(&asked, n) == *v);
        if let Some((_, text, headers)) = kept.iter().find(|(key, ..)| fits(key)) {
            self.hits += 1;
            return Answer {
                status: http::StatusCode::OK,
                headers: headers.clone(),
                text: text.clone(),
            };
        }
        let answer = send(node, request).await;
        let says = value(&answer.headers, "cache-control").to_lowercase();
        let vary = value(&answer.headers, "vary").to_lowercase();
        let forbidden = ["no-store", "private"]
            .iter()
            .any(|word| says.contains(word));
        if !forbidden && vary != "*" {
            let names = vary
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty());
            let key = names.map(|name| (name.to_owned(), value(&asked, name)));
            kept.push((key.collect(), answer.text.clone(), answer.headers.clone()));
        }
        answer
    }
}

fn value(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter();
    let values = values.map(|value| value.to_str().expect("ASCII"));
    values.collect::<Vec<_>>().join(", ")
}

/// A page that says what a careless handler says of caching.
async fn page(
    session: Session,
    Path(says): Path<String>,
) -> Result<([(&'static str, String); 1], String), SessionError> {
    let user = session.user().await?;
    let visits = session
        .update("n", |n: Option<u32>| n.unwrap_or(0) + 1)
        .await?;
    let user = user.map_or("nobody".to_owned(), |user| user.as_str().to_owned());
    Ok(([("cache-control", says)], format!("{user} {visits}")))
}

fn node(world: &World) -> Router {
    Router::new()
        .route("/page/{says}", get(page))
        .route("/logo", get(async || "logo"))
        .layer(world.layer())
        .merge(world.node())
}

#[tokio::test]
async fn k_07_a_shared_cache_never_serves_one_user_to_another() {
    let world = World::new();
    let node = node(&world);
    let mut cache = SharedCache::default();
    let mut users = ["ada", "eve"].map(|name| (name, Client::default()));
    for (name, client) in &mut users {
        client.post(&node, "/login", name).await;
    }
    for says in [
        "",
        "public",
        "max-age=600",
        "s-maxage=600, public",
        "must-revalidate",
    ] {
        let path = format!("/page/{}", says.replace(' ', "%20").replace('=', "%3D"));
        let path = if says.is_empty() {
            "/page/none".to_owned()
        } else {
            path
        };
        for _ in 0..50 {
            for (name, client) in &mut users {
                let request = client.request(Method::GET, &path, "");
                let answer = cache.get(&node, request).await;
                client.keep(&answer.headers);
                assert!(answer.text.starts_with(*name), "{name} saw {}", answer.text);
            }
            let request = Client::default().request(Method::GET, &path, "");
            let stranger = cache.get(&node, request).await;
            assert_eq!(stranger.text, "nobody 1", "a new session for each stranger");
        }
    }
    assert_eq!(cache.hits, 0);
    for _ in 0..10 {
        let request = Client::default().request(Method::GET, "/logo", "");
        cache.get(&node, request).await;
    }
    assert_eq!(cache.hits, 9, "what no session touched is cached");
}

#[tokio::test]
async fn k_07_what_depends_on_a_session_says_so_and_nothing_else_does() {
    let world = World::new();
    let node = node(&world);
    let mut client = Client::default();
    client.post(&node, "/login", "ada").await;
    let cases = [
        ("/logo", "", ""),
        ("/user", "no-store", "Cookie"),
        ("/page/public", "no-store", "Cookie"),
        ("/page/private", "private", "Cookie"),
        ("/page/Private", "Private", "Cookie"),
        ("/page/private%3D%22set-cookie%22", "no-store", "Cookie"),
        ("/page/no-store", "no-store", "Cookie"),
    ];
    for (path, cache_control, vary) in cases {
        let answer = client.get(&node, path).await;
        let said = value(&answer.headers, "cache-control");
        assert_eq!(said, cache_control, "{path}");
        assert_eq!(value(&answer.headers, "vary"), vary, "{path}");
    }
}

#[tokio::test]
async fn k_07_a_handlers_own_vary_is_kept_and_not_repeated() {
    for (own, expected) in [
        ("Accept", "Accept, Cookie"),
        ("accept, COOKIE", "accept, COOKIE"),
        ("*", "*"),
    ] {
        let world = World::new();
        let page = async move |session: Session| {
            session.user().await?;
            Ok::<_, SessionError>([(header::VARY, own)])
        };
        let node = Router::new().route("/", get(page)).layer(world.layer());
        let answer = Client::default().get(&node, "/").await;
        assert_eq!(value(&answer.headers, "vary"), expected);
    }
}

/// The payload of the only session in the store.
async fn payload(world: &World) -> Vec<u8> {
    let items = world.spy.items().await;
    let [Item::Record(record, _)] = &items[..] else {
        panic!("one record: {items:?}");
    };
    record.payload.as_bytes().to_vec()
}

#[tokio::test]
async fn data_is_readable_at_rest_unless_it_is_sealed() {
    let world = World::new();
    let node = world.node();
    Client::default().post(&node, "/put/a", "4111-1111").await;
    let payload = payload(&world).await;
    assert!(payload.windows(9).any(|window| window == b"4111-1111"));
}

#[cfg(all(feature = "encryption", feature = "protobuf"))]
#[tokio::test]
async fn sealed_protobuf_makes_the_round_trip_and_opens_in_no_other_session() {
    use anynode::{
        codec::{Codec, Sealer},
        crypt::KeyRing,
    };
    let world = World::new();
    let keys = KeyRing::new([(1, &[42; 32])]).expect("a key ring");
    let sealer = Sealer::new(Codec::Protobuf).with_keys(keys);
    let node = site::site(world.layer().with_sealer(sealer));
    let mut client = Client::default();
    client.post(&node, "/put/a", "4111-1111").await;
    let sealed = payload(&world).await;
    assert!(!sealed.windows(4).any(|window| window == b"4111"));
    client.post(&node, "/login", "ada").await;
    client.post(&node, "/count", "").await;
    assert_eq!(client.get(&node, "/get/a").await.text, "4111-1111");
    assert_ne!(payload(&world).await, sealed);
    // A node without the keys neither reads nor overwrites what it cannot open.
    let keyless = world.node();
    let before = payload(&world).await;
    for path in ["/count", "/put/a", "/login"] {
        let answer = client.clone().post(&keyless, path, "eve").await;
        assert!(answer.status.is_server_error(), "{path}");
        assert_eq!(payload(&world).await, before, "{path}");
    }
    assert_eq!(client.get(&node, "/get/a").await.text, "4111-1111");
}
