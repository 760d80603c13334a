//! What becomes of a client when it or its backend moves, drains, dies, or comes back as another.

use std::num::NonZeroU16;

use anynode_gateway::{
    Affinity, Backend, CookieAffinity, Duty, GatewayConfig, Incarnation, WhenGone,
};
use hyper::StatusCode;

use crate::affinity::{ask, by_cookie, keys, newcomer, set, text, with_cookies};
use crate::world::{Client, Node, config, start, within};

/// On which a client waits for its backend.
fn strict(nodes: &[&Node]) -> GatewayConfig {
    let mut config = config(nodes);
    let mut rules = CookieAffinity::new(keys(1));
    rules.when_gone = WhenGone::Refuse;
    config.affinity = Affinity::Cookie(rules);
    config
}

#[tokio::test]
async fn a_client_that_changes_its_address_keeps_its_backend() {
    let nodes = [Node::named("a").await, Node::named("b").await];
    let mut config = by_cookie(&[&nodes[0], &nodes[1]]);
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let gateway = start(config);
    let (cookie, home) = newcomer(&gateway).await;
    let mut client = Client::connect(&gateway).await;
    for number in 1..=50 {
        let mut request = with_cookies(&[&cookie]);
        let address = format!("192.0.2.{number}");
        request
            .headers_mut()
            .insert("x-forwarded-for", address.parse().unwrap());
        assert_eq!(text(&client.ask(request).await), home);
    }
}

#[tokio::test]
async fn a_client_of_a_dead_backend_is_served_by_another_and_stays_there() {
    let mut nodes = [Node::named("a").await, Node::named("b").await];
    let gateway = start(by_cookie(&[&nodes[0], &nodes[1]]));
    let (cookie, home) = newcomer(&gateway).await;
    assert_eq!(home, "a");
    nodes[0].kill().await;
    let moved = ask(&gateway, &[&cookie]).await;
    assert_eq!((text(&moved).as_str(), moved.status), ("b", StatusCode::OK));
    let moved = set(&moved).expect("a cookie of the new backend");
    assert_ne!(moved, cookie);
    // The old one comes back, and its former client does not.
    let _back = Node::named_at(nodes[0].address, "back").await;
    for _ in 0..20 {
        let answer = ask(&gateway, &[&moved]).await;
        assert_eq!((text(&answer).as_str(), set(&answer)), ("b", None));
    }
}

#[tokio::test]
async fn a_restarted_node_on_its_old_address_gets_nobody_by_an_old_cookie() {
    let mut nodes = [Node::named("a").await, Node::named("b").await];
    let mut config = by_cookie(&[&nodes[0], &nodes[1]]);
    let life = |life| Incarnation::named("1", life);
    config.backends[0].incarnation = life("first");
    let gateway = start(config);
    let (cookie, home) = newcomer(&gateway).await;
    assert_eq!(home, "a");
    nodes[0].kill().await;
    let _restarted = Node::named_at(nodes[0].address, "a again").await;
    let restarted = Backend {
        incarnation: life("second"),
        ..Backend::new("1", nodes[0].address)
    };
    gateway.backends().insert(restarted).unwrap();
    let mut answered = Vec::new();
    for _ in 0..4 {
        let answer = ask(&gateway, &[&cookie]).await;
        assert!(set(&answer).is_some_and(|new| new != cookie));
        answered.push(text(&answer));
    }
    // It is balanced: nothing says that the new process knows the client.
    assert!(answered.contains(&"b".to_owned()), "{answered:?}");
}

#[tokio::test]
async fn on_a_strict_route_a_client_waits_for_its_backend_and_keeps_its_cookie() {
    let mut nodes = [Node::named("a").await, Node::named("b").await];
    let gateway = start(strict(&[&nodes[0], &nodes[1]]));
    let (cookie, home) = newcomer(&gateway).await;
    assert_eq!(home, "a");
    nodes[0].kill().await;
    for _ in 0..5 {
        let answer = ask(&gateway, &[&cookie]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(set(&answer), None);
    }
    // Others do not wait.
    assert_eq!(newcomer(&gateway).await.1, "b");
    let _back = Node::named_at(nodes[0].address, "back").await;
    let back = within(async {
        loop {
            let answer = ask(&gateway, &[&cookie]).await;
            if answer.status == StatusCode::OK {
                return text(&answer);
            }
        }
    });
    assert_eq!(back.await, "back");
}

#[tokio::test]
async fn a_set_of_backends_that_is_read_again_ends_nobodys_affinity() {
    let nodes = [Node::named("a").await, Node::named("b").await];
    let gateway = start(by_cookie(&[&nodes[0], &nodes[1]]));
    let (cookie, home) = newcomer(&gateway).await;
    let mut again = vec![nodes[1].backend(2), nodes[0].backend(1)];
    again[1].weight = NonZeroU16::new(9).unwrap();
    again[1].duty = Duty::Draining;
    gateway.backends().replace_all(again).unwrap();
    assert_eq!(text(&ask(&gateway, &[&cookie]).await), home);
    gateway
        .backends()
        .replace_all(vec![nodes[1].backend(2)])
        .unwrap();
    let moved = ask(&gateway, &[&cookie]).await;
    assert_eq!(text(&moved), "b");
    assert!(set(&moved).is_some());
}
