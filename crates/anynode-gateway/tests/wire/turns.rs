//! Who answers: turns, weights, and a pool that changes while the gateway runs.

use std::num::NonZeroU16;

use anynode_gateway::{Backend, BackendId, BackendState, BackendsError};
use hyper::StatusCode;

use crate::world::{Client, Node, config, gateway, start};

#[tokio::test]
async fn three_backends_answer_in_turn() {
    let nodes = [
        Node::named("a").await,
        Node::named("b").await,
        Node::named("c").await,
    ];
    let gateway = gateway(&[&nodes[0], &nodes[1], &nodes[2]]);
    // Two connections, so that two workers share the one rotation.
    let mut clients = [
        Client::connect(&gateway).await,
        Client::connect(&gateway).await,
    ];
    for round in 0..20 {
        for expected in ["a", "b", "c"] {
            let answer = clients[round % 2].get("/").await;
            assert_eq!(answer.body, expected);
        }
    }
}

#[tokio::test]
async fn a_heavier_backend_answers_as_often_as_its_weight_says() {
    let (heavy, light) = (Node::named("heavy").await, Node::named("light").await);
    let mut config = config(&[&heavy, &light]);
    config.backends[0].weight = NonZeroU16::new(3).unwrap();
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..40 {
        client.get("/").await;
    }
    assert_eq!((heavy.requests(), light.requests()), (30, 10));
}

#[tokio::test]
async fn backends_are_added_replaced_drained_and_removed_while_it_runs() {
    let gateway = gateway(&[]);
    let mut client = Client::connect(&gateway).await;
    assert_eq!(
        client.get("/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );

    let (first, second) = (Node::named("first").await, Node::named("second").await);
    gateway.backends().insert(first.backend(1)).unwrap();
    assert_eq!(client.get("/").await.body, "first");

    // The first still answers, and an idle connection to it is open; the pool says otherwise.
    gateway.backends().insert(second.backend(1)).unwrap();
    for _ in 0..5 {
        assert_eq!(client.get("/").await.body, "second");
    }

    gateway.backends().insert(first.backend(2)).unwrap();
    gateway.backends().drain(BackendId::of("1"));
    for _ in 0..5 {
        assert_eq!(client.get("/").await.body, "first");
    }
    let states = gateway.backends().states();
    let expected = [
        (BackendId::of("1"), BackendState::Draining),
        (BackendId::of("2"), BackendState::Ready),
    ];
    assert_eq!(states, expected);

    gateway.backends().remove(BackendId::of("2"));
    assert_eq!(
        client.get("/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_restarted_node_gets_requests_at_once_on_its_new_port() {
    let (mut node, other) = (Node::named("old").await, Node::named("other").await);
    let gateway = gateway(&[&node, &other]);
    let mut client = Client::connect(&gateway).await;
    node.kill().await;
    for _ in 0..4 {
        assert_eq!(client.get("/").await.body, "other");
    }
    let restarted = Node::named("new").await;
    let backend = Backend::new("1", restarted.address);
    gateway.backends().insert(backend).unwrap();
    let answers = [client.get("/").await.body, client.get("/").await.body];
    assert!(answers.iter().any(|body| body == "new"), "{answers:?}");
}

#[tokio::test]
async fn backends_that_are_read_again_unchanged_keep_their_connections() {
    let (kept, other) = (Node::named("kept").await, Node::named("other").await);
    let gateway = gateway(&[&kept]);
    let mut client = Client::connect(&gateway).await;
    client.get("/").await;
    let pool = gateway.backends();
    let heavier = Backend {
        weight: NonZeroU16::new(9).unwrap(),
        ..kept.backend(1)
    };
    pool.replace_all(vec![heavier]).unwrap();
    assert_eq!(client.get("/").await.body, "kept");
    assert_eq!(kept.connections(), 1);

    // Another address is another backend, whatever its name, and two of one name are refused whole.
    let twice = vec![other.backend(2), other.backend(2)];
    let error = pool.replace_all(twice).unwrap_err();
    assert_eq!(error, BackendsError::Twice("2".to_owned()));
    assert_eq!(client.get("/").await.body, "kept");
    pool.replace_all(vec![other.backend(1)]).unwrap();
    assert_eq!(client.get("/").await.body, "other");
}
