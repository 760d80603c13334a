//! How connections end, and how new ones do not begin.

use std::io::ErrorKind;

use anynode_lab::fault::{Fault, Proxy, Way};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Client, World, soon};

#[tokio::test]
async fn a_reset_ends_what_is_open_and_what_is_opened() {
    let world = World::new().await;
    let mut open = world.client_under(Fault::Reset).await;
    assert_eq!(
        open.read().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    world.wait_until_server_saw_the_end().await;
    let mut new = world.client().await;
    assert_eq!(
        new.read().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    world.proxy.heal();
    assert_eq!(world.client().await.ask("anew").await, "anew");
}

#[tokio::test]
async fn a_reset_that_is_over_at_once_ends_what_was_open_all_the_same() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::Reset).await;
    world.proxy.heal();
    assert_eq!(
        client.read().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn a_cut_ends_connections_in_order() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::Cut).await;
    assert_eq!(client.read().await.unwrap(), b"");
    world.wait_until_server_saw_the_end().await;
    assert_eq!(world.client().await.read().await.unwrap(), b"");
}

#[tokio::test]
async fn a_half_open_connection_is_silent_and_later_reset() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::HalfOpen).await;
    world.wait_until_server_saw_the_end().await;
    client.send("to nobody").await;
    assert!(client.hears_nothing().await);
    assert!(!world.server_saw("to nobody"));
    let mut new = world.client().await;
    new.send("to nobody").await;
    assert!(new.hears_nothing().await);
    world.proxy.heal();
    assert!(client.hears_nothing().await, "nobody tells it by itself");
    client.send("anybody?").await;
    assert_eq!(
        client.read().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn a_black_hole_swallows_the_end_as_well() {
    let world = World::new().await;
    let mut client = world.client_under(Fault::BlackHole(Way::ToClient)).await;
    client.0.shutdown().await.unwrap();
    world.wait_until_server_saw_the_end().await;
    assert!(client.hears_nothing().await);
}

#[tokio::test]
async fn new_connections_are_refused_while_open_ones_go_on() {
    let world = World::new().await;
    let mut open = world.client_under(Fault::Refuse).await;
    soon(refused(&world)).await;
    assert_eq!(open.ask("still here").await, "still here");
    world.proxy.heal();
    assert_eq!(soon(healed(&world)).await.ask("anew").await, "anew");
}

/// Waits until a connection is refused. The proxy may hear of that a moment later than it was
/// told, and until then resets whom it lets in.
async fn refused(world: &World) {
    loop {
        match world.try_client().await {
            Ok(mut client) => assert!(client.read().await.is_err()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => return assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        }
    }
}

/// Waits until a connection is not refused any more.
async fn healed(world: &World) -> Client {
    loop {
        if let Ok(client) = world.try_client().await {
            return client;
        }
    }
}

#[tokio::test]
async fn who_comes_while_there_is_no_server_is_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let proxy = Proxy::start(gone, 1).await.unwrap();
    let mut client = Client(TcpStream::connect(proxy.address()).await.unwrap());
    assert_eq!(
        client.read().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}
