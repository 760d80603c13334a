//! Many seeds, on all cores, and one of them again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    counts::Counts,
    world::{Trace, World},
};

/// A number in the environment.
pub(crate) fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

/// Runs these seeds, and fails with the lowest that is found to break a promise.
pub(crate) fn run(first: u64, seeds: u64) -> Counts {
    let (next, end) = (AtomicU64::new(first), first + seeds);
    let (all, broken) = (Mutex::new(Counts::default()), Mutex::new(None));
    let work = || {
        let mut counts = Counts::default();
        loop {
            let seed = next.fetch_add(1, SeqCst);
            if seed >= end {
                break;
            }
            match outcome(seed, Trace::Silent) {
                Ok(one) => counts.add(&one),
                Err(why) => {
                    next.store(end, SeqCst);
                    let mut broken = broken.lock().unwrap();
                    let is_lowest = broken.as_ref().is_none_or(|(other, _)| seed < *other);
                    if is_lowest {
                        *broken = Some((seed, why));
                    }
                }
            }
        }
        all.lock().unwrap().add(&counts);
    };
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some((seed, why)) = broken.into_inner().unwrap() {
        panic!(
            "seed {seed}: {why}\n\
             replay: ANYNODE_SEED={seed} cargo test -p anynode-core --test near_simulation -- --nocapture"
        );
    }
    all.into_inner().unwrap()
}

/// Runs a seed, and tells what happens in it.
pub(crate) fn replay(seed: u64) {
    match outcome(seed, Trace::Told) {
        Ok(counts) => println!("seed {seed} keeps every promise: {counts}"),
        Err(why) => panic!("seed {seed}: {why}"),
    }
}

/// What happens in a seed, as a text to compare.
pub(crate) fn counts_of(seed: u64) -> String {
    format!("{:?}", outcome(seed, Trace::Silent))
}

fn outcome(seed: u64, trace: Trace) -> Result<Counts, String> {
    let run = AssertUnwindSafe(|| World::new(seed, trace).run());
    catch_unwind(run).unwrap_or_else(|_| Err("it panicked".into()))
}
