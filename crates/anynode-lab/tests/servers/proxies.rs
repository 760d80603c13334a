//! Stores whose servers are behind proxies: nobody who was sent to them goes around.

use std::sync::Arc;
use std::time::Duration;

use anynode_core::{Handle, Store};
use anynode_lab::fault::{Fault, Proxy};
use anynode_lab::server::{Kind, Server, Whom};
use tokio::time::sleep;

/// How often a store is asked until it answers: some 30 s.
const QUESTIONS_MAX: usize = 300;

/// Asks for a session that is not there: on Redis, only a primary that takes writes answers.
async fn is_answered(store: &Arc<dyn Store>) -> bool {
    store.load(&Handle::from_bytes([7; 16])).await.is_ok()
}

async fn until_answered(store: &Arc<dyn Store>) {
    for _ in 0..QUESTIONS_MAX {
        if is_answered(store).await {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody answers");
}

fn all(proxies: &[Proxy], fault: &Fault) {
    proxies.iter().for_each(|proxy| proxy.set(fault.clone()));
}

/// Whether the proxies are on every way that a store finds.
async fn check_ways(proxies: &[Proxy], store: &Arc<dyn Store>) {
    until_answered(store).await;
    all(proxies, &Fault::Reset);
    assert!(!is_answered(store).await, "there is a way around");
    all(proxies, &Fault::None);
    until_answered(store).await;
}

async fn check(kind: Kind) {
    let mut server = Server::start(kind).await.unwrap();
    let proxies = server.go_behind_proxies(1, Whom::Clients).await.unwrap();
    let store = anynode::store::open(&server.url()).await.unwrap();
    check_ways(&proxies, &store).await;
    if matches!(kind, Kind::RedisCluster | Kind::RedisSentinel) {
        server.fail_over().await.unwrap();
        check_ways(&proxies, &store).await;
        server.restart().await.unwrap();
        server.fail_over().await.unwrap();
        check_ways(&proxies, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_redis_under_tls_is_reached_through_its_proxy() {
    check(Kind::RedisTls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_reached_through_its_proxy() {
    check(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_cluster_names_is_behind_its_proxy_after_a_fail_over_as_well() {
    check(Kind::RedisCluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sentinels_name_is_behind_its_proxy_after_a_fail_over_as_well() {
    check(Kind::RedisSentinel).await;
}
