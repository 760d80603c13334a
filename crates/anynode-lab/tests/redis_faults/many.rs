//! Channels that follow several primaries, and primaries that change.

use std::sync::Arc;

use anynode::store::open;
use anynode_core::{Channel, Durability, ErrorKind, Event, NodeId, Store};
use anynode_lab::server::{Kind, Server};
use tokio::time::timeout;

use crate::scene::{PATIENCE, eventually, is_alive, logout, session, tells_revoked, until_passed};

/// Sessions enough for every primary of a cluster to have some.
const SESSIONS: usize = 24;

async fn watch(store: &Arc<dyn Store>, name: &str) -> Box<dyn Channel> {
    let mut channel = store.watch(&NodeId::new(name).unwrap()).await.unwrap();
    // Members of a young cluster take replicas for primaries until they hear that they are none.
    check_passes(channel.as_mut()).await;
    channel
}

/// The channel is lost, comes back with a flush, and then works.
async fn check_loss(channel: &mut dyn Channel) {
    let mut lost = false;
    let back = async {
        loop {
            match channel.next().await {
                Ok(Event::Flush) if lost => break,
                Ok(_) => {
                    // Nothing is heard of a primary that ended but by the next barrier.
                    let _ = channel.barrier().await;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    lost = true;
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    };
    timeout(PATIENCE, back).await.unwrap();
}

/// Barriers pass again: a cluster that has just failed over refuses some.
async fn check_passes(channel: &mut dyn Channel) {
    let passes = async {
        loop {
            if let Ok(barrier) = channel.barrier().await {
                loop {
                    match channel.next().await {
                        Ok(Event::Passed(id, _)) if id == barrier => return,
                        Ok(_) => {}
                        Err(_) => break,
                    }
                }
            }
            let _ = channel.next().await;
        }
    };
    timeout(PATIENCE, passes).await.unwrap();
}

async fn check_fail_over(kind: Kind) {
    let mut server = Server::start(kind).await.unwrap();
    let (node, other) = (
        open(&server.url()).await.unwrap(),
        open(&server.url()).await.unwrap(),
    );
    let mut channel = watch(&node, "node").await;
    let mut handles = Vec::new();
    for _ in 0..SESSIONS {
        handles.push(session(&other).await);
    }
    for handle in &handles {
        let revoked = other.revoke(&logout(*handle)).await.unwrap();
        assert_eq!(revoked.durability, Durability::Reasserted);
    }
    let events = until_passed(channel.as_mut()).await;
    for handle in &handles {
        assert!(tells_revoked(&events, *handle), "a primary is not followed");
    }
    assert_eq!(channel.snapshot().await.unwrap().revoked.len(), SESSIONS);
    server.fail_over().await.unwrap();
    check_loss(channel.as_mut()).await;
    check_passes(channel.as_mut()).await;
    for node in [&node, &other] {
        for handle in &handles {
            eventually("the new primary answers", || async {
                node.load(handle).await.is_ok()
            })
            .await;
            assert!(!is_alive(node, handle).await, "a revoked session came back");
        }
    }
    assert_eq!(node.nodes().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_follows_the_primaries_of_a_cluster_through_a_fail_over() {
    check_fail_over(Kind::RedisCluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_follows_the_primary_that_sentinels_name() {
    check_fail_over(Kind::RedisSentinel).await;
}

/// A slot moves to another primary while the channel is open. Its keys are told by the primary
/// that has them now, before the barrier passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_to_a_slot_that_moved_comes_before_the_barrier() {
    let server = Server::start(Kind::RedisCluster).await.unwrap();
    let store = open(&server.url()).await.unwrap();
    let mut channel = watch(&store, "node").await;
    let handle = session(&store).await;
    let key = format!("an:k:s:{{{}}}:{handle}", bucket(&handle));
    move_slot_of(&server, &key).await;
    assert!(is_alive(&store, &handle).await);
    store.revoke(&logout(handle)).await.unwrap();
    let mut told = false;
    while !told {
        let barrier = channel.barrier().await;
        loop {
            match timeout(PATIENCE, channel.next()).await.unwrap() {
                Ok(Event::Revoked(stone)) => told |= stone.handle == handle,
                // The snapshot is read again then, and has it.
                Ok(Event::Flush) => {
                    let snapshot = channel.snapshot().await.unwrap();
                    told |= snapshot.revoked.iter().any(|stone| stone.handle == handle);
                }
                Ok(Event::Passed(id, _)) if barrier.as_ref().is_ok_and(|begun| *begun == id) => {
                    assert!(
                        told,
                        "a barrier passed a write that was acknowledged before it"
                    );
                    break;
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}

fn bucket(handle: &anynode_core::Handle) -> String {
    let bytes = handle.as_bytes();
    format!("{:02x}{:x}", bytes[0], bytes[1] >> 4)
}

/// Moves the slot of a key, with its keys, from its primary to another one.
async fn move_slot_of(server: &Server, key: &str) {
    let slot = server.command(&["CLUSTER", "KEYSLOT", key]).await.unwrap();
    let mut primaries = Vec::new();
    for address in server.addresses() {
        let role = server.command_at(address, &["ROLE"]).await.unwrap();
        if role.starts_with("master") {
            let id = server
                .command_at(address, &["CLUSTER", "MYID"])
                .await
                .unwrap();
            let count = ["CLUSTER", "COUNTKEYSINSLOT", &slot];
            let holds = server.command_at(address, &count).await.unwrap() != "0";
            primaries.push((address, id, holds));
        }
    }
    let from = primaries.iter().find(|one| one.2).unwrap();
    let to = primaries.iter().find(|one| !one.2).unwrap();
    let importing = ["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.1];
    server.command_at(to.0, &importing).await.unwrap();
    let migrating = ["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.1];
    server.command_at(from.0, &migrating).await.unwrap();
    let keys = ["CLUSTER", "GETKEYSINSLOT", &slot, "100"];
    let keys = server.command_at(from.0, &keys).await.unwrap();
    let port = to.0.port().to_string();
    for key in keys.lines() {
        let migrate = ["MIGRATE", "127.0.0.1", &port, key, "0", "5000"];
        server.command_at(from.0, &migrate).await.unwrap();
    }
    let done = ["CLUSTER", "SETSLOT", &slot, "NODE", &to.1];
    for address in [to.0, from.0] {
        server.command_at(address, &done).await.unwrap();
    }
}
