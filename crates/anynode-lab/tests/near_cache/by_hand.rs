//! What other nodes and people do is seen here, and soon.

use anynode_lab::server::Kind;

use crate::scene::{POSTGRES_DELETES_ALL, REDIS_DELETES_ALL, Scene, handle, payload};

/// Writes and revocations of one node, as the other sees them, and sessions that somebody
/// deletes with the tools of the server.
async fn check(kind: Kind, delete_all: &[&str]) {
    let scene = Scene::on(kind).await;
    let (here, there) = (&scene.here, &scene.there);
    let mut live = there.created(1).await;
    for written in 2..20 {
        here.has_copy(handle(1)).await;
        live = there.replaced(&live, written).await;
        here.sees(handle(1), |found| payload(found) == Some(written))
            .await;
    }
    here.has_copy(handle(1)).await;
    there.revoke(handle(1)).await;
    here.sees(handle(1), |found| found.live.is_none()).await;

    there.created(2).await;
    here.has_copy(handle(2)).await;
    scene.server.command(delete_all).await.unwrap();
    here.sees(handle(2), |found| found.live.is_none()).await;
}

#[tokio::test]
async fn on_redis() {
    check(Kind::Redis, &REDIS_DELETES_ALL).await;
}

#[tokio::test]
async fn on_postgres() {
    check(Kind::Postgres, &POSTGRES_DELETES_ALL).await;
}
