//! Each kind starts and answers; what cannot start is an error that says why.

use anynode_lab::server::{Kind, Persistence, Server, Setup};

use crate::{is_postgres, keep, kept};

async fn check_start(kind: Kind) {
    let server = Server::start(kind).await.unwrap();
    keep(&server, "this").await;
    assert_eq!(kept(&server).await, "this");
    assert_ne!(server.fresh_url(), server.fresh_url());
    server.flush().await.unwrap();
    assert_eq!(kept(&server).await, "");
    check_tool(&server).await;
}

/// What an operator types, and what the tool says to it; at last something that makes no sense.
async fn check_tool(server: &Server) {
    let typed_and_said: &[(&str, &str)] = match is_postgres(server.kind()) {
        true => &[
            ("CREATE TABLE said AS SELECT 1;", "SELECT 1"),
            ("DELETE FROM said;", "DELETE 1"),
            ("DELETE FROM said;", "DELETE 0"),
            ("DELETE;", ""),
        ],
        // Of a cluster, each of these keys is on another node.
        false => &[
            ("SET a 1", "OK"),
            ("SET b 1", "OK"),
            ("SET c 1", "OK"),
            ("DEL a", "1"),
            ("DEL b", "1"),
            ("DEL c", "1"),
            ("DEL a", "0"),
            ("DEL", "ERR wrong number of arguments for 'del' command"),
        ],
    };
    let typed = typed_and_said.iter().map(|(typed, _)| (*typed).to_owned());
    let typed: Vec<_> = typed.collect();
    let mut said = server.tell_by_tool(&typed).await.unwrap();
    for (typed, expected) in typed_and_said {
        match expected.is_empty() {
            false => assert_eq!(said.next().await.unwrap(), *expected, "{typed}"),
            true => {
                let error = said.next().await.unwrap_err().to_string();
                assert!(error.contains("syntax error"), "{error}");
            }
        }
    }
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

#[tokio::test]
async fn a_disk_of_its_own_is_filled_and_freed_and_goes_with_the_server() {
    let setup = Setup {
        disk_bytes: Some(160 * 1024 * 1024),
        ..Setup::default()
    };
    let server = Server::start_with(Kind::Postgres, &setup).await.unwrap();
    let grow = "CREATE TABLE much AS SELECT generate_series(1, 100000)";
    let disk = server.disk().unwrap();
    // Who comes first to a database writes a file that all others read.
    server.command(&["SELECT 1"]).await.unwrap();
    disk.fill().unwrap();
    let error = server.command(&[grow]).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("could not extend"),
        "{error:#}"
    );
    disk.free().unwrap();
    server.command(&[grow]).await.unwrap();
    let path = disk.path().to_owned();
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(mounts().contains(&path.display().to_string()));
    drop(server);
    assert!(!mounts().contains(&path.display().to_string()));
    assert!(!path.exists());
    let error = Server::start_with(Kind::Redis, &setup).await.unwrap_err();
    assert!(format!("{error:#}").contains("no disk"), "{error:#}");
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
