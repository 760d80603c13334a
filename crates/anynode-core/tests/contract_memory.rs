//! The laws of a store, tried on the store in memory.

// Tests may start threads; the crate may not.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Barrier, Mutex},
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

/// What threads tell the one who waits for them.
#[derive(Default)]
struct Word {
    ended: usize,
    panicked: Option<Box<dyn Any + Send>>,
    waker: Option<Waker>,
}

type Board = Arc<Mutex<Word>>;

#[async_trait]
impl Runner for Threads {
    async fn parallel(&self, tasks: Vec<Task>) {
        let (board, count) = (Board::default(), tasks.len());
        let start = Arc::new(Barrier::new(count));
        for task in tasks {
            let (board, start) = (board.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                tell(&board, || pollster::block_on(task));
            });
        }
        until_ended(&board, count).await;
    }

    async fn patience(&self) {
        let board = Board::default();
        let timer = board.clone();
        thread::spawn(move || tell(&timer, || thread::sleep(Duration::from_secs(10))));
        until_ended(&board, 1).await;
    }
}

fn tell(board: &Board, work: impl FnOnce()) {
    let ended = catch_unwind(AssertUnwindSafe(work));
    let mut word = board.lock().expect("nobody panics here");
    word.ended += 1;
    if let Err(panic) = ended {
        word.panicked = Some(panic);
    }
    if let Some(waker) = word.waker.take() {
        waker.wake();
    }
}

async fn until_ended(board: &Board, count: usize) {
    poll_fn(|context| {
        let mut word = board.lock().expect("nobody panics here");
        if let Some(panic) = word.panicked.take() {
            drop(word);
            resume_unwind(panic);
        }
        if word.ended == count {
            return Poll::Ready(());
        }
        word.waker = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
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
