//! Bodies, trailers and WebSockets pass as they come, and no faster than they are read.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::world::{
    Body, Client, Node, config, empty, full, gateway, request, start, until, within,
};

const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 3_200;
const WHOLE: usize = CHUNK * CHUNKS;
/// What both hops' socket buffers may hold together; the gateway's own share is a fraction of it.
const IN_TRANSIT_MAX: usize = WHOLE / 2;

/// A body of `CHUNKS` chunks that counts what was pulled out of it, then trailers.
struct Counted {
    left: usize,
    pulled: Arc<AtomicUsize>,
    trailers: Option<HeaderMap>,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.left == 0 {
            return Poll::Ready(self.trailers.take().map(|map| Ok(Frame::trailers(map))));
        }
        self.left -= 1;
        self.pulled.fetch_add(CHUNK, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[7; CHUNK])))))
    }
}

pub(crate) fn counted(chunks: usize) -> (Body, Arc<AtomicUsize>) {
    let pulled = Arc::new(AtomicUsize::new(0));
    let body = Counted {
        left: chunks,
        pulled: Arc::clone(&pulled),
        trailers: None,
    };
    (body.boxed(), pulled)
}

/// Waits until nothing more is pulled and returns how much was.
async fn standstill(pulled: &AtomicUsize) -> usize {
    let mut before = 0;
    loop {
        sleep(Duration::from_millis(300)).await;
        let now = pulled.load(Ordering::SeqCst);
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
}

async fn length(mut body: Incoming) -> usize {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    length
}

#[tokio::test]
async fn an_upload_waits_for_a_backend_that_does_not_read_and_then_arrives_whole() {
    let go = Arc::new(Notify::new());
    let waiting = Arc::clone(&go);
    let node = Node::answering(move |request: Request<Incoming>| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.notified().await;
            assert_eq!(length(request.into_body()).await, WHOLE);
            Response::new(full("whole"))
        }
    })
    .await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    let (body, pulled) = counted(CHUNKS);
    let asking = tokio::spawn(async move { client.ask(request("POST", "/", body)).await });
    let in_transit = within(standstill(&pulled)).await;
    assert!(
        in_transit < IN_TRANSIT_MAX,
        "{in_transit} bytes are somewhere"
    );
    go.notify_one();
    assert_eq!(within(asking).await.unwrap().body, "whole");
}

#[tokio::test]
async fn a_download_waits_for_a_client_that_does_not_read_and_then_arrives_whole() {
    let (body, pulled) = counted(CHUNKS);
    let body = std::sync::Mutex::new(Some(body));
    let node = Node::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Response::new(body) }
    })
    .await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    let response = client.send(request("GET", "/", empty())).await;
    let in_transit = within(standstill(&pulled)).await;
    assert!(
        in_transit < IN_TRANSIT_MAX,
        "{in_transit} bytes are somewhere"
    );
    assert_eq!(within(length(response.into_body())).await, WHOLE);
}

#[tokio::test]
async fn chunked_answers_one_after_the_other_use_one_connection_to_the_backend() {
    for trailers in [None, Some(HeaderMap::from_iter([checksum()]))] {
        let declared = trailers.is_some();
        let node = Node::answering(move |_| {
            let body = match trailers.clone() {
                Some(trailers) => with_trailers(trailers),
                None => counted(2).0,
            };
            let mut response = Response::new(body);
            if declared {
                let name = "x-checksum".parse().unwrap();
                response.headers_mut().insert("trailer", name);
            }
            async move { response }
        })
        .await;
        let mut config = config(&[&node]);
        config.workers = NonZeroUsize::new(1);
        let gateway = start(config);
        let mut client = Client::connect(&gateway).await;
        for _ in 0..5 {
            let mut request = request("GET", "/", empty());
            for (name, value) in [("te", "trailers"), ("connection", "te")] {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            let answer = client.ask(request).await;
            assert_eq!(answer.headers["transfer-encoding"], "chunked");
        }
        assert_eq!(node.connections(), 1, "with trailers: {declared}");
    }
}

fn checksum() -> (HeaderName, HeaderValue) {
    let name = HeaderName::from_static("x-checksum");
    (name, HeaderValue::from_static("abc"))
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let node = Node::answering(|request: Request<Incoming>| async move {
        let trailers = request.into_body().collect().await.unwrap();
        let trailers = trailers.trailers().cloned();
        let mut response = Response::new(with_trailers(trailers.unwrap()));
        let name = "x-checksum".parse().unwrap();
        response.headers_mut().insert("trailer", name);
        response
    })
    .await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    let trailers = HeaderMap::from_iter([checksum()]);
    let mut request = request("POST", "/", with_trailers(trailers.clone()));
    for (name, value) in [
        ("trailer", "x-checksum"),
        ("te", "trailers"),
        ("connection", "te"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let response = client.send(request).await;
    let collected = within(response.into_body().collect()).await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
}

fn with_trailers(trailers: HeaderMap) -> Body {
    let body = Counted {
        left: 1,
        pulled: Arc::default(),
        trailers: Some(trailers),
    };
    body.boxed()
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_an_error_for_the_client_and_not_a_short_answer() {
    let node = Node::writing(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec(),
    );
    let mut node = node.await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    let response = client.send(request("GET", "/", empty())).await;
    let mut body = response.into_body();
    let first = within(body.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "hello");
    node.kill().await;
    assert!(within(body.frame()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_by_the_backend() {
    let (body, pulled) = counted(usize::MAX);
    let alive = Arc::downgrade(&pulled);
    drop(pulled);
    let body = std::sync::Mutex::new(Some(body));
    let node = Node::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Response::new(body) }
    })
    .await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    let response = client.send(request("GET", "/", empty())).await;
    drop((response, client));
    // The backend's connection ends and with it the body it was sending.
    until(|| alive.strong_count() == 0).await;
}

/// A backend that accepts every handshake and returns what it gets.
pub(crate) async fn echo(subprotocol: &'static str) -> Node {
    Node::answering(move |mut request: Request<Incoming>| async move {
        if request.headers().get("upgrade").is_none() {
            return Response::new(full("no handshake"));
        }
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut buffer = [0; 1024];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                stream.write_all(&buffer[..length]).await.unwrap();
            }
        });
        let mut response = crate::world::status(StatusCode::SWITCHING_PROTOCOLS);
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", subprotocol),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    })
    .await
}

pub(crate) fn handshake(protocol: &str) -> Request<Body> {
    let mut handshake = request("GET", "/chat", empty());
    for (name, value) in [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", protocol),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ] {
        handshake.headers_mut().insert(name, value.parse().unwrap());
    }
    handshake
}

#[tokio::test]
async fn a_websocket_passes_bytes_both_ways_until_the_client_ends_it() {
    let node = echo("websocket").await;
    let gateway = gateway(&[&node]);
    let mut client = Client::connect(&gateway).await;
    let mut response = client.send(handshake("WebSocket")).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert!(response.headers().contains_key("sec-websocket-accept"));
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    let mut stream = TokioIo::new(upgraded);
    for message in ["hello", "again", &"long".repeat(200)] {
        stream.write_all(message.as_bytes()).await.unwrap();
        let mut echoed = vec![0; message.len()];
        within(stream.read_exact(&mut echoed)).await.unwrap();
        assert_eq!(echoed, message.as_bytes());
    }
    stream.shutdown().await.unwrap();
    assert_eq!(within(stream.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test]
async fn no_protocol_but_websocket_is_switched_to() {
    let node = echo("websocket").await;
    let plain = gateway(&[&node]);
    let answer = Client::connect(&plain).await.ask(handshake("h2c")).await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::OK, "no handshake".into())
    );

    let node = echo("h2c").await;
    let surprised = gateway(&[&node]);
    let answer = Client::connect(&surprised)
        .await
        .ask(handshake("websocket"))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
}
