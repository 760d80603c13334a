//! Who waits for a backend that has enough: in turn, not too many, and no longer than there is a reason to.

use std::num::NonZeroU32;

use anynode_gateway::{Backend, BackendId};
use hyper::StatusCode;
use tokio::task::JoinHandle;

use crate::affinity::{by_cookie, set, text};
use crate::full::{asking, asking_as, bounded, client_of};
use crate::slow::{Slow, Watched};
use crate::streams::{echo, handshake};
use crate::world::{Answer, Client, Node, config, until, within};

/// A gateway with one backend, which keeps the one request that it takes, and these that wait, in this order;
/// no more than these may wait.
async fn queue_of(paths: &[&str]) -> (Slow, Watched, JoinHandle<Answer>, Vec<JoinHandle<Answer>>) {
    let slow = Slow::named("slow").await;
    let mut config = bounded(config(&[&slow.node]), 1);
    config.limits.queue_max = paths.len();
    let watched = Watched::start(config);
    let first = asking(&watched, "/first".to_owned()).await;
    slow.keeps(1).await;
    let mut waiting = Vec::new();
    for path in paths {
        waiting.push(asking(&watched, (*path).to_owned()).await);
        watched.waits(waiting.len()).await;
    }
    (slow, watched, first, waiting)
}

#[tokio::test]
async fn who_waits_is_served_in_the_order_of_coming() {
    let paths = ["/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8"];
    let (slow, _watched, first, waiting) = queue_of(&paths).await;
    slow.answer(1 + paths.len());
    for answer in waiting.into_iter().chain([first]) {
        assert_eq!(within(answer).await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(slow.paths()[0], "/first");
    assert_eq!(slow.paths()[1..], paths);
    assert_eq!(slow.most(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_is_not_served_and_holds_nobody_up() {
    let (slow, watched, first, mut waiting) = queue_of(&["/gone", "/stays"]).await;
    let gone = waiting.remove(0);
    gone.abort();
    watched.waits(1).await;
    waiting.push(asking(&watched, "/instead".to_owned()).await);
    watched.waits(2).await;
    slow.answer(3);
    for answer in waiting.into_iter().chain([first]) {
        assert_eq!(within(answer).await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(slow.paths(), ["/first", "/stays", "/instead"]);
}

#[tokio::test]
async fn a_client_that_leaves_its_backend_gives_its_place_to_the_next() {
    let (slow, watched, first, mut waiting) = queue_of(&["/next"]).await;
    first.abort();
    watched.waits(0).await;
    until(|| slow.paths().len() == 2).await;
    slow.answer(1);
    let next = within(waiting.remove(0)).await.unwrap();
    assert_eq!(next.status, StatusCode::OK);
}

#[tokio::test]
async fn where_too_many_wait_a_client_is_served_by_another_at_once() {
    let (slow, quick) = (Slow::named("slow").await, Node::named("quick").await);
    let mut config = bounded(by_cookie(&[&slow.node, &quick]), 1);
    config.backends[1].in_flight_max = None;
    config.limits.queue_max = 1;
    let watched = Watched::start(config);
    let cookie = client_of(&slow, &watched).await;
    let first = asking_as(&watched, &cookie).await;
    slow.keeps(1).await;
    let second = asking_as(&watched, &cookie).await;
    watched.waits(1).await;
    // Nobody waits out a queue of ten minutes here.
    let third = within(asking_as(&watched, &cookie).await).await.unwrap();
    assert_eq!((text(&third), set(&third)), ("quick".to_owned(), None));
    slow.answer(2);
    for answer in [first, second] {
        assert_eq!(text(&within(answer).await.unwrap()), "slow");
    }
}

#[tokio::test]
async fn where_too_many_wait_and_no_other_has_room_a_request_is_refused_at_once() {
    let slow = Slow::named("slow").await;
    let mut config = bounded(config(&[&slow.node]), 1);
    config.limits.queue_max = 2;
    let watched = Watched::start(config);
    let mut served = vec![asking(&watched, "/".to_owned()).await];
    slow.keeps(1).await;
    for waiting in 1..=2 {
        served.push(asking(&watched, "/".to_owned()).await);
        watched.waits(waiting).await;
    }
    let refused = within(asking(&watched, "/".to_owned()).await)
        .await
        .unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "1");
    slow.answer(3);
    for answer in served {
        assert_eq!(within(answer).await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_websocket_has_its_place_for_as_long_as_it_is_open() {
    let node = echo("websocket").await;
    let watched = Watched::start(bounded(config(&[&node]), 1));
    let mut client = Client::connect(&watched.gateway).await;
    let mut response = client.send(handshake("websocket")).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let upgraded = within(hyper::upgrade::on(&mut response)).await.unwrap();
    let waiting = asking(&watched, "/".to_owned()).await;
    watched.waits(1).await;
    drop(upgraded);
    assert_eq!(within(waiting).await.unwrap().body, "no handshake");
}

#[tokio::test]
async fn who_waits_gets_what_is_added_meanwhile_and_what_has_room_now() {
    let (slow, watched, first, mut waiting) = queue_of(&["/1", "/2"]).await;
    let quick = Node::named("quick").await;
    let added = Backend {
        in_flight_max: NonZeroU32::new(1),
        ..quick.backend(2)
    };
    watched.gateway.backends().insert(added).unwrap();
    watched.waits(0).await;
    for answer in waiting.drain(..) {
        assert_eq!(text(&within(answer).await.unwrap()), "quick");
    }
    watched.gateway.backends().remove(BackendId::of("2"));

    let waiting = asking(&watched, "/3".to_owned()).await;
    watched.waits(1).await;
    // The same backend, as a file that was edited says it.
    let unbounded = vec![slow.node.backend(1)];
    watched.gateway.backends().replace_all(unbounded).unwrap();
    slow.keeps(2).await;
    slow.answer(2);
    for answer in [first, waiting] {
        assert_eq!(text(&within(answer).await.unwrap()), "slow");
    }
}

#[tokio::test]
async fn a_client_whose_backend_goes_while_it_waits_moves_to_another() {
    let (slow, quick) = (Slow::named("slow").await, Node::named("quick").await);
    let watched = Watched::start(bounded(by_cookie(&[&slow.node, &quick]), 1));
    let cookie = client_of(&slow, &watched).await;
    let first = asking_as(&watched, &cookie).await;
    slow.keeps(1).await;
    let second = asking_as(&watched, &cookie).await;
    watched.waits(1).await;
    watched.gateway.backends().remove(BackendId::of("1"));
    let moved = within(second).await.unwrap();
    assert_eq!(text(&moved), "quick");
    assert!(set(&moved).is_some(), "it stays there from now on");
    let series = "affinity_total{outcome=\"unknown_node\"}";
    assert_eq!(watched.counted(series), 1);
    slow.answer(1);
    assert_eq!(text(&within(first).await.unwrap()), "slow");
}
