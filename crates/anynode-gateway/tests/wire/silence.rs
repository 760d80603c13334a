//! Peers that stop reading, stop writing, or say nothing for ever.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use anynode_gateway::Running;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::streams::{counted, echo, handshake};
use crate::world::{Client, Node, config, empty, gateway, request, start, until, within};

const SHORT: Duration = Duration::from_millis(150);

/// A WebSocket through the gateway.
async fn websocket(gateway: &Running) -> TokioIo<hyper::upgrade::Upgraded> {
    let mut client = Client::connect(gateway).await;
    let mut response = client.send(handshake("websocket")).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap())
}

#[tokio::test]
async fn a_client_that_reads_nothing_of_its_answer_is_cut() {
    let (body, pulled) = counted(usize::MAX);
    let alive = Arc::downgrade(&pulled);
    drop(pulled);
    let body = Mutex::new(Some(body));
    let node = Node::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Response::new(body) }
    })
    .await;
    let mut config = config(&[&node]);
    config.limits.write_timeout = SHORT;
    let gateway = start(config);
    let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(head).await.unwrap();
    // The client stays; it is the gateway that gives up, and with it the backend.
    until(|| alive.strong_count() == 0).await;
    drop(stream);
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_served_for_as_long_as_it_reads() {
    let (body, _pulled) = counted(400);
    let body = Mutex::new(Some(body));
    let node = Node::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Response::new(body) }
    })
    .await;
    let mut config = config(&[&node]);
    config.limits.write_timeout = Duration::from_secs(2);
    let gateway = start(config);
    let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let (mut whole, mut buffer) = (0, vec![0; 1024 * 1024]);
    loop {
        let length = within(stream.read(&mut buffer)).await.unwrap();
        if length == 0 {
            break;
        }
        whole += length;
        sleep(Duration::from_millis(20)).await;
    }
    assert!(whole > 400 * 64 * 1024, "{whole} bytes came");
}

#[tokio::test]
async fn a_websocket_that_is_silent_for_too_long_is_cut() {
    let node = echo("websocket").await;
    let mut config = config(&[&node]);
    config.limits.silence_timeout = SHORT;
    let gateway = start(config);
    let mut stream = websocket(&gateway).await;
    assert_eq!(within(stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
    until(|| node.open_connections() == 0).await;
}

#[tokio::test]
async fn a_websocket_stays_for_as_long_as_anybody_says_something() {
    let node = echo("websocket").await;
    let mut config = config(&[&node]);
    config.limits.silence_timeout = Duration::from_secs(1);
    let gateway = start(config);
    let mut stream = websocket(&gateway).await;
    for _ in 0..25 {
        sleep(Duration::from_millis(100)).await;
        stream.write_all(b"ping").await.unwrap();
        within(stream.read_exact(&mut [0; 4])).await.unwrap();
    }
}

/// A body of events, each sent when it is made.
struct Events(mpsc::UnboundedReceiver<&'static str>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let event = self.0.poll_recv(context);
        event.map(|event| event.map(|event| Ok(Frame::data(Bytes::from_static(event.as_bytes())))))
    }
}

/// A backend that sends each text it is given as an event of its own.
async fn events() -> (Node, mpsc::UnboundedSender<&'static str>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    let node = Node::answering(move |_| {
        let body = Events(receiver.lock().unwrap().take().unwrap()).boxed();
        async move { Response::new(body) }
    })
    .await;
    (node, sender)
}

#[tokio::test]
async fn an_event_arrives_before_the_next_one_is_made() {
    let (node, events) = events().await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    events.send("data: 0\n\n").unwrap();
    let response = client.send(request("GET", "/", empty())).await;
    let mut body = response.into_body();
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        let frame = within(body.frame()).await;
        assert!(frame.unwrap().unwrap().is_data());
        events.send(event).unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_silent_for_too_long_is_cut() {
    let (node, events) = events().await;
    let mut config = config(&[&node]);
    config.limits.silence_timeout = SHORT;
    let gateway = start(config);
    let mut client = Client::connect(&gateway).await;
    events.send("data: 0\n\n").unwrap();
    let response = client.send(request("GET", "/", empty())).await;
    let whole = response.into_body().collect();
    assert!(within(whole).await.is_err());
    until(|| events.is_closed()).await;
}

#[tokio::test]
async fn clients_that_send_their_heads_slowly_hold_up_nobody() {
    let node = Node::named("a").await;
    let mut config = config(&[&node]);
    config.workers = NonZeroUsize::new(1);
    config.limits.head_timeout = Duration::from_secs(1);
    let gateway = start(config);
    let mut slow = JoinSet::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
        slow.spawn(async move {
            let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ";
            stream.write_all(head).await.unwrap();
            // Every byte is written long before the time for one more is over.
            while stream.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
        });
    }
    let mut client = Client::connect(&gateway).await;
    for _ in 0..100 {
        assert_eq!(client.get("/").await.body, "a");
    }
    within(slow.join_all()).await;
    assert_eq!(node.requests(), 100);
}

#[tokio::test]
async fn one_connection_may_ask_as_often_as_it_likes() {
    let node = Node::named("a").await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    for _ in 0..3_000 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
}

/// Asks until the gateway closes the connection, and returns how often it was answered.
async fn ask_until_closed(mut client: Client) -> usize {
    let mut answered = 0;
    loop {
        let request: Request<_> = request("GET", "/", empty());
        match client.try_ask(request).await {
            Some(answer) => assert_eq!(answer.body, "a"),
            None => return answered,
        }
        answered += 1;
    }
}

#[tokio::test]
async fn a_stop_under_load_answers_whatever_reached_a_backend() {
    let node = Node::named("a").await;
    let gateway = gateway(&[&node]);
    let mut asking = JoinSet::new();
    for _ in 0..16 {
        asking.spawn(ask_until_closed(Client::connect(&gateway).await));
    }
    until(|| node.requests() > 500).await;
    let stopping = tokio::task::spawn_blocking(move || gateway.stop());
    let answered: usize = within(asking.join_all()).await.into_iter().sum();
    within(stopping).await.unwrap();
    assert_eq!(answered, node.requests());
}
