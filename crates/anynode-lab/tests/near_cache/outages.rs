//! What a node does while its server or its channel is away, and after that.

use anynode_core::{ErrorKind, Store};
use anynode_lab::server::Kind;

use crate::scene::{LEASE, Scene, eventually, handle, payload};

/// The server is killed: no copy is used after a lease, and nothing is made up. It comes back:
/// copies are used again.
async fn check_kill(kind: Kind) {
    let mut scene = Scene::on(kind).await;
    let here = scene.here.clone();
    here.created(1).await;
    here.has_copy(handle(1)).await;
    scene.server.kill().await.unwrap();
    let killed = here.0.now();
    eventually("the copy is out of use", async || {
        here.copy(handle(1)).is_none()
    })
    .await;
    assert!(
        here.0.now() - killed <= LEASE + LEASE / 10,
        "within the lease"
    );
    let error = here.0.load_for(&here.wanted(handle(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    scene.server.restart().await.unwrap();
    here.trusted().await;
    here.created(2).await;
    here.has_copy(handle(2)).await;
}

#[tokio::test]
async fn redis_is_killed() {
    check_kill(Kind::Redis).await;
}

#[tokio::test]
async fn postgres_is_killed() {
    check_kill(Kind::Postgres).await;
}

/// The server hangs and its connections stay open: the case that leases exist for.
async fn check_pause(kind: Kind) {
    let mut scene = Scene::on(kind).await;
    let here = scene.here.clone();
    here.created(1).await;
    here.has_copy(handle(1)).await;
    scene.server.pause().await.unwrap();
    let paused = here.0.now();
    eventually("the copy is out of use", async || {
        here.copy(handle(1)).is_none()
    })
    .await;
    assert!(
        here.0.now() - paused <= LEASE + LEASE / 10,
        "within the lease"
    );
    scene.server.resume().await.unwrap();
    here.trusted().await;
    here.has_copy(handle(1)).await;
}

#[tokio::test]
async fn redis_hangs() {
    check_pause(Kind::Redis).await;
}

#[tokio::test]
async fn postgres_hangs() {
    check_pause(Kind::Postgres).await;
}

/// Another primary takes over: what is written there is seen, and what was revoked stays so.
async fn check_fail_over(kind: Kind) {
    let mut scene = Scene::on(kind).await;
    let (here, there) = (scene.here.clone(), scene.there.clone());
    let live = there.created(1).await;
    there.created(2).await;
    for number in [1, 2] {
        here.has_copy(handle(number)).await;
    }
    there.revoke(handle(2)).await;
    scene.server.fail_over().await.unwrap();
    eventually("it is written", async || {
        let written = there.0.load(&live.record.handle).await;
        matches!(written, Ok(Some(_)))
    })
    .await;
    there.trusted().await;
    there.replaced(&live, 7).await;
    eventually("the write is seen", async || {
        payload(&here.ask(handle(1)).await) == Some(7)
    })
    .await;
    assert_eq!(here.ask(handle(2)).await.live, None);
    here.trusted().await;
    here.has_copy(handle(1)).await;
    assert_eq!(payload(&here.ask(handle(1)).await), Some(7));
}

#[tokio::test]
async fn redis_under_sentinels_fails_over() {
    check_fail_over(Kind::RedisSentinel).await;
}

#[tokio::test]
async fn a_redis_cluster_fails_over() {
    check_fail_over(Kind::RedisCluster).await;
}

/// Somebody kills the connection that pushes come on.
#[tokio::test]
async fn the_push_connection_is_killed() {
    let scene = Scene::on(Kind::Redis).await;
    let (here, there) = (&scene.here, &scene.there);
    let mut live = there.created(1).await;
    for written in 2..6 {
        here.has_copy(handle(1)).await;
        let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
        scene.server.command(&kill).await.unwrap();
        there.trusted().await;
        live = there.replaced(&live, written).await;
        here.sees(handle(1), |found| payload(found) == Some(written))
            .await;
        here.trusted().await;
    }
}

/// Backends of PostgreSQL are ended by an operator: the channel goes on from its cursor.
#[tokio::test]
async fn the_backends_of_postgres_are_ended() {
    let scene = Scene::on(Kind::Postgres).await;
    let (here, there) = (&scene.here, &scene.there);
    let mut live = there.created(1).await;
    for written in 2..6 {
        here.has_copy(handle(1)).await;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        scene.server.command(&[end]).await.unwrap();
        eventually("it is reached again", async || {
            there.0.load(&handle(1)).await.is_ok()
        })
        .await;
        live = there.replaced(&live, written).await;
        here.sees(handle(1), |found| payload(found) == Some(written))
            .await;
        here.trusted().await;
    }
}
