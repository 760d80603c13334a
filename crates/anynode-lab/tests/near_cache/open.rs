//! Open connections on nodes that are processes of their own: closed wherever their session is ended.

use anynode::store::open;
use anynode_lab::fleet::{Fleet, Plan, Strategy};
use anynode_lab::server::{Kind, Server};
use rustix::process::Signal;

use crate::process::Process;
use crate::scene::{POSTGRES_DELETES_ALL, REDIS_DELETES_ALL, eventually};
use crate::visitor::Visitor;

/// Two nodes on one server: what one of them does to sessions closes the connections to the other.
async fn check(kind: Kind, delete_all: &[&str]) {
    let mut server = Server::start(kind).await.unwrap();
    let url = server.fresh_url();
    let here = Process::node("n1", "near-cache", &url).await;
    let there = Process::node("n2", "near-cache", &url).await;
    let (one, two) = (here.address, there.address);

    let ada = Visitor::logged_in(one, "ada").await;
    let (events, socket) = (ada.events(two).await, ada.socket(two).await);
    ada.does(one, "/logout").await;
    events.closed_by("user").await;
    socket.closed_by("user").await;

    let bob = Visitor::logged_in(one, "bob").await;
    let elsewhere = Visitor::logged_in(two, "bob").await;
    let (spared, other) = (bob.events(two).await, elsewhere.events(two).await);
    bob.does(one, "/logout-elsewhere").await;
    other.closed_by("epoch").await;
    bob.does(one, "/logout").await;
    spared.closed_by("user").await;

    let eve = Visitor::logged_in(one, "eve").await;
    let events = eve.events(two).await;
    server.command(delete_all).await.unwrap();
    events.closed_by("ended").await;

    let joe = Visitor::logged_in(one, "joe").await;
    let mut events = joe.events(two).await;
    there.signal(Signal::STOP);
    joe.does(one, "/logout").await;
    there.signal(Signal::CONT);
    let end = events.end().await;
    assert!(
        ["user", "ended", "unknown"].contains(&end.as_str()),
        "{end}"
    );
    assert_eq!(joe.asks(two).await, 401);

    let kim = Visitor::logged_in(one, "kim").await;
    let mut events = kim.events(two).await;
    server.kill().await.unwrap();
    assert_eq!(events.end().await, "unknown");
    assert_eq!(kim.asks(two).await, 503, "fail closed");
}

#[tokio::test]
async fn on_redis() {
    check(Kind::Redis, &REDIS_DELETES_ALL).await;
}

#[tokio::test]
async fn on_postgres() {
    check(Kind::Postgres, &POSTGRES_DELETES_ALL).await;
}

/// Receipts wait for whoever is registered: a node is so by its open connections alone.
#[tokio::test]
async fn a_node_without_a_near_cache_leaves_the_registry_as_it_ends() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let url = server.fresh_url();
    let mut node = Process::node("n1", "central", &url).await;
    let ada = Visitor::logged_in(node.address, "ada").await;
    let events = ada.events(node.address).await;
    let store = open(&url).await.unwrap();
    let registered = async || store.nodes().await.unwrap().len();
    eventually("it is registered", async || registered().await == 1).await;
    node.signal(Signal::TERM);
    node.ended().await;
    assert_eq!(registered().await, 0);
    drop(events);
}

/// Without a near cache, and through the gateway, which chooses another node for each request.
#[tokio::test]
async fn through_the_gateway_on_redis() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let plan = Plan {
        store: Some(server.fresh_url()),
        program: Some(env!("CARGO_BIN_EXE_anynode-lab").into()),
        ..Plan::new(Strategy::Central, 3)
    };
    let fleet = Fleet::start(&plan).await.unwrap();
    let gateway = fleet.address();
    let ada = Visitor::logged_in(gateway, "ada").await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push((ada.events(gateway).await, ada.socket(gateway).await));
    }
    ada.does(gateway, "/logout-everywhere").await;
    for (events, socket) in all {
        events.closed_by("epoch").await;
        socket.closed_by("epoch").await;
    }
}

#[tokio::test]
async fn what_is_open_keeps_no_node_from_stopping() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let mut node = Process::node("n1", "near-cache", &server.fresh_url()).await;
    let ada = Visitor::logged_in(node.address, "ada").await;
    let mut events = ada.events(node.address).await;
    node.signal(Signal::TERM);
    assert_eq!(events.end().await, "it broke off");
    node.ended().await;
}
