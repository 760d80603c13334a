//! Nobody waits for ever and nobody takes it all.

use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use anynode_gateway::HEADER_COUNT_MAX;

use crate::world::{
    Client, Node, PATIENCE, config, empty, full, gateway, raw, request, start, until, within,
};

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_client_that_sends_its_head_too_slowly_is_cut() {
    let node = Node::named("a").await;
    let mut config = config(&[&node]);
    config.limits.head_timeout = SHORT;
    let gateway = start(config);
    let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Sl")
        .await
        .unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(!answer.contains("200"), "{answer}");
    assert_eq!(node.requests(), 0);
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_body_is_answered_408() {
    let node = Node::named("a").await;
    let mut config = config(&[&node]);
    config.limits.answer_timeout = SHORT;
    let gateway = start(config);
    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf";
    let answer = raw(&gateway, bytes).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_backend_that_is_silent_for_too_long_is_answered_504_and_not_asked_again() {
    let silent = || Node::answering(|_| std::future::pending());
    let nodes = [silent().await, silent().await];
    let mut config = config(&[&nodes[0], &nodes[1]]);
    config.limits.answer_timeout = SHORT;
    let gateway = start(config);
    for body in [empty(), full("order")] {
        let answer = Client::connect(&gateway)
            .await
            .ask(request("POST", "/", body))
            .await;
        assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    }
    assert_eq!(nodes[0].requests() + nodes[1].requests(), 2);
}

#[tokio::test]
async fn an_upload_whose_backend_stops_reading_is_answered_504_and_its_connection_is_closed() {
    let node = Node::answering(|request: Request<Incoming>| async move {
        let _unread = request;
        pending().await
    })
    .await;
    let mut config = config(&[&node]);
    config.limits.answer_timeout = SHORT;
    config.limits.write_timeout = SHORT * 2;
    let gateway = start(config);
    let stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    let (mut answers, mut upload) = stream.into_split();
    let uploading = tokio::spawn(async move {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n";
        upload.write_all(head).await.unwrap();
        while upload.write_all(&[7; 64 * 1024]).await.is_ok() {}
    });
    let mut answer = Vec::new();
    // What the client wrote since makes a reset of the end.
    let _ = within(answers.read_to_end(&mut answer)).await;
    assert!(answer.starts_with(b"HTTP/1.1 504"), "{answer:?}");
    within(uploading).await.unwrap();
}

#[tokio::test]
async fn an_upload_may_take_longer_than_the_answer_timeout_while_it_moves() {
    let node = Node::named("whole").await;
    let mut config = config(&[&node]);
    config.limits.answer_timeout = SHORT;
    let gateway = start(config);
    let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 20\r\n\r\n";
    stream.write_all(head).await.unwrap();
    for _ in 0..20 {
        tokio::time::sleep(SHORT / 5).await;
        stream.write_all(b"x").await.unwrap();
    }
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("whole"), "{answer}");
}

#[tokio::test]
async fn a_head_with_too_many_bytes_or_fields_is_answered_431() {
    let node = Node::named("a").await;
    let gateway = gateway(&[&node]);
    let long = format!("X: {}\r\n", "x".repeat(33 * 1024));
    // Host and Connection are two of the fields.
    let many = "X: 1\r\n".repeat(HEADER_COUNT_MAX - 1);
    for fields in [long, many] {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
        let answer = raw(&gateway, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    assert_eq!(node.requests(), 0);
    // With the four fields the gateway adds and the one it takes it is a hundred again.
    let most = "X: 1\r\n".repeat(HEADER_COUNT_MAX - 5);
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{most}\r\n");
    let answer = raw(&gateway, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_answer_with_too_long_a_head_is_502() {
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(40 * 1024));
    let node = Node::writing(head.into_bytes()).await;
    let gateway = gateway(&[&node]);
    let answer = Client::connect(&gateway).await.get("/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_client_beyond_the_most_connections_waits_until_another_leaves() {
    let node = Node::named("a").await;
    let mut config = config(&[&node]);
    config.limits.connections_max = 1;
    let gateway = start(config);
    let mut first = Client::connect(&gateway).await;
    assert_eq!(first.get("/").await.body, "a");
    // The kernel completes the connection; the gateway does not accept it yet.
    let mut second = Client::connect(&gateway).await;
    let asking = tokio::spawn(async move { second.get("/").await.body });
    assert_eq!(first.get("/").await.body, "a");
    assert_eq!(node.requests(), 2);
    drop(first);
    assert_eq!(within(asking).await.unwrap(), "a");
}

#[tokio::test]
async fn a_connection_to_a_backend_is_used_again_and_closed_when_it_is_idle_for_too_long() {
    let node = Node::named("a").await;
    let mut config = config(&[&node]);
    config.limits.idle_timeout = SHORT;
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    client.get("/").await;
    client.post("/", "order").await;
    client.get("/").await;
    assert!(node.connections() < 3, "{}", node.connections());
    until(|| node.open_connections() == 0).await;
    assert_eq!(client.get("/").await.body, "a");
}

#[tokio::test]
async fn idle_connections_to_a_backend_are_not_more_than_allowed() {
    let all_there = Arc::new(Barrier::new(8));
    let node = Node::answering(move |_| {
        let all_there = Arc::clone(&all_there);
        async move {
            all_there.wait().await;
            Response::new(full("a"))
        }
    })
    .await;
    let mut config = config(&[&node]);
    config.workers = NonZeroUsize::new(1);
    config.limits.idle_per_backend_max = 3;
    // Only the bound may close them, not their age.
    config.limits.idle_timeout = PATIENCE * 2;
    let gateway = start(config);
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let mut client = Client::connect(&gateway).await;
        asking.spawn(async move { client.get("/").await.status });
    }
    assert_eq!(within(asking.join_all()).await, [StatusCode::OK; 8]);
    assert_eq!(node.connections(), 8);
    until(|| node.open_connections() <= 3).await;
}
