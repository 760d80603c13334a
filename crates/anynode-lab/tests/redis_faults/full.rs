//! A server whose memory is full (L13).

use anynode::store::open;
use anynode_core::{Cause, ErrorKind, Event, NodeId, Revoke, Roll};
use anynode_lab::server::{Kind, Server};

use crate::scene::{
    created, draft, draft_of, is_alive, logout, session, tells_revoked, until_passed, user,
};

/// How often a call of the roll is answered.
const ANSWERS_MAX: usize = 100;

async fn check(kind: Kind) {
    let server = Server::start(kind).await.unwrap();
    let store = open(&server.url()).await.unwrap();
    let (ada, handle) = (user("ada"), session(&store).await);
    let hers = created(&store, &draft_of(&ada)).await.record.handle;
    let mut early = store.watch(&NodeId::new("early").unwrap()).await.unwrap();
    let full = ["CONFIG", "SET", "maxmemory", "1"];
    server.command(&full).await.unwrap();
    let refused = store.create(&draft()).await.expect_err("full");
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(is_alive(&store, &handle).await, "a full store loads");
    until_passed(early.as_mut()).await;
    let mut late = store.watch(&NodeId::new("late").unwrap()).await.unwrap();
    store.revoke(&logout(handle)).await.unwrap();
    let everywhere = Revoke::user(ada.clone(), Cause::User);
    store.revoke(&everywhere).await.unwrap();
    for channel in [&mut early, &mut late] {
        let events = until_passed(channel.as_mut()).await;
        assert!(tells_revoked(&events, handle));
        let told = |event: &_| matches!(event, Event::User(user, _) if *user == ada);
        assert!(events.iter().any(told));
    }
    assert!(!is_alive(&store, &handle).await && !is_alive(&store, &hers).await);
    assert_eq!(store.nodes().await.unwrap().len(), 2);
    let Roll::Called(roll) = store.call_roll().await.unwrap() else {
        panic!("nodes hold leases");
    };
    let events = until_passed(early.as_mut()).await;
    assert!(events.contains(&Event::Roll(roll)), "{events:?}");
    // What is silent for too long is forgotten with its answer, so it is given until it is there.
    let mut is_told = false;
    for _ in 0..ANSWERS_MAX {
        early.answer(roll).await.unwrap();
        until_passed(early.as_mut()).await;
        let nodes = store.nodes().await.unwrap();
        is_told |= nodes.iter().any(|entry| entry.answered == Some(roll));
    }
    assert!(is_told, "a full store takes no answer");
}

#[tokio::test]
async fn a_full_redis_still_revokes_and_watches() {
    check(Kind::Redis).await;
}

#[tokio::test]
async fn a_full_valkey_8_still_revokes_and_watches() {
    check(Kind::Valkey8).await;
}

#[tokio::test]
async fn a_full_valkey_9_still_revokes_and_watches() {
    check(Kind::Valkey9).await;
}
