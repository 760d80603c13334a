//! What is done to a store: killed and started again, paused, failed over.

use std::time::Duration;

use anynode_lab::server::{Kind, Persistence, Server, Setup, Standby};
use tokio::time::timeout;

use crate::{keep, kept};

/// A store that keeps what it acknowledged when its server is killed.
async fn durable(kind: Kind) -> Server {
    let setup = Setup {
        persistence: Persistence::Always,
        ..Setup::default()
    };
    Server::start_with(kind, &setup).await.unwrap()
}

async fn check_restart(kind: Kind) {
    let mut server = durable(kind).await;
    let addresses = server.addresses();
    keep(&server, "this").await;
    server.kill().await.unwrap();
    let refused = timeout(Duration::from_secs(30), server.command(&["SELECT"])).await;
    assert!(refused.unwrap().is_err());
    server.restart().await.unwrap();
    assert_eq!(kept(&server).await, "this");
    assert_eq!(server.addresses(), addresses);
}

#[tokio::test]
async fn redis_has_its_data_after_it_was_killed() {
    check_restart(Kind::Redis).await;
}

#[tokio::test]
async fn valkey_9_has_its_data_after_it_was_killed() {
    check_restart(Kind::Valkey9).await;
}

#[tokio::test]
async fn postgres_has_its_data_after_it_was_killed() {
    check_restart(Kind::Postgres).await;
}

#[tokio::test]
async fn postgres_behind_pgbouncer_has_its_data_after_it_was_killed() {
    check_restart(Kind::PgBouncer).await;
}

#[tokio::test]
async fn redis_without_persistence_is_empty_after_it_was_killed() {
    let mut server = Server::start(Kind::Redis).await.unwrap();
    keep(&server, "this").await;
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(kept(&server).await, "");
}

async fn check_pause(kind: Kind) {
    let mut server = Server::start(kind).await.unwrap();
    keep(&server, "this").await;
    server.pause().await.unwrap();
    let word = if kind == Kind::Postgres {
        "SELECT 1"
    } else {
        "PING"
    };
    let silent = timeout(Duration::from_millis(200), server.command(&[word])).await;
    assert!(silent.is_err(), "{silent:?}");
    server.resume().await.unwrap();
    assert_eq!(kept(&server).await, "this");
}

#[tokio::test]
async fn a_paused_redis_is_silent_and_then_goes_on() {
    check_pause(Kind::Redis).await;
}

#[tokio::test]
async fn a_paused_postgres_is_silent_and_then_goes_on() {
    check_pause(Kind::Postgres).await;
}

/// Twice, so that who took over first is what dies the second time.
async fn check_fail_over(kind: Kind) {
    let mut server = durable(kind).await;
    let addresses = server.addresses();
    for round in ["first", "second"] {
        keep(&server, round).await;
        assert_eq!(kept(&server).await, round);
        server.fail_over().await.unwrap();
        keep(&server, "this").await;
        assert_eq!(kept(&server).await, "this");
        server.restart().await.unwrap();
        assert_eq!(kept(&server).await, "this");
        assert_eq!(server.addresses(), addresses);
    }
}

#[tokio::test]
async fn a_replica_in_a_cluster_takes_over() {
    check_fail_over(Kind::RedisCluster).await;
}

#[tokio::test]
async fn a_replica_under_sentinels_takes_over() {
    check_fail_over(Kind::RedisSentinel).await;
}

#[tokio::test]
async fn a_synchronous_standby_takes_over_at_the_same_address_with_all_data() {
    let setup = Setup {
        standby: Standby::Synchronous,
        ..Setup::default()
    };
    let mut server = Server::start_with(Kind::Postgres, &setup).await.unwrap();
    let addresses = server.addresses();
    for round in 0..2 {
        let table = format!("CREATE TABLE round_{round} ()");
        server.command(&[&table]).await.unwrap();
        server.fail_over().await.unwrap();
        assert_eq!(server.addresses(), addresses);
        let table = format!("SELECT 'round_{round}'::regclass");
        assert_eq!(
            server.command(&[&table]).await.unwrap(),
            format!("round_{round}")
        );
        server.restart().await.unwrap();
    }
}

#[tokio::test]
async fn a_lone_server_cannot_fail_over() {
    let mut redis = Server::start(Kind::Redis).await.unwrap();
    let error = redis.fail_over().await.unwrap_err();
    assert!(error.to_string().contains("lone"), "{error}");
    let mut postgres = Server::start(Kind::Postgres).await.unwrap();
    let error = postgres.fail_over().await.unwrap_err();
    assert!(error.to_string().contains("no standby"), "{error}");
}
