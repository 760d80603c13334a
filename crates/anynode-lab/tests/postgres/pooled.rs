//! Behind a pooler that gives each transaction another connection of the server.

use anynode::store::postgres::PostgresStore;
use anynode_core::{Create, Live, Replace, Store, WriteId};
use anynode_lab::server::{Kind, Server};
use tokio::task::JoinSet;

use crate::scene::draft;

/// Nodes, and tasks on each that call at once.
const NODES: u32 = 3;
const TASKS: u32 = 24;

/// Calls of each task.
const ROUNDS: u8 = 60;

/// Statements that follow each other on one connection would be taken apart by the pooler: parts
/// of one would meet parts of another on the server, which refuses them, or worse, does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_many_tasks_do_not_mix() {
    let server = Server::start(Kind::PgBouncer).await.unwrap();
    let url = server.fresh_url();
    let mut tasks = JoinSet::new();
    for node in 0..NODES {
        let store = PostgresStore::open(&url).await.unwrap();
        for task in 0..TASKS {
            tasks.spawn(write_and_read(store.clone(), node * TASKS + task));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// Writes a session of its own again and again, and each time finds what it wrote.
async fn write_and_read(store: PostgresStore, number: u32) {
    let Create::Created(mut live) = store.create(&draft(number)).await.unwrap() else {
        panic!("the handle was taken");
    };
    for round in 0..ROUNDS {
        let version = live.record.version.next(WriteId::from_bytes([round; 8]));
        let next = live.record.draft(version);
        live = match store.replace(&live.record.version, &next).await.unwrap() {
            Replace::Replaced(live) => live,
            other => panic!("nobody else writes it: {other:?}"),
        };
        let found: Option<Live> = store.load(&next.handle).await.unwrap();
        assert_eq!(found.unwrap().record, live.record);
    }
}
