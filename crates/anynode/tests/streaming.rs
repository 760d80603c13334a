//! The head waits for writes, and so does the last byte; over a real server, HTTP/1 and 2.

mod client;
mod site;
mod spy;

use std::{convert::Infallible, pin::Pin, sync::Arc, task::Poll};

use anynode::Session;
use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
    routing::post,
};
use client::{Client, NAME};
use http::{Request, header};
use http_body::Frame;
use http_body_util::{BodyExt, channel::Channel};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use site::World;
use spy::{Fault, Gate, Verb};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Http {
    One,
    Two,
}

/// How the body says where it ends.
#[derive(Clone, Copy, Debug)]
enum Length {
    Unknown,
    /// In a header that the handler set.
    Announced,
    /// In the hint of a body that does not know that it has ended.
    Hinted,
}

const TEXT: &[u8] = b"first last";

/// A body of two frames whose second one waits; then it is over, which it only says when asked.
struct TwoFrames {
    frames: Channel<Bytes, Infallible>,
    left: Option<u64>,
}

impl http_body::Body for TwoFrames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = std::task::ready!(Pin::new(&mut self.frames).poll_frame(context));
        if let (Some(Ok(frame)), Some(left)) = (&frame, &mut self.left) {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            *left -= u64::try_from(bytes).expect("small");
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.left
            .map_or_else(Default::default, http_body::SizeHint::with_exact)
    }
}

/// A node whose handler streams from a task that keeps the session: it writes between the
/// first and the last bytes.
fn streaming(world: &World, length: Length, gate: Gate) -> Router {
    let handler = async move |session: Session| {
        let (mut sender, frames) = Channel::<Bytes, Infallible>::new(4);
        session.get::<String>("a").await.expect("read");
        tokio::spawn(async move {
            let sent = sender.send_data(Bytes::from_static(&TEXT[..6])).await;
            gate.pass().await;
            session.insert("a", "streamed").await.expect("recorded");
            drop((
                sent.is_ok(),
                sender.send_data(Bytes::from_static(&TEXT[6..])).await,
            ));
        });
        let left = match length {
            Length::Hinted => Some(10),
            Length::Unknown | Length::Announced => None,
        };
        let mut response = Response::new(Body::new(TwoFrames { frames, left }));
        if let Length::Announced = length {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, 10.into());
        }
        response
    };
    Router::new().route("/", post(handler)).layer(world.layer())
}

/// Serves `node` on a port of this machine and sends it one POST.
async fn post_to(node: Router, http: Http, client: &Client) -> Response<Incoming> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, node).await });
    let stream = TcpStream::connect(address).await.expect("a connection");
    let io = TokioIo::new(stream);
    let id = client.cookie().expect("a session");
    let request = Request::post(match http {
        Http::One => "/".to_owned(),
        Http::Two => format!("http://{address}/"),
    });
    let request = request
        .header(header::HOST, address.to_string())
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, format!("{NAME}={id}"))
        .body(Body::empty())
        .expect("a request");
    let response = match http {
        Http::One => {
            let (mut sender, connection) = conn::http1::handshake(io).await.expect("HTTP/1");
            tokio::spawn(connection);
            sender.send_request(request).await
        }
        Http::Two => {
            let executor = TokioExecutor::new();
            let (mut sender, connection) =
                conn::http2::handshake(executor, io).await.expect("HTTP/2");
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    };
    response.expect("a head")
}

async fn logged_in(world: &World) -> Client {
    let mut client = Client::default();
    client.post(&world.node(), "/login", "ada").await;
    client
}

#[tokio::test]
async fn the_head_waits_for_the_writes_of_the_handler() {
    for http in [Http::One, Http::Two] {
        let world = World::new();
        let client = logged_in(&world).await;
        let node = Router::new()
            .route(
                "/",
                post(async |session: Session| session.insert("a", "1").await),
            )
            .layer(world.layer());
        let gate = world.spy.pause(Verb::Replace);
        let waiting = client.clone();
        let mut head = tokio::spawn(async move { post_to(node, http, &waiting).await.status() });
        gate.reached().await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!head.is_finished(), "{http:?}");
        gate.open();
        assert_eq!((&mut head).await.expect("a head"), 200);
    }
}

#[tokio::test]
async fn the_last_byte_waits_for_what_was_written_while_the_body_streamed() {
    for http in [Http::One, Http::Two] {
        for length in [Length::Unknown, Length::Announced, Length::Hinted] {
            let world = World::new();
            let (gate, client) = (Gate::new(), logged_in(&world).await);
            let node = streaming(&world, length, gate.clone());
            let mut response = post_to(node, http, &client).await;
            let first = response.body_mut().frame().await.expect("a frame");
            assert_eq!(first.expect("data").into_data().expect("data"), TEXT[..6]);
            let write = world.spy.pause(Verb::Replace);
            gate.open();
            write.reached().await;
            let mut rest = tokio::spawn(response.into_body().collect());
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(!rest.is_finished(), "{http:?} {length:?}");
            write.open();
            let rest = (&mut rest).await.expect("no panic").expect("a whole body");
            assert_eq!(rest.to_bytes(), TEXT[6..], "{http:?} {length:?}");
            let read = client.clone().get(&world.node(), "/get/a").await;
            assert_eq!(read.text, "streamed", "{http:?} {length:?}");
        }
    }
}

#[tokio::test]
async fn a_body_whose_writes_fail_ends_in_an_error() {
    for http in [Http::One, Http::Two] {
        for length in [Length::Unknown, Length::Announced] {
            let world = World::new();
            let (gate, client) = (Gate::new(), logged_in(&world).await);
            let node = streaming(&world, length, gate.clone());
            let response = post_to(node, http, &client).await;
            let fault = Fault::Fail(anynode::core::ErrorKind::Unavailable);
            world.spy.next(Verb::Replace, fault);
            gate.open();
            let body = response.into_body().collect().await;
            assert!(body.is_err(), "{http:?} {length:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_away_lets_the_holder_write_for_itself() {
    for http in [Http::One, Http::Two] {
        let world = World::new();
        let (gone, written) = (Gate::new(), Gate::new());
        let (here, there) = (gone.clone(), written.clone());
        let handler = async move |session: Session| {
            let (mut sender, frames) = Channel::<Bytes, Infallible>::new(1);
            session.get::<String>("a").await.expect("read");
            tokio::spawn(async move {
                // It ends when nobody reads any more.
                while sender.send_data(Bytes::from_static(TEXT)).await.is_ok() {}
                here.pass().await;
                session.insert("a", "after").await.expect("written");
                there.pass().await;
            });
            Response::new(Body::new(frames))
        };
        let node = Router::new().route("/", post(handler)).layer(world.layer());
        let client = logged_in(&world).await;
        drop(post_to(node, http, &client).await);
        gone.reached().await;
        gone.open();
        written.reached().await;
        let read = client.clone().get(&world.node(), "/get/a").await;
        assert_eq!(read.text, "after", "{http:?}");
    }
}

#[tokio::test]
async fn a_holder_like_a_web_socket_writes_at_once_and_sees_its_session_end() {
    let world = World::new();
    let held = Arc::new(tokio::sync::Mutex::new(None));
    let slot = held.clone();
    let upgrade = async move |session: Session| {
        session.get::<String>("a").await.expect("read");
        *slot.lock().await = Some(session);
        http::StatusCode::SWITCHING_PROTOCOLS
    };
    let node = Router::new().route("/", post(upgrade)).layer(world.layer());
    let mut client = logged_in(&world).await;
    client.post(&node, "/", "").await;
    let session: Session = held.lock().await.take().expect("kept");
    session.insert("a", "at once").await.expect("written");
    assert_eq!(client.get(&world.node(), "/get/a").await.text, "at once");
    client.post(&world.node(), "/put/b", "theirs").await;
    session.insert("a", "beside").await.expect("rebased");
    assert_eq!(client.get(&world.node(), "/get/b").await.text, "theirs");
    session.reload().await.expect("alive");
    assert_eq!(
        session.get("b").await.expect("read"),
        Some("theirs".to_owned())
    );
    // An unreadable store is an error, and not the end of the holder.
    let fault = Fault::Fail(anynode::core::ErrorKind::Unavailable);
    world.spy.next(Verb::Load, fault);
    assert!(session.reload().await.is_err());
    session.reload().await.expect("back");
    client.post(&world.node(), "/logout", "").await;
    assert!(session.reload().await.is_err());
    assert!(session.insert("a", "risen").await.is_err());
}
