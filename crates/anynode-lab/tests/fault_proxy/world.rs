//! A server that answers with what it was sent, a proxy in front of it, and clients.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anynode_lab::fault::{Fault, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Nothing here takes as long.
const BOUND: Duration = Duration::from_secs(10);

/// So long nothing has to arrive for it to be believed that nothing does.
const SILENCE: Duration = Duration::from_millis(150);

pub(crate) struct World {
    pub(crate) proxy: Proxy,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone, Default)]
struct Seen {
    bytes: Vec<u8>,
    ends: usize,
}

pub(crate) struct Client(pub(crate) TcpStream);

/// Waits within a bound.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(BOUND, what).await.expect("it comes within a bound")
}

// === impl World ===

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_seed(1).await
    }

    pub(crate) async fn with_seed(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        tokio::spawn(echo(listener, seen.clone()));
        let proxy = Proxy::start(upstream, seed).await.unwrap();
        Self { proxy, seen }
    }

    pub(crate) async fn try_client(&self) -> io::Result<Client> {
        soon(TcpStream::connect(self.proxy.address()))
            .await
            .map(Client)
    }

    pub(crate) async fn client(&self) -> Client {
        self.try_client().await.unwrap()
    }

    /// A client that has been answered, under a fault that began after that.
    pub(crate) async fn client_under(&self, fault: Fault) -> Client {
        let mut client = self.client().await;
        assert_eq!(client.ask("before").await, "before");
        self.proxy.set(fault);
        client
    }

    pub(crate) fn server_saw(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).contains(text)
    }

    pub(crate) async fn wait_until_server_saw(&self, text: &str) {
        soon(async {
            while !self.server_saw(text) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) async fn wait_until_server_saw_the_end(&self) {
        soon(async {
            while self.seen.lock().unwrap().ends == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

async fn echo(listener: TcpListener, seen: Arc<Mutex<Seen>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let seen = seen.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                seen.lock().unwrap().bytes.extend(&buffer[..count]);
                if stream.write_all(&buffer[..count]).await.is_err() {
                    break;
                }
            }
            seen.lock().unwrap().ends += 1;
        });
    }
}

// === impl Client ===

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        soon(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    pub(crate) async fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        soon(self.0.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        String::from_utf8_lossy(&self.receive(text.len()).await).into_owned()
    }

    /// What the next read gives: a part of what was sent, the end, or an error.
    pub(crate) async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        let count = soon(self.0.read(&mut bytes)).await?;
        bytes.truncate(count);
        Ok(bytes)
    }

    pub(crate) async fn hears_nothing(&mut self) -> bool {
        timeout(SILENCE, self.0.read(&mut [0])).await.is_err()
    }
}
