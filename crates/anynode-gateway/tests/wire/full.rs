//! A backend that has enough gets no more, and who waits for it is served in turn.

use std::num::NonZeroU32;
use std::time::Duration;

use anynode_gateway::{
    Affinity, BackendId, BackendState, CookieAffinity, GatewayConfig, SourceAffinity, WhenGone,
};
use hyper::StatusCode;
use tokio::task::JoinHandle;

use crate::affinity::{by_cookie, keys, set, text, with_cookies};
use crate::slow::{Slow, Watched};
use crate::world::{Answer, Client, Node, config, until, within};

const SHORT: Duration = Duration::from_millis(50);

/// Every backend takes `most` requests at a time, and who waits does so for longer than any test.
pub(crate) fn bounded(mut config: GatewayConfig, most: u32) -> GatewayConfig {
    for backend in &mut config.backends {
        backend.in_flight_max = NonZeroU32::new(most);
    }
    config.limits.queue_timeout = Duration::from_secs(600);
    config
}

/// The same, but nobody waits for long.
pub(crate) fn impatient(config: GatewayConfig, most: u32) -> GatewayConfig {
    let mut config = bounded(config, most);
    config.limits.queue_timeout = SHORT;
    config
}

/// Asks for a path over a connection of its own, which is closed when this is aborted.
pub(crate) async fn asking(watched: &Watched, path: String) -> JoinHandle<Answer> {
    let mut client = Client::connect(&watched.gateway).await;
    tokio::spawn(async move { client.get(&path).await })
}

/// Asks with a cookie over a connection of its own.
pub(crate) async fn asking_as(watched: &Watched, cookie: &str) -> JoinHandle<Answer> {
    let mut client = Client::connect(&watched.gateway).await;
    let request = with_cookies(&[cookie]);
    tokio::spawn(async move { client.ask(request).await })
}

/// A new client of the slow backend, which is the first to be chosen: its cookie.
pub(crate) async fn client_of(slow: &Slow, watched: &Watched) -> String {
    let first = asking(watched, "/".to_owned()).await;
    slow.answer(1);
    let answer = within(first).await.unwrap();
    assert_eq!(text(&answer), "slow");
    is_free(watched).await;
    set(&answer).expect("a cookie")
}

/// Waits until nothing is in flight at the first backend.
///
/// A place is given back when the answer's end has passed, which its client may see earlier.
async fn is_free(watched: &Watched) {
    until(|| watched.gateway.backends().in_flight(BackendId::of("1")) == 0).await;
}

/// The slow backend and a quick one, of which every new client gets the slow one first.
async fn pair() -> (Slow, Node) {
    (Slow::named("slow").await, Node::named("quick").await)
}

#[tokio::test]
async fn never_more_requests_are_in_flight_at_a_backend_than_its_bound() {
    let slow = Slow::named("slow").await;
    let watched = Watched::start(bounded(config(&[&slow.node]), 3));
    let mut answers = Vec::new();
    for number in 0..30 {
        answers.push(asking(&watched, format!("/{number}")).await);
    }
    slow.keeps(3).await;
    watched.waits(27).await;
    let states = watched.gateway.backends().states();
    assert_eq!(states[0].1, BackendState::Full);
    slow.answer(30);
    for answer in answers {
        assert_eq!(within(answer).await.unwrap().status, StatusCode::OK);
    }
    assert_eq!((slow.most(), slow.paths().len()), (3, 30));
    assert_eq!(watched.counted("waited_total"), 27);
    watched.waits(0).await;
}

#[tokio::test]
async fn a_full_backend_is_passed_over_by_new_clients() {
    let (slow, quick) = pair().await;
    let mut config = bounded(config(&[&slow.node, &quick]), 1);
    config.backends[1].in_flight_max = None;
    let watched = Watched::start(config);
    let first = asking(&watched, "/".to_owned()).await;
    slow.keeps(1).await;
    for _ in 0..10 {
        let answer = asking(&watched, "/".to_owned()).await;
        assert_eq!(text(&within(answer).await.unwrap()), "quick");
    }
    slow.answer(1);
    assert_eq!(text(&within(first).await.unwrap()), "slow");
    assert_eq!(watched.counted("waited_total"), 0);
}

#[tokio::test]
async fn a_client_waits_for_its_own_backend_though_another_has_room() {
    let (slow, quick) = pair().await;
    let watched = Watched::start(bounded(by_cookie(&[&slow.node, &quick]), 1));
    let cookie = client_of(&slow, &watched).await;
    let first = asking_as(&watched, &cookie).await;
    slow.keeps(1).await;
    let second = asking_as(&watched, &cookie).await;
    watched.waits(1).await;
    slow.answer(2);
    for answer in [first, second] {
        let answer = within(answer).await.unwrap();
        assert_eq!((text(&answer), set(&answer)), ("slow".to_owned(), None));
    }
    assert_eq!((quick.requests(), slow.most()), (0, 1));
    assert_eq!(watched.counted("affinity_total{outcome=\"kept\"}"), 2);
}

#[tokio::test]
async fn a_client_whose_backend_stays_full_is_served_by_another_once_and_keeps_its_cookie() {
    let (slow, quick) = pair().await;
    let watched = Watched::start(impatient(by_cookie(&[&slow.node, &quick]), 1));
    let cookie = client_of(&slow, &watched).await;
    let first = asking_as(&watched, &cookie).await;
    slow.keeps(1).await;
    let spilled = within(asking_as(&watched, &cookie).await).await.unwrap();
    assert_eq!((text(&spilled), set(&spilled)), ("quick".to_owned(), None));
    assert_eq!(watched.counted("affinity_total{outcome=\"spilled\"}"), 1);
    slow.answer(2);
    within(first).await.unwrap();
    is_free(&watched).await;
    let home = within(asking_as(&watched, &cookie).await).await.unwrap();
    assert_eq!((text(&home), set(&home)), ("slow".to_owned(), None));
    assert_eq!(watched.counted("affinity_total{outcome=\"kept\"}"), 2);
}

#[tokio::test]
async fn on_a_strict_route_a_client_whose_backend_stays_full_is_told_to_come_again() {
    let (slow, quick) = pair().await;
    let mut config = impatient(by_cookie(&[&slow.node, &quick]), 1);
    let mut rules = CookieAffinity::new(keys(1));
    rules.when_gone = WhenGone::Refuse;
    config.affinity = Affinity::Cookie(rules);
    let watched = Watched::start(config);
    let cookie = client_of(&slow, &watched).await;
    let first = asking_as(&watched, &cookie).await;
    slow.keeps(1).await;
    let refused = within(asking_as(&watched, &cookie).await).await.unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!((set(&refused), quick.requests()), (None, 0));
    assert_eq!(watched.counted("affinity_total{outcome=\"full\"}"), 1);
    assert_eq!(watched.counted("full_total"), 1);
    slow.answer(1);
    assert_eq!(text(&within(first).await.unwrap()), "slow");
}

#[tokio::test]
async fn a_client_of_an_address_waits_for_its_backend_and_then_spills() {
    let nodes = [Slow::named("1").await, Slow::named("2").await];
    let mut config = impatient(config(&[&nodes[0].node, &nodes[1].node]), 1);
    config.affinity = Affinity::Source(SourceAffinity::default());
    let watched = Watched::start(config);
    let first = asking(&watched, "/".to_owned()).await;
    until(|| nodes.iter().any(|node| node.most() == 1)).await;
    let second = asking(&watched, "/".to_owned()).await;
    for node in &nodes {
        node.keeps(1).await;
    }
    assert_eq!(watched.counted("waited_total"), 1);
    for node in &nodes {
        node.answer(1);
    }
    let (first, second) = (within(first).await.unwrap(), within(second).await.unwrap());
    assert_ne!(text(&first), text(&second));
}

#[tokio::test]
async fn where_all_stay_full_a_request_is_told_to_come_again() {
    let slow = Slow::named("slow").await;
    let watched = Watched::start(impatient(by_cookie(&[&slow.node]), 1));
    let cookie = client_of(&slow, &watched).await;
    let first = asking_as(&watched, &cookie).await;
    slow.keeps(1).await;
    for answer in [
        asking(&watched, "/".to_owned()).await,
        asking_as(&watched, &cookie).await,
    ] {
        let answer = within(answer).await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(set(&answer), None);
    }
    assert_eq!(watched.counted("full_total"), 2);
    assert_eq!(watched.counted("affinity_total{outcome=\"full\"}"), 1);
    slow.answer(1);
    assert_eq!(within(first).await.unwrap().status, StatusCode::OK);
}
