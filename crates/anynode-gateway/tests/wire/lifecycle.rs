//! Starting, and stopping without dropping what is in flight.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use anynode_gateway::{ConfigError, Gateway, StartError};
use hyper::{Response, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::world::{Client, Node, config, full, gateway, start, until, within};

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_the_address() {
    let first = gateway(&[]);
    let mut config = config(&[]);
    config.listen = first.local_addr();
    let error = Gateway::new(config).start().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {}", first.local_addr())
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn limits_that_would_serve_nobody_are_errors() {
    let mut small = config(&[]);
    small.limits.head_bytes_max = 100;
    let mut none = config(&[]);
    none.limits.connections_max = 0;
    for (config, name) in [(small, "head_bytes_max"), (none, "connections_max")] {
        let error = Gateway::new(config).start().unwrap_err();
        assert!(
            matches!(error, StartError::Config(ConfigError::LimitTooLow(field, _)) if field == name),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_closes_what_is_idle_and_accepts_nothing_more() {
    let go = Arc::new(Notify::new());
    let waiting = Arc::clone(&go);
    let node = Node::answering(move |_| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.notified().await;
            Response::new(full("finished"))
        }
    })
    .await;
    let gateway = gateway(&[&node]);
    let address = gateway.local_addr();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut client = Client::connect(&gateway).await;
    let asking = tokio::spawn(async move { client.get("/").await });
    until(|| node.requests() == 1).await;

    let mut stopping = tokio::task::spawn_blocking(move || gateway.stop());
    assert_eq!(within(idle.read(&mut [0; 1])).await.unwrap_or(0), 0);
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    let waits = tokio::time::timeout(Duration::from_millis(200), &mut stopping).await;
    assert!(waits.is_err(), "it stopped with a request in flight");
    go.notify_one();
    let answer = within(asking).await.unwrap();
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::OK, "finished".into())
    );
    within(stopping).await.unwrap();
}

#[tokio::test]
async fn a_stop_cuts_what_is_not_finished_at_its_deadline() {
    let node = Node::answering(|_| std::future::pending()).await;
    let mut config = config(&[&node]);
    config.limits.stop_timeout = Duration::from_millis(100);
    let gateway = start(config);
    let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head)
        .await
        .unwrap();
    until(|| node.requests() == 1).await;
    within(tokio::task::spawn_blocking(move || gateway.stop()))
        .await
        .unwrap();
    assert_eq!(within(stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_gateway_that_is_dropped_stops_listening() {
    let gateway = gateway(&[]);
    let address = gateway.local_addr();
    drop(gateway);
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}
