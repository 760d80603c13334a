//! Servers that hang, break and forget.

use anynode_core::{ErrorKind, Replace};
use anynode_lab::{
    fault::{Act, Fault, Proxy, Way, Which},
    server::{Kind, Persistence, Server, Setup, Whom},
};

use super::*;

/// A server that stands still: a load is unavailable and a write indeterminate, each within its
/// deadline, and both are answered again once it goes on, over a new connection.
#[tokio::test]
async fn a_call_on_a_server_that_hangs_ends_within_its_deadline() {
    let mut server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    server.pause().await.unwrap();
    let began = now();
    let load = store.load(&live.record.handle).await.unwrap_err();
    assert_eq!(load.kind(), ErrorKind::Unavailable);
    assert!(now() - began < DEADLINE + SLACK);
    // The connection was given up, and making another hangs as well: nothing was sent.
    let began = now();
    let replace = store.replace(&live.record.version, &next(&live, 2)).await;
    assert_eq!(replace.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(now() - began < DEADLINE + SLACK);
    server.resume().await.unwrap();
    assert!(is_alive(&*store, &live.record.handle).await);
    replaced(&*store, &live, &next(&live, 3)).await;
}

/// A write that was sent to a server that stands still may have happened, and says so.
#[tokio::test]
async fn a_write_that_was_sent_and_not_answered_is_indeterminate() {
    let mut server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    server.pause().await.unwrap();
    let draft = next(&live, 2);
    let answer = store.replace(&live.record.version, &draft).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Indeterminate);
    server.resume().await.unwrap();
    // It was in the server's buffer and is performed: the caller finds its own write id.
    let kept = store.load(&draft.handle).await.unwrap().unwrap();
    let found = kept.record.version;
    assert!(found == draft.version || found == live.record.version);
}

/// A connection that is cut is made anew within the call, and a write is not doubled.
#[tokio::test]
async fn a_connection_that_is_cut_is_made_anew_within_the_call() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let mut live = created(&*store, &draft(1, 1)).await;
    for write in 2..12 {
        let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
        server.command(&kill).await.unwrap();
        live = replaced(&*store, &live, &next(&live, write)).await;
    }
    assert_eq!(live.record.version.counter, 11);
    let load = store.load(&live.record.handle).await.unwrap().unwrap();
    assert_eq!(load.record, live.record);
}

/// A store behind a proxy, over which a server can be lost in ways that servers do not have.
async fn open_behind(server: &Server) -> (Proxy, Arc<dyn Store>) {
    let proxy = Proxy::start(server.addresses()[0], 1).await.unwrap();
    let url = format!("redis://{}/?prefix=an", proxy.address());
    let store = anynode::store::open(&url).await.unwrap();
    created(&*store, &draft(200, 200)).await;
    (proxy, store)
}

/// A write that was performed and whose reply was lost is tried again and recognises itself: it
/// is answered as done, and done once.
#[tokio::test]
async fn a_write_whose_reply_was_lost_recognises_itself() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let (proxy, store) = open_behind(&server).await;
    for (first, act) in [(0, Act::Reset), (1, Act::Cut)] {
        let lose = || {
            let which = Which::Nth(1);
            proxy.set(Fault::Reply { which, act });
        };
        lose();
        let mut live = created(&*store, &draft(first, 1)).await;
        for write in 2..8 {
            lose();
            live = replaced(&*store, &live, &next(&live, write)).await;
        }
        assert_eq!(live.record.version.counter, 7, "{act:?}");
        lose();
        assert!(store.load(&live.record.handle).await.unwrap().is_some());
        lose();
        revoked(&*store, live.record.handle).await;
        assert!(store.load(&live.record.handle).await.unwrap().is_none());
    }
}

/// A reply that came as nonsense, or seems to go on for ever, tells nothing of its write: it is
/// recognised by the next try, or said to be unknown; and the next call is answered.
#[tokio::test]
async fn nonsense_in_place_of_a_reply_is_not_believed() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let (proxy, store) = open_behind(&server).await;
    let mut live = created(&*store, &draft(1, 1)).await;
    for write in 2..8 {
        let (which, act) = (Which::Nth(1), Act::Garble);
        proxy.set(Fault::Reply { which, act });
        let draft = next(&live, write);
        match store.replace(&live.record.version, &draft).await {
            Ok(answer) => assert!(matches!(answer, Replace::Replaced(_)), "{answer:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Indeterminate),
        }
        proxy.heal();
        live = store.load(&draft.handle).await.unwrap().unwrap();
        assert_eq!(live.record.version, draft.version, "it was performed, once");
    }
}

/// A connection that swallows what is sent is given up at the deadline, and the next call has
/// another one.
#[tokio::test]
async fn a_half_open_connection_is_given_up_at_the_deadline() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let (proxy, store) = open_behind(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    proxy.set(Fault::HalfOpen);
    let began = now();
    let load = store.load(&live.record.handle).await.unwrap_err();
    assert_eq!(load.kind(), ErrorKind::Unavailable);
    assert!(now() - began < DEADLINE + SLACK);
    proxy.heal();
    assert!(is_alive(&*store, &live.record.handle).await);
}

/// A server that is gone is unavailable long before the deadline, and used again when it is back.
#[tokio::test]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let setup = Setup {
        persistence: Persistence::Always,
        ..Setup::default()
    };
    let mut server = Server::start_with(Kind::Redis, &setup).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    server.kill().await.unwrap();
    let began = now();
    let load = store.load(&live.record.handle).await.unwrap_err();
    assert_eq!(load.kind(), ErrorKind::Unavailable);
    assert!(now() - began < DEADLINE, "it refuses connections at once");
    server.restart().await.unwrap();
    assert!(is_alive(&*store, &live.record.handle).await);
    assert!(matches!(
        store.replace(&live.record.version, &next(&live, 2)).await,
        Ok(Replace::Replaced(_))
    ));
}

/// Functions that someone flushed are given again, in the call that misses them.
#[tokio::test]
async fn functions_that_were_flushed_are_loaded_again() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    for _ in 0..3 {
        server.command(&["FUNCTION", "FLUSH"]).await.unwrap();
        assert!(store.load(&live.record.handle).await.unwrap().is_some());
    }
    server.command(&["FUNCTION", "FLUSH"]).await.unwrap();
    let batch: Vec<_> = (0..50)
        .map(|last| anynode_core::expiry::Touch {
            handle: draft(last, last).handle,
            age: Duration::ZERO,
        })
        .collect();
    store.touch(&batch).await.unwrap();
}

/// After a fail-over the new primary is found, and what was written is read from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_is_followed() {
    for kind in [Kind::RedisSentinel, Kind::RedisCluster] {
        let mut server = Server::start(kind).await.unwrap();
        let store = open(&server).await;
        let mut all = Vec::new();
        for first in 0..=255 {
            all.push(created(&*store, &draft(first, 3)).await);
        }
        server.fail_over().await.unwrap();
        for live in &all {
            // Replication is asynchronous: one that was lost is `None`, and no error.
            is_alive(&*store, &live.record.handle).await;
        }
        let fresh = created(&*store, &draft(7, 9)).await;
        assert!(is_alive(&*store, &fresh.record.handle).await);
    }
}

/// A primary that sentinels or an operator turned into a replica answers READONLY: the new one
/// is looked up, and nothing happened on the old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_became_a_replica_is_left() {
    let mut server = Server::start(Kind::RedisSentinel).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    server.fail_over().await.unwrap();
    // The old primary comes back as a replica of the new one, at the address that was known.
    server.restart().await.unwrap();
    assert!(is_alive(&*store, &live.record.handle).await);
    let end = now() + PATIENCE;
    let draft = next(&live, 2);
    while let Err(error) = store.replace(&live.record.version, &draft).await {
        assert!(now() < end, "{error:?}");
    }
}

/// On a network where each round trip takes 500 ms, finding the primary takes longer than a call
/// may: it goes on meanwhile, for the calls that follow.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_is_found_on_a_slow_network_as_well() {
    for kind in [Kind::RedisSentinel, Kind::RedisCluster] {
        let mut server = Server::start(kind).await.unwrap();
        let proxies = server.go_behind_proxies(1, Whom::Everybody).await.unwrap();
        let store = anynode::store::open(&server.url()).await.unwrap();
        let live = created(&*store, &draft(1, 1)).await;
        let delay = Fault::Delay {
            way: Way::Both,
            by: Duration::from_millis(250),
            jitter: Duration::ZERO,
        };
        for fault in [Fault::Reset, delay] {
            proxies.iter().for_each(|proxy| proxy.set(fault.clone()));
        }
        let end = now() + PATIENCE;
        while let Err(error) = store.load(&live.record.handle).await {
            assert!(now() < end, "{kind}: {error:?}");
        }
    }
}

fn delay(millis: u64) -> Fault {
    Fault::Delay {
        way: Way::ToClient,
        by: Duration::from_millis(millis),
        jitter: Duration::ZERO,
    }
}

/// With TLS the greeting takes several round trips, and an attempt to connect had one second.
#[tokio::test]
async fn a_server_over_tls_is_opened_where_a_round_trip_takes_half_a_second() {
    let mut server = Server::start(Kind::RedisTls).await.unwrap();
    let proxies = server.go_behind_proxies(1, Whom::Clients).await.unwrap();
    for proxy in &proxies {
        proxy.set(delay(500));
    }
    let store = open(&server).await;
    created(&*store, &draft(1, 1)).await;
}

/// All of what is revoked had the time of one call, however much it was and however slow the way.
#[tokio::test]
async fn what_is_revoked_is_read_for_as_long_as_answers_come() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let (proxy, store) = open_behind(&server).await;
    let handle = draft(1, 1).handle;
    created(&*store, &draft(1, 1)).await;
    revoked(&*store, handle).await;
    let node = anynode_core::NodeId::new("node").unwrap();
    let mut channel = store.watch(&node).await.unwrap();
    proxy.set(delay(400));
    let began = now();
    let snapshot = channel.snapshot().await.unwrap();
    assert!(now() - began > DEADLINE, "it took more than one call may");
    assert!(snapshot.revoked.iter().any(|stone| stone.handle == handle));
}
