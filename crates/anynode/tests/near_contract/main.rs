//! The laws of a store with a near cache in front of each node's handle, and what each copy says
//! compared with what the store says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compared;

use std::{sync::Arc, time::Duration};

use anynode::{
    NearCache,
    core::{
        ManualClock, Store,
        contract::{Opening, Runner, Task},
    },
};
use async_trait::async_trait;
use compared::compared;
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
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
}

/// A near cache in front of each of these, all on the clock of the stores.
fn near(stores: Vec<Arc<dyn Store>>, clock: &Arc<ManualClock>) -> Vec<Arc<dyn Store>> {
    let options = NearCache::options().with_trial(false);
    compared(stores, &options.with_clock(clock.clone()))
}

fn run<F: Future>(future: F) -> F::Output {
    Runtime::new().unwrap().block_on(future)
}

mod memory {
    use anynode::core::{MemoryStore, contract::MovedClock};

    use super::*;

    fn open(clock: Arc<ManualClock>, nodes: usize) -> Opening {
        Box::pin(async move {
            let store = MemoryStore::new(clock.clone());
            let handles = (0..nodes).map(|_| Arc::new(store.clone()) as Arc<dyn Store>);
            near(handles.collect(), &clock)
        })
    }

    anynode::core::contract_tests! {
        world: MovedClock::new(Tokio, open),
        run: run,
        clock: moved,
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use anynode::{core::contract::MovedClock, store::sqlite::SqliteStore};

    use super::*;

    fn open(clock: Arc<ManualClock>, nodes: usize) -> Opening {
        Box::pin(async move {
            let directory = tempfile::tempdir().unwrap().keep();
            let handles = (0..nodes).map(|_| {
                let options = SqliteStore::options().with_clock(clock.clone());
                let store = options.open(directory.join("sessions.db")).unwrap();
                Arc::new(store) as Arc<dyn Store>
            });
            near(handles.collect(), &clock)
        })
    }

    anynode::core::contract_tests! {
        world: MovedClock::new(Tokio, open),
        run: run,
        clock: moved,
    }
}
