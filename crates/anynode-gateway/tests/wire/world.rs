//! Backends that can be killed, clients that can misbehave, and a gateway between them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anynode_gateway::{Backend, Gateway, GatewayConfig, Running};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// The longest any test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Body = BoxBody<Bytes, hyper::Error>;
type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Handler = Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;

/// A web server that counts what reaches it and can be killed like a process.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    connections: Arc<Connections>,
    accepting: JoinHandle<()>,
}

/// How many connections there were, and how many are open.
#[derive(Default)]
struct Connections {
    accepted: AtomicUsize,
    open: AtomicUsize,
}

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One keep-alive connection of a client.
pub(crate) struct Client {
    sender: SendRequest<Body>,
}

// === impl Node ===

impl Node {
    /// Answers every request with `name`, once its body was read.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::answering(move |request| answer_with(name, request)).await
    }

    /// The same on an address where another node was killed.
    pub(crate) async fn named_at(address: SocketAddr, name: &'static str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::answering_on(listener, move |request| answer_with(name, request))
    }

    /// Answers every request as `handler` says.
    pub(crate) async fn answering<F, R>(handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::answering_on(free_port().await, handler)
    }

    fn answering_on<F, R>(listener: TcpListener, handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        Self::accepting(listener, requests, move |stream| {
            let (handler, counter) = (Arc::clone(&handler), Arc::clone(&counter));
            async move {
                let service = service_fn(move |request| {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let answering = handler(request);
                    async move { Ok::<_, Infallible>(answering.await) }
                });
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                // A connection that a test cuts ends with an error.
                let _ = serving.await;
            }
        })
    }

    /// Reads one request whole, counts it, and ends the connection without an answer.
    pub(crate) async fn dying_after_reading() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        Self::accepting(free_port().await, requests, move |mut stream| {
            let counter = Arc::clone(&counter);
            async move {
                let mut seen = Vec::new();
                while !is_whole(&seen) {
                    let mut buffer = [0; 4096];
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(length) => seen.extend_from_slice(&buffer[..length]),
                    }
                }
                counter.fetch_add(1, Ordering::SeqCst);
            }
        })
    }

    /// Answers the first request of every connection, and ends the connection at the second.
    pub(crate) async fn silent_when_asked_again() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        Self::accepting(free_port().await, requests, move |mut stream| {
            let counter = Arc::clone(&counter);
            async move {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                let mut buffer = [0; 4096];
                if !matches!(stream.read(&mut buffer).await, Ok(1..)) {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer).await.unwrap();
                if matches!(stream.read(&mut buffer).await, Ok(1..)) {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
    }

    /// Answers every request with these bytes, whatever they are.
    pub(crate) async fn writing(bytes: Vec<u8>) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        Self::accepting(free_port().await, requests, move |mut stream| {
            let (counter, bytes) = (Arc::clone(&counter), bytes.clone());
            async move {
                let mut buffer = [0; 4096];
                while matches!(stream.read(&mut buffer).await, Ok(1..)) {
                    counter.fetch_add(1, Ordering::SeqCst);
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
        })
    }

    fn accepting<F, R>(listener: TcpListener, requests: Arc<AtomicUsize>, serve: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let connections = Arc::<Connections>::default();
        let counter = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.accepted.fetch_add(1, Ordering::SeqCst);
                counter.open.fetch_add(1, Ordering::SeqCst);
                let (served, counter) = (serve(stream), Arc::clone(&counter));
                serving.spawn(async move {
                    served.await;
                    counter.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            requests,
            connections,
            accepting,
        }
    }

    /// Closes the listening socket and all connections at once, and returns when they are closed.
    pub(crate) async fn kill(&mut self) {
        self.accepting.abort();
        let ended = (&mut self.accepting).await;
        assert!(ended.unwrap_err().is_cancelled());
        // The connections' tasks were aborted with the set; they end when they are next polled.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many connections were ever accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.connections.open.load(Ordering::SeqCst)
    }

    pub(crate) fn backend(&self, id: u64) -> Backend {
        Backend::new(id.to_string(), self.address)
    }
}

async fn answer_with(name: &'static str, request: Request<Incoming>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(_) => Response::new(full(name)),
        Err(_) => status(StatusCode::BAD_REQUEST),
    }
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn is_whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(gateway: &Running) -> Self {
        let stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection.with_upgrades());
        Self { sender }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(request("GET", path, empty())).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &'static str) -> Answer {
        self.ask(request("POST", path, full(body))).await
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn ask(&mut self, request: Request<Body>) -> Answer {
        let answer = self.try_ask(request).await;
        answer.expect("the gateway closed the connection")
    }

    /// The same, unless the gateway has closed the connection or closes it now.
    pub(crate) async fn try_ask(&mut self, request: Request<Body>) -> Option<Answer> {
        within(self.sender.ready()).await.ok()?;
        let response = within(self.sender.send_request(request)).await.ok()?;
        let (head, body) = response.into_parts();
        let body = within(body.collect()).await.ok()?;
        Some(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        within(self.sender.ready()).await.unwrap();
        within(self.sender.send_request(request)).await.unwrap()
    }
}

// === requests, bodies, waiting ===

/// Starts a gateway with the defaults, two workers and these backends, numbered from 1.
pub(crate) fn gateway(nodes: &[&Node]) -> Running {
    start(config(nodes))
}

pub(crate) fn start(config: GatewayConfig) -> Running {
    Gateway::new(config).start().unwrap()
}

pub(crate) fn config(nodes: &[&Node]) -> GatewayConfig {
    let numbered = (1..).zip(nodes);
    let backends = numbered.map(|(id, node)| node.backend(id)).collect();
    let mut config = GatewayConfig::new("127.0.0.1:0".parse().unwrap(), backends);
    config.workers = NonZeroUsize::new(2);
    config
}

pub(crate) fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    builder.header("host", "shop.example").body(body).unwrap()
}

pub(crate) fn full(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed()
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

/// Writes `bytes` on a connection of its own and returns all that comes until the gateway closes.
pub(crate) async fn raw(gateway: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as any.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// An address nobody listens on.
pub(crate) async fn refusing() -> SocketAddr {
    free_port().await.local_addr().unwrap()
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// Waits until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
