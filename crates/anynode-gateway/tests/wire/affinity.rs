//! A client stays on its backend by a cookie that says nothing, that nobody can forge, and that no application sees.
//!
//! The first tests are those of the Gateway API for session persistence (GEP-1619).

use std::num::NonZeroU16;

use anynode_gateway::{
    Affinity, Backend, BackendId, CookieAffinity, GatewayConfig, KeyRing, Running,
};
use http_body_util::BodyExt;
use hyper::{Request, Response, StatusCode};

use crate::world::{Answer, Body, Client, Node, config, empty, full, start};

const NAME: &str = "__Host-anynode-affinity";

pub(crate) fn keys(seed: u8) -> KeyRing {
    let mut key = [seed; 32];
    key[0] = !seed;
    KeyRing::new([(1, key)]).unwrap()
}

pub(crate) fn by_cookie(nodes: &[&Node]) -> GatewayConfig {
    let mut config = config(nodes);
    config.affinity = Affinity::Cookie(CookieAffinity::new(keys(1)));
    config
}

pub(crate) fn with_cookies(fields: &[&str]) -> Request<Body> {
    let mut request = crate::world::request("GET", "/", empty());
    for field in fields {
        request
            .headers_mut()
            .append("cookie", field.parse().unwrap());
    }
    request
}

/// Asks with these cookies over a connection of its own.
pub(crate) async fn ask(gateway: &Running, cookies: &[&str]) -> Answer {
    let mut client = Client::connect(gateway).await;
    client.ask(with_cookies(cookies)).await
}

/// The cookie that this answer sets, as a browser sends it back.
pub(crate) fn set(answer: &Answer) -> Option<String> {
    let value = answer.headers.get("set-cookie")?.to_str().unwrap();
    let pair = value.split(';').next().unwrap();
    assert!(pair.starts_with(NAME), "{pair}");
    Some(pair.to_owned())
}

/// A new client: its cookie and who answered it.
pub(crate) async fn newcomer(gateway: &Running) -> (String, String) {
    let answer = ask(gateway, &[]).await;
    (set(&answer).expect("a cookie"), text(&answer))
}

pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// Answers with the `Cookie` fields as they came, one a line.
async fn echoing_cookies() -> Node {
    Node::answering(|request: Request<hyper::body::Incoming>| async move {
        let (head, body) = request.into_parts();
        body.collect().await.unwrap();
        let fields = head.headers.get_all("cookie").iter();
        let lines: Vec<_> = fields
            .map(|field| field.to_str().unwrap().to_owned())
            .collect();
        let text: &'static str = lines.join("\n").leak();
        Response::new(full(text))
    })
    .await
}

#[tokio::test]
async fn fifty_requests_of_one_client_reach_one_backend_over_any_connection() {
    let nodes = [
        Node::named("a").await,
        Node::named("b").await,
        Node::named("c").await,
    ];
    let gateway = start(by_cookie(&[&nodes[0], &nodes[1], &nodes[2]]));
    for _ in 0..3 {
        let (cookie, home) = newcomer(&gateway).await;
        for _ in 0..50 {
            let answer = ask(&gateway, &[&cookie]).await;
            assert_eq!(text(&answer), home);
            assert_eq!(set(&answer), None, "sent again though it did not change");
        }
    }
    // Three newcomers took turns.
    let requests = nodes.each_ref().map(Node::requests);
    assert_eq!(requests, [51, 51, 51]);
}

#[tokio::test]
async fn the_cookie_is_one_of_the_session_kept_from_scripts_and_other_sites() {
    let node = Node::named("a").await;
    let gateway = start(by_cookie(&[&node]));
    let answer = ask(&gateway, &[]).await;
    let value = answer.headers["set-cookie"].to_str().unwrap();
    let (pair, attributes) = value.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure");
    assert!(pair.len() <= 96, "{} bytes", pair.len());
    assert_eq!(answer.headers["cache-control"], "private");
}

#[tokio::test]
async fn weights_are_for_new_clients_and_ignored_by_those_who_have_a_backend() {
    let nodes = [Node::named("a").await, Node::named("b").await];
    let mut config = by_cookie(&[&nodes[0], &nodes[1]]);
    config.backends[0].weight = NonZeroU16::new(70).unwrap();
    config.backends[1].weight = NonZeroU16::new(30).unwrap();
    let gateway = start(config);
    let mut cookies = Vec::new();
    for _ in 0..100 {
        cookies.push(newcomer(&gateway).await);
    }
    let on_a = cookies.iter().filter(|(_, home)| home == "a").count();
    assert_eq!(on_a, 70);
    for (cookie, home) in &cookies {
        assert_eq!(text(&ask(&gateway, &[cookie]).await), *home);
    }
    // Nobody new, which is what a weight of 0 is elsewhere.
    gateway.backends().drain(BackendId::of("1"));
    for (cookie, home) in &cookies {
        let answer = ask(&gateway, &[cookie]).await;
        assert_eq!((text(&answer), set(&answer)), (home.clone(), None));
        assert_eq!(newcomer(&gateway).await.1, "b");
    }
}

#[tokio::test]
async fn of_two_cookies_of_our_name_the_valid_one_counts_wherever_it_stands() {
    let nodes = [Node::named("a").await, Node::named("b").await];
    let gateway = start(by_cookie(&[&nodes[0], &nodes[1]]));
    let (cookie, home) = newcomer(&gateway).await;
    let stale = format!("{NAME}=stale");
    for fields in [
        vec![format!("{stale}; {cookie}")],
        vec![format!("{cookie}; {stale}")],
        vec![stale.clone(), cookie.clone()],
        vec!["sid=1".to_owned(), cookie.clone()],
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        let answer = ask(&gateway, &fields).await;
        assert_eq!(
            (text(&answer), answer.status),
            (home.clone(), StatusCode::OK)
        );
        assert_eq!(set(&answer), None);
    }
}

#[tokio::test]
async fn the_application_sees_every_cookie_but_ours_byte_for_byte() {
    let node = echoing_cookies().await;
    let gateway = start(by_cookie(&[&node]));
    let (cookie, _) = newcomer(&gateway).await;
    for (sent, seen) in [
        (vec![cookie.clone()], ""),
        (vec![format!("{NAME}=forged")], ""),
        (vec![format!("a=1; {cookie}; b=\"2\"")], "a=1; b=\"2\""),
        (vec![format!("{cookie};a = 1 ;b")], "a = 1 ;b"),
        (vec![cookie.clone(), "a=1".to_owned()], "a=1"),
        (vec!["a=1;  b=2".to_owned()], "a=1;  b=2"),
    ] {
        let sent: Vec<_> = sent.iter().map(String::as_str).collect();
        assert_eq!(text(&ask(&gateway, &sent).await), seen, "{sent:?}");
    }
}

#[tokio::test]
async fn an_application_keeps_its_own_cookies_and_its_say_about_caches() {
    let node = Node::answering(|_| async {
        let mut response = Response::new(full("x"));
        let headers = response.headers_mut();
        headers.append("set-cookie", "sid=1".parse().unwrap());
        headers.append("set-cookie", "lang=en".parse().unwrap());
        headers.append("cache-control", "public, max-age=60".parse().unwrap());
        response
    })
    .await;
    let gateway = start(by_cookie(&[&node]));
    let first = ask(&gateway, &[]).await;
    let cookies: Vec<_> = first.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies.len(), 3);
    assert_eq!(
        (cookies[0].as_bytes(), cookies[1].as_bytes()),
        (&b"sid=1"[..], &b"lang=en"[..])
    );
    assert_eq!(first.headers["cache-control"], "max-age=60, private");
    let ours = cookies[2].to_str().unwrap().split(';').next().unwrap();
    let second = ask(&gateway, &[ours]).await;
    assert_eq!(second.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(second.headers["cache-control"], "public, max-age=60");
}

#[tokio::test]
async fn a_forged_or_foreign_cookie_is_worth_nothing_and_harms_nobody() {
    let nodes = [Node::named("a").await, Node::named("b").await];
    let gateway = start(by_cookie(&[&nodes[0], &nodes[1]]));
    let (cookie, _) = newcomer(&gateway).await;
    let mut foreign = config(&[&nodes[0], &nodes[1]]);
    foreign.affinity = Affinity::Cookie(CookieAffinity::new(keys(2)));
    let foreign = start(foreign);
    let (foreign, _) = newcomer(&foreign).await;
    let mut tampered = cookie.clone();
    let place = tampered.len() - 30;
    let other = if &tampered[place..=place] == "A" {
        "B"
    } else {
        "A"
    };
    tampered.replace_range(place..=place, other);
    let long = format!("{NAME}={}", "A".repeat(4_000));
    let guessed = format!("{NAME}={}", nodes[0].address);
    for field in [&tampered, &foreign, &long, &guessed, &format!("{NAME}=")] {
        let mut answered = Vec::new();
        for _ in 0..4 {
            let answer = ask(&gateway, &[field]).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(set(&answer).is_some(), "{field}");
            answered.push(text(&answer));
        }
        // Balanced like a newcomer's.
        assert!(
            ["a", "b"]
                .iter()
                .all(|name| answered.iter().any(|by| by == name)),
            "{answered:?}"
        );
    }
}

#[tokio::test]
async fn no_response_says_where_a_backend_is() {
    let node = Node::named("a").await;
    let gateway = start(by_cookie(&[&node]));
    let port = node.address.port().to_string();
    let answer = ask(&gateway, &[]).await;
    let everything = format!("{:?}", answer.headers);
    for secret in ["127.0.0.1", port.as_str()] {
        assert!(!everything.contains(secret), "{everything}");
    }
    // Nor in the bytes behind the base64: equal addresses under other names look different.
    let mut other = by_cookie(&[&node]);
    other.backends[0] = Backend::new("another", node.address);
    let other = start(other);
    let value = |cookie: &str| cookie.split_once('=').unwrap().1[3..13].to_owned();
    let theirs = newcomer(&other).await.0;
    assert_ne!(value(&set(&answer).unwrap()), value(&theirs));
}
