//! More connections at once than anybody accepts, which is no reason to take anybody for dead.

use std::net::SocketAddr;
use std::time::Duration;

use anynode_gateway::{Backend, BackendState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::affinity::{by_cookie, newcomer, text, with_cookies};
use crate::world::{Client, Node, config, start, until, within};

/// A listening socket whose queue holds one connection; the next ones are not answered until it is accepted.
fn with_room_for_one() -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Accepts the next connection, reads a request, answers and closes.
async fn answer_one(listener: &TcpListener) {
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\ncrowded";
    stream.write_all(answer).await.unwrap();
}

#[tokio::test]
async fn a_client_whose_backend_is_only_crowded_waits_and_keeps_it() {
    let (listener, address) = with_room_for_one();
    let other = Node::named("other").await;
    let mut config = by_cookie(&[]);
    config.backends = vec![Backend::new("1", address), other.backend(2)];
    config.limits.connect_timeout = Duration::from_millis(500);
    let gateway = start(config);
    let (newcomer, ()) = tokio::join!(newcomer(&gateway), answer_one(&listener));
    let (cookie, home) = newcomer;
    assert_eq!(home, "crowded");

    let full = TcpStream::connect(address).await.unwrap();
    let pool = gateway.backends();
    let id = pool.states()[0].0;
    let (mut first, mut second) = (
        Client::connect(&gateway).await,
        Client::connect(&gateway).await,
    );
    let (first, ()) = tokio::join!(first.ask(with_cookies(&[&cookie])), async {
        // Its connect meets a full queue. Then there is room for one, which is another client's.
        until(|| pool.in_flight(id) == 1).await;
        drop(within(listener.accept()).await.unwrap());
        let asked = with_cookies(&[&cookie]);
        let (second, ()) = tokio::join!(second.ask(asked), answer_one(&listener));
        assert_eq!(text(&second), "crowded");
        answer_one(&listener).await;
    });
    assert_eq!(text(&first), "crowded");
    assert_eq!(pool.states()[0].1, BackendState::Ready);
    assert_eq!(other.requests(), 0);
    drop(full);
}

#[tokio::test]
async fn five_hundred_connections_find_room_before_one_is_accepted() {
    let node = Node::named("a").await;
    let mut config = config(&[&node]);
    config.limits.connections_max = 1;
    let gateway = start(config);
    let mut open = Vec::new();
    for _ in 0..500 {
        let connecting = TcpStream::connect(gateway.local_addr());
        open.push(within(connecting).await.unwrap());
    }
}
