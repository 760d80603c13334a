//! tower-sessions, as `cargo xtask bench stores` and `cargo xtask bench middleware` measure it:
//!
//! - `peers redis|postgres URL` fills a store, says `ready`, and then takes a turn for each line
//!   `Load|Replace IN_FLIGHT MILLISECONDS`, which it answers with how many operations it did in
//!   how many seconds;
//! - `peers serve|repeat VARIANT URL …` serves the application of the middleware's benchmark;
//! - `peers end URL` ends the sessions whose ids it reads.

#![allow(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]

mod application;
#[path = "../../middleware/visitors.rs"]
mod visitors;

use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::PostgresStore;
use tower_sessions_sqlx_store::sqlx::postgres::PgPoolOptions;

const SESSIONS: usize = 4_096;

/// As many as their documentation shows for Redis, and a few for PostgreSQL.
const REDIS_CONNECTIONS: usize = 6;
const POSTGRES_CONNECTIONS: u32 = 8;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["redis", url] => many_threads().block_on(async { serve(redis(url).await).await }),
        ["postgres", url] => many_threads().block_on(async { serve(postgres(url).await).await }),
        ["serve", variant, url] => application::serve(variant, url),
        ["repeat", variant, url, count] => {
            application::repeat(variant, url, count.parse().unwrap())
        }
        ["end", url] => application::end(url),
        _ => panic!("usage: peers redis|postgres|end URL, peers serve|repeat VARIANT URL [COUNT]"),
    }
}

fn many_threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

async fn redis(url: &str) -> RedisStore<Pool> {
    let config = Config::from_url(url).unwrap();
    let pool = Pool::new(config, None, None, None, REDIS_CONNECTIONS).unwrap();
    let _driver = pool.connect();
    pool.wait_for_connect().await.unwrap();
    RedisStore::new(pool)
}

async fn postgres(url: &str) -> PostgresStore {
    let pool = PgPoolOptions::new()
        .min_connections(POSTGRES_CONNECTIONS)
        .max_connections(POSTGRES_CONNECTIONS)
        // A ping before each use would be another round trip.
        .test_before_acquire(false)
        .connect(url)
        .await
        .unwrap();
    let store = PostgresStore::new(pool);
    store.migrate().await.unwrap();
    store
}

async fn serve<S: SessionStore>(store: S) {
    let store = Arc::new(store);
    let mut records = Vec::new();
    for _ in 0..SESSIONS {
        let mut record = record();
        store.create(&mut record).await.unwrap();
        records.push(record);
    }
    let records: Arc<[Record]> = records.into();
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let [verb, in_flight, millis] = words.as_slice() else {
            panic!("a question has three words");
        };
        let slice = Duration::from_millis(millis.parse().unwrap());
        let begun = Instant::now();
        let is_load = *verb == "Load";
        let in_flight: usize = in_flight.parse().unwrap();
        let tasks: Vec<_> = (0..in_flight)
            .map(|task| {
                let (store, records) = (store.clone(), records.clone());
                tokio::spawn(async move {
                    let (mut done, mut session) = (0_u64, task);
                    while begun.elapsed() < slice {
                        if is_load {
                            let found = store.load(&records[session].id).await.unwrap();
                            assert!(found.is_some(), "the session is alive");
                        } else {
                            store.save(&records[session]).await.unwrap();
                        }
                        session = (session + in_flight) % SESSIONS;
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.unwrap();
        }
        println!("{done} {}", begun.elapsed().as_secs_f64());
    }
}

/// Seven texts and a counter, 500 bytes of JSON.
fn record() -> Record {
    let texts = (0..7).map(|key| (format!("key-{key}"), "x".repeat(57).into()));
    let counter = [("visits".to_owned(), 7.into())];
    Record {
        id: Id::default(),
        data: texts.chain(counter).collect(),
        expiry_date: OffsetDateTime::now_utc() + time::Duration::days(1),
    }
}
