//! What other nodes and people do is seen here, and soon.

use anynode_lab::server::Kind;

use crate::scene::{Scene, handle, payload};

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
    let script =
        "for _, key in ipairs(redis.call('KEYS', '*:k:s:*')) do redis.call('DEL', key) end";
    check(Kind::Redis, &["EVAL", script, "0"]).await;
}

#[tokio::test]
async fn on_postgres() {
    let delete = "DO $$ DECLARE s text; BEGIN
        FOR s IN SELECT schemaname FROM pg_tables WHERE tablename = 'record' LOOP
            EXECUTE format('DELETE FROM %I.record', s);
        END LOOP; END $$";
    check(Kind::Postgres, &[delete]).await;
}
