//! The race: at each key one who writes, and beside each write two who read through a cache.
//!
//! The program of the other cache has this file as well, so that both run the same.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A server, and a cache through which its keys are read.
pub(crate) trait Contender: Send + Sync + 'static {
    /// Writes a number at a key, past the cache; returns when that is acknowledged.
    fn write(&self, key: u32, number: u32) -> impl Future<Output = ()> + Send;

    /// What the cache says is at a key.
    fn read(&self, key: u32) -> impl Future<Output = Option<u32>> + Send;

    /// What is at a key, past the cache.
    fn truth(&self, key: u32) -> impl Future<Output = Option<u32>> + Send;

    /// How many reads the cache has passed on to the server so far.
    fn loads(&self) -> usize;
}

/// What became of the keys.
pub(crate) struct Outcome {
    /// Keys whose last write the cache does not show, long after it was acknowledged.
    pub(crate) stale: usize,
    /// Reads that the cache passed on while there were writes.
    pub(crate) loads: usize,
    /// Keys that the cache answered from a copy when it was asked for them for the second time
    /// afterwards.
    pub(crate) copies: usize,
}

/// How often each key is written, counted from 0.
pub(crate) const WRITES: u32 = 5;

/// How many read a key beside each write.
pub(crate) const READERS: u32 = 2;

/// At how many keys there is a race at once.
pub(crate) const AT_ONCE: usize = 10;

/// How long nobody does anything before the keys are read again: far longer than it takes to
/// tell a cache of a write.
pub(crate) const REST: Duration = Duration::from_millis(1_500);

/// Lets them race at so many keys, and looks what the cache shows of each when all is quiet.
pub(crate) async fn race<C: Contender>(contender: Arc<C>, keys: u32) -> Outcome {
    let all: Vec<u32> = (0..keys).collect();
    for some in all.chunks(AT_ONCE) {
        let racing: Vec<_> = some
            .iter()
            .map(|key| tokio::spawn(write_and_read(contender.clone(), *key)))
            .collect();
        for one in racing {
            one.await.unwrap();
        }
    }
    let loads = contender.loads();
    tokio::time::sleep(REST).await;
    let (mut stale, mut copies) = (0, 0);
    for key in 0..keys {
        let written = contender.truth(key).await;
        assert_eq!(written, Some(WRITES - 1), "the server has the last write");
        let first = contender.read(key).await;
        let asked = contender.loads();
        let second = contender.read(key).await;
        copies += usize::from(contender.loads() == asked);
        stale += usize::from(first != written || second != written);
    }
    Outcome {
        stale,
        loads,
        copies,
    }
}

async fn write_and_read<C: Contender>(contender: Arc<C>, key: u32) {
    for number in 0..WRITES {
        let reading: Vec<_> = (0..READERS)
            .map(|_| {
                let contender = contender.clone();
                tokio::spawn(async move { contender.read(key).await })
            })
            .collect();
        contender.write(key, number).await;
        for one in reading {
            one.await.unwrap();
        }
    }
}
