//! The client-side cache of redis-rs: `cache-aio URL PREFIX KEYS` runs the race on keys with this
//! prefix and prints how many are stale, how many reads went to the server, and how many keys were
//! answered from a copy at last.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::caching::CacheConfig;
use redis::{AsyncCommands, AsyncConnectionConfig, Client};

#[path = "../workload.rs"]
mod workload;

use workload::{Contender, Outcome, race};

/// A connection with a cache, and one without.
struct CacheAio {
    prefix: String,
    cached: MultiplexedConnection,
    plain: MultiplexedConnection,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, url, prefix, keys] = words.as_slice() else {
        panic!("usage: cache-aio URL PREFIX KEYS");
    };
    let keys = keys.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let Outcome {
        stale,
        loads,
        copies,
    } = runtime.block_on(async {
        let contender = CacheAio::open(url, prefix).await;
        race(Arc::new(contender), keys).await
    });
    println!("{stale} {loads} {copies}");
}

// === impl CacheAio ===

impl CacheAio {
    async fn open(url: &str, prefix: &str) -> Self {
        let client = Client::open(url).unwrap();
        let plain = AsyncConnectionConfig::new().set_response_timeout(None);
        let cached = plain.clone().set_cache_config(CacheConfig::new());
        let connect = |config| {
            let client = client.clone();
            async move {
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.unwrap()
            }
        };
        Self {
            prefix: prefix.to_owned(),
            cached: connect(cached).await,
            plain: connect(plain).await,
        }
    }

    fn name(&self, key: u32) -> String {
        format!("{}:{key}", self.prefix)
    }
}

impl Contender for CacheAio {
    async fn write(&self, key: u32, number: u32) {
        let mut plain = self.plain.clone();
        let () = plain.set(self.name(key), number).await.unwrap();
    }

    async fn read(&self, key: u32) -> Option<u32> {
        let mut cached = self.cached.clone();
        cached.get(self.name(key)).await.unwrap()
    }

    async fn truth(&self, key: u32) -> Option<u32> {
        let mut plain = self.plain.clone();
        plain.get(self.name(key)).await.unwrap()
    }

    fn loads(&self) -> usize {
        let statistics = self.cached.get_cache_statistics();
        statistics.expect("it has a cache").miss
    }
}
