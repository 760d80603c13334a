//! The order of events and barriers, forced to meet.

use std::sync::Arc;
use std::time::Duration;

use anynode::store::open;
use anynode_core::{NodeId, Store};
use anynode_lab::server::{Kind, Server};
use redis::aio::MultiplexedConnection;
use tokio::time::sleep;

use crate::scene::{logout, read_until, session, tells_revoked, until_passed};

/// Rounds in which a write and a barrier wait at the server together.
const ROUNDS: usize = 400;

/// A write of another node and a barrier reach the server while it is busy, so that it performs
/// both in one turn. A barrier may overtake what was performed in its turn, and never what was
/// acknowledged before it was sent.
async fn check(kind: Kind) {
    let server = Server::start(kind).await.unwrap();
    let url = server.url();
    let client = redis::Client::open(url.as_str()).unwrap();
    let spinner = client.get_multiplexed_async_connection().await.unwrap();
    let (watcher, writer) = (open(&url).await.unwrap(), open(&url).await.unwrap());
    let node = NodeId::new("watcher").unwrap();
    let mut channel = watcher.watch(&node).await.unwrap();
    let (mut met, mut missing) = (0, 0);
    for round in 0..ROUNDS {
        let handle = session(&writer).await;
        until_passed(channel.as_mut()).await;
        let busy = spin(spinner.clone());
        // On its way before the others are sent. Too short a pause shows in how many met.
        sleep(Duration::from_micros(500)).await;
        let mut revoke = tokio::spawn({
            let writer: Arc<dyn Store> = writer.clone();
            async move { writer.revoke(&logout(handle)).await.unwrap() }
        });
        let mut events = if round % 2 == 0 {
            sleep(Duration::from_micros(500)).await;
            let barrier = channel.barrier().await.unwrap();
            met += usize::from(!revoke.is_finished());
            let mut events = read_until(channel.as_mut(), barrier).await;
            (&mut revoke).await.unwrap();
            events.extend(until_passed(channel.as_mut()).await);
            events
        } else {
            // Nothing of the channel is read between the acknowledgement and the barrier.
            (&mut revoke).await.unwrap();
            until_passed(channel.as_mut()).await
        };
        events.retain(|event| tells_revoked(std::slice::from_ref(event), handle));
        missing += usize::from(events.is_empty());
        busy.await.unwrap();
    }
    println!("{kind}: {met} of {ROUNDS} writes and barriers met, {missing} were told too late");
    assert_eq!(missing, 0, "acknowledged before the barrier began");
    assert!(met >= ROUNDS / 10, "only {met} barriers met a write");
}

/// Keeps the server busy for some milliseconds from now on.
fn spin(mut connection: MultiplexedConnection) -> tokio::task::JoinHandle<()> {
    const SPIN: &str = "local x = 0 for i = 1, 500000 do x = x + 1 end return x";
    tokio::spawn(async move {
        let spinning = redis::cmd("EVAL").arg(SPIN).arg(0).take();
        spinning.exec_async(&mut connection).await.unwrap();
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_barrier_overtakes_an_acknowledged_write_on_redis() {
    check(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_barrier_overtakes_an_acknowledged_write_on_valkey_8() {
    check(Kind::Valkey8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_barrier_overtakes_an_acknowledged_write_on_valkey_9() {
    check(Kind::Valkey9).await;
}
