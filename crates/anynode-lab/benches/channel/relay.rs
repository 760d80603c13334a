//! A relay in front of a server, which counts what the server tells the nodes behind it.

use std::net::SocketAddr;
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What a server says on one connection, byte by byte.
pub(crate) trait Meter: Default + Send + 'static {
    /// Takes the next bytes, and counts what is whole now.
    fn read(&mut self, bytes: &[u8], told: &Told);
}

/// What a server has told on all connections.
#[derive(Default)]
pub(crate) struct Told {
    /// Changes, each at each node.
    pub(crate) events: AtomicU64,
    /// What proves to a node that it misses nothing: its heartbeats that came back, its polls.
    pub(crate) proofs: AtomicU64,
    /// Hints that there may be something.
    pub(crate) hints: AtomicU64,
    /// Whatever was said.
    pub(crate) bytes: AtomicU64,
}

/// How much was told until some moment, or from one to another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) events: u64,
    pub(crate) proofs: u64,
    pub(crate) hints: u64,
    pub(crate) bytes: u64,
}

/// A relay to a server.
pub(crate) struct Relay {
    address: SocketAddr,
    told: Arc<Told>,
}

// === impl Told ===

impl Told {
    pub(crate) fn count(&self) -> Count {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Count {
            events: read(&self.events),
            proofs: read(&self.proofs),
            hints: read(&self.hints),
            bytes: read(&self.bytes),
        }
    }
}

/// Counts one more of something.
pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::SeqCst);
}

// === impl Count ===

impl Sub for Count {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            events: self.events - before.events,
            proofs: self.proofs - before.proofs,
            hints: self.hints - before.hints,
            bytes: self.bytes - before.bytes,
        }
    }
}

// === impl Relay ===

impl Relay {
    /// Relays to `upstream` until the program ends.
    pub(crate) async fn start<M: Meter>(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Told::default());
        let telling = told.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(upstream).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, |_| {}));
                let (mut meter, told) = (M::default(), telling.clone());
                let count = move |bytes: &[u8]| {
                    add(&told.bytes, u64::try_from(bytes.len()).unwrap());
                    meter.read(bytes, &told);
                };
                tokio::spawn(pass(from_server, to_client, count));
            }
        });
        Self { address, told }
    }

    /// The URL of the server, led through here.
    pub(crate) fn url(&self, url: &str, upstream: SocketAddr) -> String {
        let led = url.replace(&upstream.to_string(), &self.address.to_string());
        assert_ne!(led, url, "the URL names the server by its address");
        led
    }

    /// What has been told so far.
    pub(crate) fn count(&self) -> Count {
        self.told.count()
    }
}

/// Passes bytes on, until one side ends.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        see(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
