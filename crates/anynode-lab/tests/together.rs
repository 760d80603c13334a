//! Nodes that are started at the same time on a store where nothing is yet.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use anynode_lab::server::{Kind, Server};
use tokio::task::JoinSet;

async fn check(kind: Kind) {
    let server = Server::start(kind).await.unwrap();
    for _ in 0..5 {
        let url = server.fresh_url();
        let mut opening = JoinSet::new();
        for _ in 0..6 {
            let url = url.clone();
            opening.spawn(async move { anynode::store::open(&url).await.map(drop) });
        }
        for opened in opening.join_all().await {
            opened.unwrap();
        }
    }
}

#[tokio::test]
async fn nodes_that_start_together_on_an_empty_postgres_find_its_tables() {
    check(Kind::Postgres).await;
}

#[tokio::test]
async fn nodes_that_start_together_on_an_empty_redis_find_its_functions() {
    check(Kind::Redis).await;
}
