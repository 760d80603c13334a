//! `anynode doctor` on real servers: what it calls safe, and what it refuses and why.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use anynode_lab::fault::Overtaking;
use anynode_lab::server::{Kind, Persistence, Server, Setup};
use serde_json::Value;
use tokio::process::Command;

/// The doctor's report on a store, and its exit code.
async fn examine(url: &str) -> (Value, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_anynode-lab"))
        .args(["role", "doctor", "--json"])
        .env("ANYNODE_STORE", url)
        .output()
        .await
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no report, but: {complaint}"));
    (report, output.status.code().unwrap())
}

/// What the report says of a point.
fn point<'a>(report: &'a Value, name: &str) -> &'a Value {
    let points = report["points"].as_array().unwrap();
    let found = points.iter().find(|point| point["point"] == name);
    found.unwrap_or_else(|| panic!("nothing is said of {name}: {report}"))
}

/// The names of the points that are called unsafe.
fn unsafe_points(report: &Value) -> Vec<&str> {
    let points = report["points"].as_array().unwrap().iter();
    points
        .filter(|point| point["verdict"] == "unsafe")
        .map(|point| point["point"].as_str().unwrap())
        .collect()
}

fn durable() -> Setup {
    Setup {
        persistence: Persistence::Always,
        ..Setup::default()
    }
}

async fn is_safe(kind: Kind, setup: Setup) -> Value {
    let server = Server::start_with(kind, &setup).await.unwrap();
    let url = server.fresh_url();
    anynode::store::open(&url).await.unwrap();
    let (report, code) = examine(&url).await;
    assert_eq!(unsafe_points(&report), [""; 0], "{report}");
    assert_eq!(code, 0);
    let order = point(&report, "channel order");
    assert_eq!(order["verdict"], "safe", "{order}");
    report
}

/// Starts a store that is set up unsafely; the points that the doctor calls so.
async fn faults_of(kind: Kind, setup: Setup) -> Vec<String> {
    let server = Server::start_with(kind, &setup).await.unwrap();
    let url = server.fresh_url();
    // Where the store itself refuses such a server, the doctor says why.
    let _ = anynode::store::open(&url).await;
    let (report, code) = examine(&url).await;
    assert_eq!(code, 1, "{report}");
    let names = unsafe_points(&report);
    for name in &names {
        let point = point(&report, name);
        assert!(point["why"].is_string() && point["change"].is_string());
    }
    names.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_durable_redis_is_safe() {
    let report = is_safe(Kind::Redis, durable()).await;
    assert_eq!(report["clock"], "store");
    assert_eq!(report["deposed_seconds"], 0.0);
    for name in ["version", "transport", "authentication", "persistence"] {
        point(&report, name);
    }
}

#[tokio::test]
async fn a_redis_under_tls_with_a_user_of_few_rights_is_safe() {
    let report = is_safe(Kind::RedisTls, durable()).await;
    assert_eq!(point(&report, "transport")["found"], "TLS");
    assert_eq!(point(&report, "authentication")["verdict"], "safe");
}

#[tokio::test]
async fn a_redis_under_sentinels_is_safe_and_its_deposed_primary_is_bounded() {
    let report = is_safe(Kind::RedisSentinel, durable()).await;
    assert!(report["deposed_seconds"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_redis_cluster_is_safe() {
    let report = is_safe(Kind::RedisCluster, durable()).await;
    assert!(report["deposed_seconds"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_postgresql_that_waits_for_its_disk_is_safe() {
    let report = is_safe(Kind::Postgres, durable()).await;
    assert_eq!(report["durability"], "majority");
}

#[tokio::test]
async fn a_redis_that_evicts_is_unsafe_though_no_store_opens_it() {
    let setup = durable().with("maxmemory-policy", "allkeys-lru");
    assert_eq!(faults_of(Kind::Redis, setup).await, ["eviction policy"]);
}

#[tokio::test]
async fn a_redis_that_keeps_snapshots_alone_is_unsafe() {
    let setup = Setup::default().with("save", "3600 1");
    assert_eq!(faults_of(Kind::Redis, setup).await, ["persistence"]);
}

#[tokio::test]
async fn sentinels_over_a_primary_that_does_not_notice_its_fall_are_unsafe() {
    let setup = durable().with("min-replicas-to-write", "0");
    assert_eq!(
        faults_of(Kind::RedisSentinel, setup).await,
        ["deposed primary"]
    );
}

/// The doctor said of a lone server what the URL wanted of it, and took a revocation that no
/// replica could acknowledge for a channel out of order.
#[tokio::test]
async fn a_redis_without_the_replicas_that_its_url_wants_is_unsafe() {
    let server = Server::start_with(Kind::Redis, &durable()).await.unwrap();
    let (report, code) = examine(&format!("{}&revoke=r2", server.fresh_url())).await;
    assert_eq!(code, 1, "{report}");
    let point = point(&report, "revocations");
    assert_eq!(point["verdict"], "unsafe", "{report}");
    assert_eq!(report["durability"], "asynchronous");
    assert_eq!(unsafe_points(&report), ["revocations"], "{report}");
}

#[tokio::test]
async fn a_postgresql_that_does_not_wait_for_its_disk_is_unsafe() {
    let setup = durable().with("fsync", "off");
    assert_eq!(faults_of(Kind::Postgres, setup).await, ["persistence"]);
}

/// It speaks the protocol, and a near cache behind it would trust what was revoked.
#[tokio::test]
async fn a_proxy_that_lets_invalidations_overtake_each_other_is_unsafe() {
    let server = Server::start_with(Kind::Redis, &durable()).await.unwrap();
    let upstream = server.addresses()[0];
    let proxy = Overtaking::start(upstream).await.unwrap();
    let led = |address: &str| address.replace(&upstream.to_string(), &proxy.address().to_string());
    let (report, code) = examine(&led(&server.fresh_url())).await;
    assert_eq!(unsafe_points(&report), ["channel order"], "{report}");
    assert_eq!(code, 1);
}
