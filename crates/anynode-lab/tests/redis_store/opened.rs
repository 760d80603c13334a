//! What is opened and what is refused, and that no message tells a secret.

use anynode_core::{Deposed, ErrorKind, Roll, Verdict};
use anynode_lab::server::{Kind, Server};

use super::*;

/// A server that evicts is refused, unless that was allowed by name; `inspect` says so.
#[tokio::test]
async fn a_server_that_evicts_is_refused_unless_allowed_by_name() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let words = ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"];
    server.command(&words).await.unwrap();
    let refused = anynode::store::open(&server.fresh_url()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("noeviction"), "{refused}");
    let url = format!("{}&eviction=allowed", server.fresh_url());
    let store = anynode::store::open(&url).await.unwrap();
    created(&*store, &draft(1, 1)).await;
    let facts = anynode::store::inspect(&server.url()).await.unwrap();
    let note = facts.notes.iter().find(|it| it.point == "eviction policy");
    let note = note.unwrap();
    assert_eq!(note.found, "allkeys-lru");
    assert!(matches!(note.verdict, Verdict::Unsafe { .. }));
}

/// The bound on a deposed primary is that of the server's settings.
#[tokio::test]
async fn the_facts_tell_how_long_a_deposed_primary_answers() {
    let single = Server::start(Kind::Redis).await.unwrap();
    let facts = anynode::store::inspect(&single.url()).await.unwrap();
    assert_eq!(facts.deposed, Deposed::Never);
    let sentinel = Server::start(Kind::RedisSentinel).await.unwrap();
    for (replicas, expected) in [
        ("0", Deposed::Unbounded),
        // There are two: one is promoted, and the other cannot follow both.
        ("1", Deposed::Within(Duration::from_secs(4))),
    ] {
        let words = ["CONFIG", "SET", "min-replicas-to-write", replicas];
        sentinel.command(&words).await.unwrap();
        let words = ["CONFIG", "SET", "min-replicas-max-lag", "2"];
        sentinel.command(&words).await.unwrap();
        let facts = anynode::store::inspect(&sentinel.url()).await.unwrap();
        assert_eq!(facts.deposed, expected);
    }
}

/// A primary that lost its replicas may have been deposed: it is not believed, even for a load.
#[tokio::test]
async fn a_primary_without_its_replicas_is_not_believed() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    let words = ["CONFIG", "SET", "min-replicas-to-write", "1"];
    server.command(&words).await.unwrap();
    let load = store.load(&live.record.handle).await.unwrap_err();
    assert_eq!(load.kind(), ErrorKind::Unavailable);
    assert!(load.to_string().contains("min-replicas-to-write"), "{load}");
    let replace = store.replace(&live.record.version, &next(&live, 2)).await;
    let replace = replace.unwrap_err();
    assert_eq!(replace.kind(), ErrorKind::Unavailable, "nothing happened");
}

/// The rights that the documentation of the store names are enough for everything.
#[tokio::test]
async fn the_documented_rights_are_enough_and_fewer_are_a_configuration_error() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let rights = anynode::store::redis::RedisStore::RIGHTS;
    let mut words = vec!["ACL", "SETUSER", "web", "on", ">hunter2", "~an*"];
    words.extend(rights.split(' '));
    server.command(&words).await.unwrap();
    let address = server.addresses()[0];
    let url = format!("redis://web:hunter2@{address}/?prefix=an");
    let store = anynode::store::open(&url).await.unwrap();
    let ada = user("ada");
    let live = created(&*store, &draft_of(&ada, 1, 1)).await;
    let live = replaced(&*store, &live, &next(&live, 2)).await;
    store.list(&ada, &anynode_core::Page::FIRST).await.unwrap();
    store.scan(None, 10).await.unwrap();
    store.inspect().await.unwrap();
    let mut channel = store
        .watch(&anynode_core::NodeId::new("n").unwrap())
        .await
        .unwrap();
    channel.snapshot().await.unwrap();
    channel.barrier().await.unwrap();
    let Roll::Called(roll) = store.call_roll().await.unwrap() else {
        panic!("nodes hold leases");
    };
    let mut is_told = false;
    for _ in 0..100 {
        channel.answer(roll).await.unwrap();
        channel.barrier().await.unwrap();
        let nodes = store.nodes().await.unwrap();
        is_told |= nodes.iter().any(|entry| entry.answered == Some(roll));
    }
    assert!(is_told, "no answer was taken");
    revoked(&*store, live.record.handle).await;
    store
        .revoke(&Revoke::user(ada, Cause::Admin))
        .await
        .unwrap();
    store.sweep(10).await.unwrap();

    server
        .command(&["ACL", "SETUSER", "web", "-fcall"])
        .await
        .unwrap();
    let refused = store.load(&live.record.handle).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(!format!("{refused:?}").contains("web"), "{refused:?}");
}

/// Neither a wrong password nor a dead server makes an error tell what is in the URL.
#[tokio::test]
async fn no_error_tells_the_password_or_the_user() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let words = ["ACL", "SETUSER", "web", "on", ">right", "~*", "+@all"];
    server.command(&words).await.unwrap();
    let address = server.addresses()[0];
    for url in [
        format!("redis://web:hunter2@{address}"),
        format!("redis+cluster://web:hunter2@{address}"),
        "redis://web:hunter2@127.0.0.1:1".to_owned(),
        format!("redis+sentinel://web:hunter2@{address}/name"),
    ] {
        let error = anynode::store::open(&url).await.unwrap_err();
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(!printed.contains("web"), "{printed}");
    }
    let url = format!("redis://web:hunter2@{address}");
    let error = anynode::store::open(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
