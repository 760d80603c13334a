//! What peers that do not read cost in memory: a bound for each, however much there is to read.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, wherever its code stands"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anynode_gateway::{Backend, Gateway, GatewayConfig};

/// How many clients do not read a download, and how many backends do not read an upload.
const PEERS: usize = 48;

/// The most memory one of them may cost: both directions of two connections, and as much again.
const BYTES_EACH: u64 = 512 * 1024;

/// What every writer of this test has got rid of.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

fn write_for_ever(mut stream: TcpStream) {
    let block = [7; 64 * 1024];
    while stream.write_all(&block).is_ok() {
        WRITTEN.fetch_add(64 * 1024, Ordering::Relaxed);
    }
}

/// A server that answers GET without end and reads nothing of a POST's body.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut first = [0; 1];
            stream.read_exact(&mut first).unwrap();
            if &first == b"G" {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
                stream.write_all(head).unwrap();
                thread::spawn(move || write_for_ever(stream));
            } else {
                open.push(stream);
            }
        }
    });
    address
}

/// The bytes of memory this process holds.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

/// Waits until nobody gets rid of anything any more.
fn standstill() {
    let mut before = 0;
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = WRITTEN.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return;
        }
        before = now;
    }
}

#[test]
fn peers_that_do_not_read_cost_a_bounded_amount_of_memory() {
    let backends = vec![Backend::new("backend", backend())];
    let config = GatewayConfig::new("127.0.0.1:0".parse().unwrap(), backends);
    let gateway = Gateway::new(config).start().unwrap();
    let connect = || TcpStream::connect(gateway.local_addr()).unwrap();
    let before = resident();
    let mut open = Vec::new();
    for _ in 0..PEERS {
        let mut download = connect();
        download
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        open.push(download);
        let mut upload = connect();
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n";
        upload.write_all(head).unwrap();
        thread::spawn(move || write_for_ever(upload));
    }
    standstill();
    let each = resident().saturating_sub(before) / u64::try_from(2 * PEERS).unwrap();
    println!("{each} bytes each");
    assert!(each < BYTES_EACH, "{each} bytes each");
}
