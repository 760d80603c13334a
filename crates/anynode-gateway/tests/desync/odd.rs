//! A backend whose answer to one target is anything a test likes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A server that answers `/odd` with given bytes and every other target with itself.
pub(crate) struct Odd {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

// === impl Odd ===

impl Odd {
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let bytes = Arc::clone(&bytes);
                thread::spawn(move || serve(stream.unwrap(), &bytes));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// How many connections were ever accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, odd: &[u8]) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        head.extend_from_slice(&buffer[..length]);
        if !head.windows(4).any(|four| four == b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let target = text.split(' ').nth(1).unwrap();
        let own = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}",
            target.len()
        );
        let answer = if target == "/odd" {
            odd
        } else {
            own.as_bytes()
        };
        if stream.write_all(answer).is_err() {
            return;
        }
        head.clear();
    }
}
