//! What a dead backend costs: nothing if nothing was sent, and never a request run twice.

use std::num::{NonZeroU16, NonZeroUsize};

use anynode_gateway::{AfterSilence, Backend, BackendState};
use hyper::StatusCode;

use crate::world::{Answer, Client, Node, config, full, gateway, refusing, request, start, within};

#[tokio::test]
async fn a_backend_that_refuses_connections_is_skipped_without_a_failed_request() {
    let node = Node::named("alive").await;
    let mut config = config(&[&node]);
    let dead = Backend::new("2", refusing().await);
    config.backends.insert(0, dead);
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..50 {
        assert_eq!(client.get("/").await.body, "alive");
        assert_eq!(client.post("/", "order").await.body, "alive");
    }
    let states = gateway.backends().states();
    assert!(
        matches!(states[0].1, BackendState::Down { .. }),
        "{states:?}"
    );
}

#[tokio::test]
async fn a_backend_that_comes_back_on_its_port_gets_requests_again() {
    let (mut first, second) = (Node::named("first").await, Node::named("second").await);
    let gateway = gateway(&[&first, &second]);
    let mut client = Client::connect(&gateway).await;
    first.kill().await;
    for _ in 0..4 {
        client.get("/").await;
    }
    let pool = gateway.backends();
    assert!(matches!(pool.states()[0].1, BackendState::Down { .. }));
    let _back = Node::named_at(first.address, "back").await;
    within(async { while client.get("/").await.body != "back" {} }).await;
    assert_eq!(pool.states()[0].1, BackendState::Ready);
}

#[tokio::test]
async fn a_backend_killed_between_two_requests_costs_no_request_not_even_a_post() {
    for victim in 0..3 {
        let mut nodes = [
            Node::named("a").await,
            Node::named("b").await,
            Node::named("c").await,
        ];
        let gateway = gateway(&[&nodes[0], &nodes[1], &nodes[2]]);
        let mut clients = [
            Client::connect(&gateway).await,
            Client::connect(&gateway).await,
        ];
        // Every worker has an idle connection to every backend.
        for client in &mut clients {
            for _ in 0..3 {
                assert_eq!(client.get("/").await.status, StatusCode::OK);
            }
        }
        nodes[victim].kill().await;
        for client in &mut clients {
            for _ in 0..6 {
                assert_eq!(client.post("/", "order").await.status, StatusCode::OK);
                assert_eq!(client.get("/").await.status, StatusCode::OK);
            }
        }
    }
}

#[tokio::test]
async fn in_400_trials_a_backend_stopped_between_two_requests_costs_none() {
    let mut nodes = [Node::named("a").await, Node::named("b").await];
    let gateway = gateway(&[&nodes[0], &nodes[1]]);
    let mut client = Client::connect(&gateway).await;
    for trial in 0..400 {
        // An idle connection to each.
        client.get("/").await;
        client.get("/").await;
        let victim = trial % 2;
        nodes[victim].kill().await;
        for _ in 0..2 {
            assert_eq!(
                client.post("/", "order").await.status,
                StatusCode::OK,
                "{trial}"
            );
            assert_eq!(client.get("/").await.status, StatusCode::OK, "{trial}");
        }
        nodes[victim] = Node::named_at(nodes[victim].address, "back").await;
        let id = if victim == 0 { 1 } else { 2 };
        gateway
            .backends()
            .insert(nodes[victim].backend(id))
            .unwrap();
    }
}

#[tokio::test]
async fn a_post_that_was_sent_is_answered_502_and_was_run_once() {
    let nodes = [
        Node::dying_after_reading().await,
        Node::dying_after_reading().await,
    ];
    let gateway = gateway(&[&nodes[0], &nodes[1]]);
    let mut client = Client::connect(&gateway).await;
    let answer = client.post("/order", "one book").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(nodes[0].requests() + nodes[1].requests(), 1);
}

#[tokio::test]
async fn no_unsafe_method_and_no_body_is_sent_twice() {
    for (method, body) in [
        ("PUT", ""),
        ("DELETE", ""),
        ("PATCH", "x"),
        ("GET", "x"),
        ("POST", ""),
    ] {
        let node = Node::dying_after_reading().await;
        let gateway = gateway(&[&node]);
        let mut client = Client::connect(&gateway).await;
        let answer = client.ask(request(method, "/", full(body))).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{method}");
        assert_eq!(node.requests(), 1, "{method}");
    }
}

#[tokio::test]
async fn a_get_that_met_silence_is_sent_once_more_and_not_more_often() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let nodes = [
            Node::dying_after_reading().await,
            Node::named("alive").await,
        ];
        let saved = gateway(&[&nodes[0], &nodes[1]]);
        let answer = ask_once(&saved, method).await;
        assert_eq!(answer.status, StatusCode::OK, "{method}");
        assert_eq!((nodes[0].requests(), nodes[1].requests()), (1, 1));
    }
    let nodes = [
        Node::dying_after_reading().await,
        Node::dying_after_reading().await,
    ];
    let lost = gateway(&[&nodes[0], &nodes[1]]);
    assert_eq!(ask_once(&lost, "GET").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!((nodes[0].requests(), nodes[1].requests()), (1, 1));
}

/// A node that was killed took the second attempt as well, and closed it: a GET was answered 502
/// while two other nodes were well.
#[tokio::test]
async fn a_get_that_met_silence_is_sent_to_another_backend_if_there_is_one() {
    let (dying, alive) = (
        Node::dying_after_reading().await,
        Node::named("alive").await,
    );
    let mut config = config(&[&dying, &alive]);
    // Its turn comes several times in a row.
    config.backends[0].weight = NonZeroU16::new(9).unwrap();
    config.ejection = None;
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..20 {
        assert_eq!(client.get("/").await.body, "alive");
    }
    assert!(dying.requests() > 0);
}

#[tokio::test]
async fn a_get_that_met_silence_on_an_idle_connection_is_sent_again_on_a_new_one() {
    // As after a power failure: nobody said that the connections are gone, and every idle one ends in silence.
    let nodes = [
        Node::silent_when_asked_again().await,
        Node::silent_when_asked_again().await,
    ];
    let mut config = config(&[&nodes[0], &nodes[1]]);
    config.workers = NonZeroUsize::new(1);
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_get_that_met_silence_is_not_sent_again_where_that_is_switched_off() {
    let nodes = [
        Node::dying_after_reading().await,
        Node::named("alive").await,
    ];
    let mut config = config(&[&nodes[0], &nodes[1]]);
    config.after_silence = AfterSilence::Fail;
    let gateway = start(config);
    assert_eq!(
        ask_once(&gateway, "GET").await.status,
        StatusCode::BAD_GATEWAY
    );
    assert_eq!((nodes[0].requests(), nodes[1].requests()), (1, 0));
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_502_and_the_request_is_not_sent_again() {
    let garbage = Node::writing(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()).await;
    let other = Node::named("alive").await;
    let gateway = gateway(&[&garbage, &other]);
    assert_eq!(
        ask_once(&gateway, "GET").await.status,
        StatusCode::BAD_GATEWAY
    );
    assert_eq!((garbage.requests(), other.requests()), (1, 0));
}

#[tokio::test]
async fn a_connection_over_which_a_doubtful_answer_came_is_not_used_again() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let node = Node::writing(head.as_bytes().to_vec()).await;
        let mut config = config(&[&node]);
        config.workers = NonZeroUsize::new(1);
        let gateway = start(config);
        let mut client = Client::connect(&gateway).await;
        for _ in 0..3 {
            assert_eq!(
                client.get("/").await.status,
                StatusCode::BAD_GATEWAY,
                "{head}"
            );
        }
        assert_eq!(node.connections(), 3, "{head}");
    }
}

#[tokio::test]
async fn without_any_backend_the_answer_is_503_and_names_no_address() {
    let mut config = config(&[]);
    let dead = refusing().await;
    config.backends.push(Backend::new("1", dead));
    let gateway = start(config);
    let answer = ask_once(&gateway, "POST").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "1");
    let everything = format!("{answer:?}");
    assert!(!everything.contains("127.0.0.1"), "{everything}");
    assert!(
        !everything.contains(&dead.port().to_string()),
        "{everything}"
    );
}

async fn ask_once(gateway: &anynode_gateway::Running, method: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    client
        .ask(request(method, "/", crate::world::empty()))
        .await
}
