//! A server whose memory is full.

use anynode_core::{Effect, ErrorKind};
use anynode_lab::server::{Kind, Server};

use super::*;

/// Fills the memory of a server to the bound that it gets.
async fn fill(server: &Server) {
    let words = ["CONFIG", "SET", "maxmemory", "1"];
    server.command(&words).await.unwrap();
}

/// A full server refuses what would make it grow, and says what to do; it still loads, touches,
/// lists, revokes sessions and users, and sweeps: also when it has forgotten its functions.
#[tokio::test]
async fn a_full_server_still_ends_and_reads_sessions() {
    for kind in [Kind::Redis, Kind::Valkey8, Kind::Valkey9] {
        for forgets in [false, true] {
            check(kind, forgets).await;
        }
    }
}

async fn check(kind: Kind, forgets: bool) {
    let server = Server::start(kind).await.unwrap();
    let store = open(&server).await;
    let ada = user("ada");
    let one = created(&*store, &draft_of(&ada, 1, 1)).await.record.handle;
    let other = created(&*store, &draft_of(&ada, 2, 2)).await.record.handle;
    fill(&server).await;
    if forgets {
        server.command(&["FUNCTION", "FLUSH"]).await.unwrap();
    }
    let refused = store.create(&draft(3, 3)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{kind}");
    assert!(refused.to_string().contains("maxmemory"), "{refused}");
    assert!(store.load(&one).await.unwrap().is_some());
    let touch = anynode_core::expiry::Touch {
        handle: one,
        age: Duration::ZERO,
    };
    store.touch(&[touch]).await.unwrap();
    let listing = store.list(&ada, &anynode_core::Page::FIRST).await.unwrap();
    assert_eq!(listing.sessions.len(), 2);
    revoked(&*store, one).await;
    assert!(store.load(&one).await.unwrap().is_none());
    let everywhere = Revoke::user(ada.clone(), Cause::User);
    let answer = store.revoke(&everywhere).await.unwrap();
    assert!(matches!(answer.effect, Effect::User(_)));
    assert!(store.load(&other).await.unwrap().is_none());
    store.sweep(10).await.unwrap();
}
