//! Who is chosen besides by turns: by load, by the client's address, and by health.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anynode_gateway::{
    Affinity, BackendId, BackendState, Balance, Ejection, HealthCheck, Probe, Running,
    SourceAffinity,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::world::{
    Body, Client, Node, config, empty, full, gateway, request, start, status, until,
};

/// Answers once a permit is added to the semaphore for it.
async fn slow(permits: &Arc<Semaphore>) -> Node {
    let permits = Arc::clone(permits);
    Node::answering(move |request: Request<Incoming>| {
        let permits = Arc::clone(&permits);
        async move {
            request.into_body().collect().await.unwrap();
            permits.acquire().await.unwrap().forget();
            Response::new(full("slow"))
        }
    })
    .await
}

fn state(gateway: &Running, name: &str) -> BackendState {
    let states = gateway.backends().states();
    let found = states.iter().find(|(id, _)| *id == BackendId::of(name));
    found.unwrap().1
}

// === load ===

#[tokio::test]
async fn while_a_backend_is_busy_the_others_get_what_comes() {
    let permits = Arc::new(Semaphore::new(0));
    let (slow, quick) = (slow(&permits).await, Node::named("quick").await);
    let mut config = config(&[&slow, &quick]);
    config.balance = Balance::LeastConnections;
    let gateway = start(config);
    let mut waiting = Client::connect(&gateway).await;
    let waiting = tokio::spawn(async move { waiting.get("/").await });
    until(|| slow.requests() == 1).await;
    let mut client = Client::connect(&gateway).await;
    for _ in 0..20 {
        assert_eq!(client.get("/").await.body, "quick");
    }
    permits.add_permits(1);
    assert_eq!(waiting.await.unwrap().body, "slow");
    until(|| gateway.backends().in_flight(BackendId::of("1")) == 0).await;
}

#[tokio::test]
async fn a_request_that_its_client_gave_up_is_no_longer_in_flight() {
    let permits = Arc::new(Semaphore::new(0));
    let slow = slow(&permits).await;
    let gateway = gateway(&[&slow]);
    let in_flight = || gateway.backends().in_flight(BackendId::of("1"));
    let mut client = Client::connect(&gateway).await;
    let asking = tokio::spawn(async move { client.get("/").await });
    until(|| slow.requests() == 1).await;
    assert_eq!(in_flight(), 1);
    asking.abort();
    until(|| in_flight() == 0).await;
}

// === address ===

/// Asks as the client of this address, which a trusted proxy tells.
async fn ask_as(client: &mut Client, address: &str) -> String {
    let mut request = request("GET", "/", empty());
    let address = address.parse().unwrap();
    request.headers_mut().insert("x-forwarded-for", address);
    let answer = client.ask(request).await;
    assert!(!answer.headers.contains_key("set-cookie"));
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn by_source_an_address_has_one_backend_and_all_backends_have_clients() {
    let mut nodes = [
        Node::named("a").await,
        Node::named("b").await,
        Node::named("c").await,
    ];
    let mut config = config(&[&nodes[0], &nodes[1], &nodes[2]]);
    config.affinity = Affinity::Source(SourceAffinity::default());
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    let mut homes = Vec::new();
    for number in 0..60 {
        let address = format!("192.0.2.{number}");
        let home = ask_as(&mut client, &address).await;
        homes.push((address, home));
    }
    for name in ["a", "b", "c"] {
        assert!(homes.iter().any(|(_, home)| home == name), "{homes:?}");
    }
    for (address, home) in &homes {
        assert_eq!(ask_as(&mut client, address).await, *home);
    }
    // One network of IPv6 is one client.
    let network = ask_as(&mut client, "2001:db8:1:2::1").await;
    assert_eq!(ask_as(&mut client, "2001:db8:1:2:ffff::9").await, network);

    nodes[0].kill().await;
    for (address, home) in &homes {
        let now = ask_as(&mut client, address).await;
        assert_ne!(now, "a");
        // Only those whose backend is gone have moved.
        assert!(home == "a" || now == *home, "{address}");
    }
}

// === checks ===

fn checked(node: &Node, other: &Node, probe: Probe) -> Running {
    let mut config = config(&[node, other]);
    config.health = Some(HealthCheck {
        probe,
        period: Duration::from_millis(20),
        timeout: Duration::from_millis(200),
        ..HealthCheck::default()
    });
    // So that nothing but the checks takes anybody out.
    config.ejection = None;
    start(config)
}

fn healthz() -> Probe {
    Probe::Http {
        path: "/healthz?deep=1".to_owned(),
    }
}

/// What the node in question makes of its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Mood {
    Well,
    Failing,
    Hanging,
}

/// Answers requests with its name, and checks according to its mood.
async fn moody(mood: &Arc<AtomicUsize>) -> Node {
    let mood = Arc::clone(mood);
    Node::answering(move |request: Request<Incoming>| {
        let mood = Arc::clone(&mood);
        async move {
            if request.uri() != "/healthz?deep=1" {
                return Response::new(full("moody"));
            }
            match mood.load(Ordering::SeqCst) {
                mood if mood == Mood::Well as usize => status(StatusCode::NO_CONTENT),
                mood if mood == Mood::Failing as usize => status(StatusCode::INTERNAL_SERVER_ERROR),
                _ => std::future::pending::<Response<Body>>().await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_backend_that_accepts_but_is_not_well_is_taken_out_and_comes_back() {
    for ill in [Mood::Failing, Mood::Hanging] {
        let mood = Arc::new(AtomicUsize::new(Mood::Well as usize));
        let (moody, other) = (moody(&mood).await, Node::named("other").await);
        let gateway = checked(&moody, &other, healthz());
        // The other one has no such path and answers it with 200 as everything.
        until(|| moody.requests() > 3).await;
        assert_eq!(state(&gateway, "1"), BackendState::Ready);

        mood.store(ill as usize, Ordering::SeqCst);
        until(|| state(&gateway, "1") == BackendState::Failing).await;
        let mut client = Client::connect(&gateway).await;
        for _ in 0..10 {
            assert_eq!(client.get("/").await.body, "other", "{ill:?}");
        }

        mood.store(Mood::Well as usize, Ordering::SeqCst);
        until(|| state(&gateway, "1") == BackendState::Ready).await;
        let answers = [client.get("/").await.body, client.get("/").await.body];
        assert!(answers.iter().any(|body| body == "moody"), "{answers:?}");
    }
}

#[tokio::test]
async fn a_machine_that_refuses_connections_is_found_before_a_request_does() {
    let (mut node, other) = (Node::named("a").await, Node::named("b").await);
    let gateway = checked(&node, &other, Probe::Tcp);
    node.kill().await;
    until(|| state(&gateway, "1") == BackendState::Failing).await;
    assert_eq!(state(&gateway, "2"), BackendState::Ready);
    let _back = Node::named_at(node.address, "a").await;
    until(|| state(&gateway, "1") == BackendState::Ready).await;
}

#[tokio::test]
async fn a_backend_that_comes_later_is_checked_and_one_that_went_is_not() {
    let mood = Arc::new(AtomicUsize::new(Mood::Failing as usize));
    let (moody, other) = (moody(&mood).await, Node::named("other").await);
    let gateway = checked(&other, &other, healthz());
    gateway.backends().insert(moody.backend(3)).unwrap();
    until(|| state(&gateway, "3") == BackendState::Failing).await;
    gateway.backends().remove(BackendId::of("3"));
    // Two more rounds of the others pass, and nobody asks the one that went.
    until(|| moody.open_connections() == 0).await;
    let (asked, others) = (moody.requests(), other.requests());
    until(|| other.requests() > others + 8).await;
    assert!(moody.requests() <= asked + 1, "a check under way at most");
}

// === ejection ===

fn ejecting(nodes: &[&Node]) -> Running {
    let mut config = config(nodes);
    config.ejection = Some(Ejection {
        first: Duration::from_mins(5),
        longest: Duration::from_mins(5),
        ..Ejection::default()
    });
    start(config)
}

async fn failing() -> Node {
    Node::answering(|_| async { status(StatusCode::INTERNAL_SERVER_ERROR) }).await
}

fn is_ejected(state: BackendState) -> bool {
    matches!(state, BackendState::Ejected { .. })
}

#[tokio::test]
async fn a_backend_that_fails_again_and_again_is_left_alone() {
    let (bad, silent) = (failing().await, Node::dying_after_reading().await);
    let good = [Node::named("a").await, Node::named("b").await];
    let gateway = ejecting(&[&bad, &good[0], &good[1], &silent]);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..24 {
        client.post("/", "order").await;
    }
    let states = ["1", "2", "3", "4"].map(|name| is_ejected(state(&gateway, name)));
    assert_eq!(states, [true, false, false, true]);
    assert_eq!((bad.requests(), silent.requests()), (5, 5));
    for _ in 0..20 {
        assert_eq!(client.post("/", "order").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_error_that_all_backends_share_takes_half_of_them_out_at_most() {
    let nodes = [
        failing().await,
        failing().await,
        failing().await,
        failing().await,
    ];
    let gateway = ejecting(&[&nodes[0], &nodes[1], &nodes[2], &nodes[3]]);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..60 {
        let answer = client.get("/").await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    let states = gateway.backends().states().into_iter();
    let ejected = states.filter(|(_, state)| is_ejected(*state)).count();
    assert_eq!(ejected, 2);
}

#[tokio::test]
async fn a_client_that_breaks_off_its_upload_is_not_its_backends_fault() {
    let nodes = [Node::named("a").await, Node::named("b").await];
    let gateway = ejecting(&[&nodes[0], &nodes[1]]);
    for _ in 0..20 {
        let half = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9\r\n\r\nhalf";
        let stream = tokio::net::TcpStream::connect(gateway.local_addr()).await;
        let mut stream = stream.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, half.as_bytes())
            .await
            .unwrap();
    }
    until(|| nodes.iter().map(Node::requests).sum::<usize>() == 20).await;
    until(|| nodes.iter().all(|node| node.open_connections() == 0)).await;
    for name in ["1", "2"] {
        assert_eq!(state(&gateway, name), BackendState::Ready);
    }
}
