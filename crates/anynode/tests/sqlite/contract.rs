//! The laws of a store, tried on the SQLite store.

use std::{sync::Arc, time::Duration};

use anynode::store::sqlite::SqliteStore;
use anynode_core::{
    ManualClock, Store,
    contract::{MovedClock, Opening, Runner, Task},
};
use async_trait::async_trait;
use tokio::{runtime::Runtime, task::JoinSet};

/// Each task as one of the runtime's, on several threads.
struct Tokio;

#[async_trait]
impl Runner for Tokio {
    async fn parallel(&self, tasks: Vec<Task>) {
        let mut running = JoinSet::new();
        for task in tasks {
            running.spawn(task);
        }
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    async fn patience(&self) {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

/// Each handle has connections and a writer of its own, as another process has.
fn open(clock: Arc<ManualClock>, nodes: usize) -> Opening {
    Box::pin(async move {
        let directory = tempfile::tempdir().expect("a directory").keep();
        let handles = (0..nodes).map(|_| {
            let options = SqliteStore::options().with_clock(clock.clone());
            let store = options.open(directory.join("sessions.db"));
            Arc::new(store.expect("opens")) as Arc<dyn Store>
        });
        handles.collect()
    })
}

fn run<F: Future>(future: F) -> F::Output {
    Runtime::new().expect("a runtime").block_on(future)
}

anynode_core::contract_tests! {
    world: MovedClock::new(Tokio, open),
    run: run,
    clock: moved,
}
