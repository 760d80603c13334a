//! A relay in front of a server, which sees what a client sends and how often it waits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What a client sends on one connection, message by message.
pub(crate) trait Protocol: Send + 'static {
    type Message: Send + 'static;

    /// Whoever reads the connection with this number, from its first byte.
    fn new(connection: usize) -> Self;

    /// Takes the next bytes, and adds the messages that are whole now.
    fn read(&mut self, bytes: &[u8], messages: &mut Vec<Self::Message>);
}

/// A relay to a server.
pub(crate) struct Relay<P: Protocol> {
    address: SocketAddr,
    seen: Arc<Seen<P>>,
}

struct Seen<P: Protocol> {
    messages: Mutex<Vec<P::Message>>,
    turns: AtomicU64,
}

// === impl Relay ===

impl<P: Protocol> Relay<P> {
    /// Relays to `upstream` until the program ends.
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            messages: Mutex::default(),
            turns: AtomicU64::new(0),
        });
        let seeing = seen.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(upstream).await.unwrap();
                join(client, server, P::new(number), seeing.clone());
            }
        });
        Self { address, seen }
    }

    /// The URL of the server, led through here.
    pub(crate) fn url(&self, url: &str, upstream: SocketAddr) -> String {
        let led = url.replace(&upstream.to_string(), &self.address.to_string());
        assert_ne!(led, url, "the URL names the server by its address");
        led
    }

    /// What was sent since this was last asked.
    pub(crate) fn take(&self) -> Vec<P::Message> {
        std::mem::take(&mut self.seen.messages.lock().unwrap())
    }

    /// How often something was sent after an answer. With one operation at a time these are
    /// its round trips.
    pub(crate) fn turns(&self) -> u64 {
        self.seen.turns.load(Ordering::SeqCst)
    }
}

fn join<P: Protocol>(client: TcpStream, server: TcpStream, protocol: P, seen: Arc<Seen<P>>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let answered = Arc::new(AtomicBool::new(true));
    tokio::spawn(ask(
        from_client,
        to_server,
        protocol,
        seen,
        answered.clone(),
    ));
    tokio::spawn(answer(from_server, to_client, answered));
}

async fn ask<P: Protocol>(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut protocol: P,
    seen: Arc<Seen<P>>,
    answered: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..length];
        if answered.swap(false, Ordering::SeqCst) {
            seen.turns.fetch_add(1, Ordering::SeqCst);
        }
        protocol.read(bytes, &mut seen.messages.lock().unwrap());
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, answered: Arc<AtomicBool>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        answered.store(true, Ordering::SeqCst);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Nothing of what is sent is kept.
pub(crate) struct Unread;

// === impl Unread ===

impl Protocol for Unread {
    type Message = ();

    fn new(_: usize) -> Self {
        Self
    }

    fn read(&mut self, _: &[u8], _: &mut Vec<()>) {}
}
