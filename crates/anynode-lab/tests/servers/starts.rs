//! Each kind starts and answers; what cannot start is an error that says why.

use anynode_lab::server::{Kind, Persistence, Server, Setup};

use crate::{keep, kept};

async fn check_start(kind: Kind) {
    let server = Server::start(kind).await.unwrap();
    keep(&server, "this").await;
    assert_eq!(kept(&server).await, "this");
    assert_ne!(server.fresh_url(), server.fresh_url());
    server.flush().await.unwrap();
    assert_eq!(kept(&server).await, "");
}

#[tokio::test]
async fn redis_answers() {
    check_start(Kind::Redis).await;
}

#[tokio::test]
async fn valkey_8_answers() {
    check_start(Kind::Valkey8).await;
}

#[tokio::test]
async fn valkey_9_answers() {
    check_start(Kind::Valkey9).await;
}

#[tokio::test]
async fn a_redis_cluster_answers() {
    check_start(Kind::RedisCluster).await;
}

#[tokio::test]
async fn a_redis_under_sentinels_answers() {
    check_start(Kind::RedisSentinel).await;
}

#[tokio::test]
async fn a_redis_under_tls_answers() {
    check_start(Kind::RedisTls).await;
}

#[tokio::test]
async fn postgres_answers() {
    check_start(Kind::Postgres).await;
}

#[tokio::test]
async fn postgres_behind_pgbouncer_answers() {
    check_start(Kind::PgBouncer).await;
}

#[tokio::test]
async fn the_version_is_that_of_the_kind() {
    let expected = [
        (Kind::Redis, "redis_version:7.0."),
        (Kind::Valkey8, "valkey_version:8."),
        (Kind::Valkey9, "valkey_version:9."),
    ];
    for (kind, version) in expected {
        let server = Server::start(kind).await.unwrap();
        let info = server.command(&["INFO", "server"]).await.unwrap();
        assert!(info.contains(version), "{kind}: {info}");
    }
}

#[tokio::test]
async fn a_setting_of_ones_own_counts() {
    let setup = Setup {
        persistence: Persistence::Always,
        ..Setup::default()
    };
    let setup = setup.with("maxmemory", "50mb");
    let server = Server::start_with(Kind::Redis, &setup).await.unwrap();
    for (name, value) in [("appendfsync", "always"), ("maxmemory", "52428800")] {
        let said = server.command(&["CONFIG", "GET", name]).await.unwrap();
        assert_eq!(said, format!("{name}\n{value}"));
    }
}

async fn check_refusal(kind: Kind, expected: &str) {
    let setup = Setup::default().with("no_such_setting", "1");
    let error = Server::start_with(kind, &setup).await.unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains(&format!("no {kind} can be started")),
        "{error}"
    );
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_start_is_an_error_with_its_log() {
    check_refusal(Kind::Redis, "Bad directive or wrong number of arguments").await;
    check_refusal(Kind::Valkey9, "Bad directive or wrong number of arguments").await;
    let expected = "unrecognized configuration parameter \"no_such_setting\"";
    check_refusal(Kind::Postgres, expected).await;
}
