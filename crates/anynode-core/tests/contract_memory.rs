//! The laws of a store, tried on the store in memory.

// Tests may start threads; the crate may not.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use anynode_core::{
    ManualClock, MemoryStore, Store,
    contract::{MovedClock, Opening, Runner, Task},
};
use async_trait::async_trait;

/// Each task on a thread of its own.
struct Threads;

#[async_trait]
impl Runner for Threads {
    async fn parallel(&self, tasks: Vec<Task>) {
        let start = Arc::new(std::sync::Barrier::new(tasks.len()));
        let threads = tasks.into_iter().map(|task| {
            let start = start.clone();
            thread::spawn(move || {
                start.wait();
                pollster::block_on(task);
            })
        });
        let threads: Vec<_> = threads.collect();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        for thread in ended {
            if let Err(panic) = thread {
                std::panic::resume_unwind(panic);
            }
        }
    }

    async fn patience(&self) {
        let waiting: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
        let timer = waiting.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(10));
            let mut state = timer.lock().expect("nobody panicked");
            state.0 = true;
            if let Some(waker) = state.1.take() {
                waker.wake();
            }
        });
        poll_fn(|context| {
            let mut state = waiting.lock().expect("nobody panicked");
            state.1 = Some(context.waker().clone());
            if state.0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

fn open(clock: Arc<ManualClock>, nodes: usize) -> Opening {
    let store = MemoryStore::new(clock);
    Box::pin(async move {
        let handles = (0..nodes).map(|_| Arc::new(store.clone()) as Arc<dyn Store>);
        handles.collect()
    })
}

anynode_core::contract_tests! {
    world: MovedClock::new(Threads, open),
    run: pollster::block_on,
    clock: moved,
}
