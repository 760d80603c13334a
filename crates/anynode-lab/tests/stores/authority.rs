//! What the laws cannot ask: who may answer, and what goes through when nothing else does.

use std::time::Duration;

use anynode_core::store::{Create, ErrorKind, Revoke};
use anynode_core::{
    Cause, Device, Draft, Handle, Kind as RecordKind, Moment, Payload, SecretHash, Version, WriteId,
};
use anynode_lab::server::{Kind, Server};

fn draft(number: u8) -> Draft {
    Draft {
        handle: Handle::from_bytes([number; 16]),
        kind: RecordKind::Session,
        secret: SecretHash::from_bytes([number; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([number; 8])),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(3600),
        deadline: Moment::After(Duration::from_secs(3600)),
        payload: Payload::new(*b"{}"),
        device: Device::default(),
    }
}

#[tokio::test]
async fn a_server_that_is_no_primary_answers_no_load() {
    let server = Server::start(Kind::RedisSentinel).await.unwrap();
    let store = anynode::store::open(&server.url()).await.unwrap();
    assert!(matches!(
        store.create(&draft(1)).await.unwrap(),
        Create::Created(_)
    ));
    let replica = server.addresses()[1];
    // The functions reach a replica as any other write does.
    let mut answer = String::new();
    for _ in 0..500 {
        let load = [
            "FCALL",
            "anynode_1_load",
            "2",
            "an:k",
            "an:i",
            "an",
            "",
            "alone",
        ];
        answer = format!("{:?}", server.command_at(replica, &load).await);
        if !answer.contains("Function not found") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(answer.to_ascii_lowercase().contains("readonly"), "{answer}");
}

#[tokio::test]
async fn a_full_redis_still_revokes() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = anynode::store::open(&server.url()).await.unwrap();
    store.create(&draft(1)).await.unwrap();
    let handle = draft(1).handle;
    // Less than the server itself takes.
    server
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .await
        .unwrap();
    let refused = store.create(&draft(2)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(store.load(&handle).await.unwrap().is_some());
    store
        .revoke(&Revoke::session(handle, Cause::Admin))
        .await
        .unwrap();
    assert_eq!(store.load(&handle).await.unwrap(), None);
}
