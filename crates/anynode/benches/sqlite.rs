//! Measures the two choices of the SQLite store: writes in groups against a transaction for
//! each, and reads on the caller's thread against a hop to another.
//!
//! `cargo bench -p anynode --bench sqlite` takes about a minute. The two sides of a pair take
//! turns, round by round, so that what disturbs the machine disturbs both.

#![expect(clippy::disallowed_methods, reason = "a benchmark asks for the time")]

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anynode::store::sqlite::SqliteStore;
use anynode_core::{
    Cause, Create, Device, Draft, Handle, Kind, Live, Moment, Payload, Replace, Revoke, SecretHash,
    Store, Version, WriteId,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(400);
const SESSIONS: u64 = 4_096;
const PAYLOAD_BYTES: usize = 500;

type Loads = mpsc::Sender<(Handle, oneshot::Sender<Option<Live>>)>;

fn main() {
    // `cargo test` builds and starts benches as well; it measures nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let directory = tempfile::tempdir_in(".").expect("a directory on this disk");
    let open = |name: &str, group_max| {
        let options = SqliteStore::options().with_group_max(group_max);
        let store = options.open(directory.path().join(name)).expect("opens");
        runtime.block_on(fill(&store));
        store
    };
    let (alone, group) = (open("alone.db", 1), open("group.db", 64));

    println!(
        "| operations per second, median of {ROUNDS} rounds (lowest to highest) | in flight | a | b | b/a |"
    );
    println!("|---|---|---|---|---|");
    for tasks in [1, 16, 64] {
        pair(
            &runtime,
            "replace: a alone, b in groups",
            tasks,
            [&|until| replaces(alone.clone(), tasks, until), &|until| {
                replaces(group.clone(), tasks, until)
            }],
        );
    }
    for tasks in [1, 16, 64] {
        pair(
            &runtime,
            "revoke: a alone, b in groups",
            tasks,
            [&|until| revokes(alone.clone(), tasks, until), &|until| {
                revokes(group.clone(), tasks, until)
            }],
        );
    }
    let hop = hop(&runtime, group.clone());
    for tasks in [1, 16] {
        pair(
            &runtime,
            "load: a thread hop, b direct",
            tasks,
            [&|until| hops(hop.clone(), tasks, until), &|until| {
                loads(group.clone(), tasks, until)
            }],
        );
    }
}

/// A task that counts what it does until a time.
type Side<'a> = &'a dyn Fn(Instant) -> Vec<tokio::task::JoinHandle<u64>>;

fn pair(runtime: &Runtime, name: &str, tasks: u64, sides: [Side<'_>; 2]) {
    let mut rates: [Vec<f64>; 2] = Default::default();
    for round in 0..=ROUNDS {
        for (side, rates) in sides.iter().zip(&mut rates) {
            let rate = runtime.block_on(async {
                let start = Instant::now();
                let mut done = 0;
                for task in side(start + ROUND) {
                    done += task.await.expect("no panic");
                }
                f64::from(u32::try_from(done).expect("fits")) / start.elapsed().as_secs_f64()
            });
            // The first round warms up.
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let [a, b] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates
    });
    let show = |rates: &[f64]| {
        format!(
            "{:.0} ({:.0} to {:.0})",
            rates[ROUNDS / 2],
            rates[0],
            rates[ROUNDS - 1]
        )
    };
    let ratio = b[ROUNDS / 2] / a[ROUNDS / 2];
    println!(
        "| {name} | {tasks} | {} | {} | {ratio:.2} |",
        show(&a),
        show(&b)
    );
}

async fn fill(store: &SqliteStore) {
    for number in 0..SESSIONS {
        let created = store.create(&draft(number)).await.expect("create answers");
        assert!(matches!(created, Create::Created(_)), "the file is new");
    }
}

fn replaces(store: SqliteStore, tasks: u64, until: Instant) -> Vec<tokio::task::JoinHandle<u64>> {
    spawn(tasks, move |task| {
        let store = store.clone();
        async move {
            let (mut done, mut number) = (0, task);
            while Instant::now() < until {
                let handle = draft(number % SESSIONS).handle;
                let live = store.load(&handle).await.expect("answers").expect("alive");
                let version = live
                    .record
                    .version
                    .next(WriteId::from_bytes(number.to_be_bytes()));
                let next = live.record.draft(version);
                let replaced = store.replace(&live.record.version, &next).await;
                assert!(matches!(replaced, Ok(Replace::Replaced(_))), "its own");
                number += tasks;
                done += 1;
            }
            done
        }
    })
}

fn revokes(store: SqliteStore, tasks: u64, until: Instant) -> Vec<tokio::task::JoinHandle<u64>> {
    spawn(tasks, move |task| {
        let store = store.clone();
        async move {
            let (mut done, mut number) = (0_u64, task);
            while Instant::now() < until {
                let mut handle = [0xee; 16];
                handle[..8].copy_from_slice(&number.to_be_bytes());
                let revoke = Revoke::session(Handle::from_bytes(handle), Cause::User);
                store.revoke(&revoke).await.expect("revoke answers");
                number += tasks;
                done += 1;
            }
            done
        }
    })
}

fn loads(store: SqliteStore, tasks: u64, until: Instant) -> Vec<tokio::task::JoinHandle<u64>> {
    spawn(tasks, move |task| {
        let store = store.clone();
        async move {
            let (mut done, mut number) = (0, task);
            while Instant::now() < until {
                let live = store.load(&draft(number % SESSIONS).handle).await;
                assert!(live.expect("answers").is_some(), "alive");
                number += tasks;
                done += 1;
                tokio::task::consume_budget().await;
            }
            done
        }
    })
}

/// A thread that loads for others, as a store has whose driver blocks.
fn hop(runtime: &Runtime, store: SqliteStore) -> Loads {
    let (sender, mut receiver): (Loads, _) = mpsc::channel(1_024);
    let runtime = runtime.handle().clone();
    std::thread::spawn(move || {
        while let Some((handle, reply)) = receiver.blocking_recv() {
            let live = runtime.block_on(store.load(&handle)).expect("answers");
            let _ = reply.send(live);
        }
    });
    sender
}

fn hops(hop: Loads, tasks: u64, until: Instant) -> Vec<tokio::task::JoinHandle<u64>> {
    spawn(tasks, move |task| {
        let hop = hop.clone();
        async move {
            let (mut done, mut number) = (0, task);
            while Instant::now() < until {
                let (reply, answer) = oneshot::channel();
                let handle = draft(number % SESSIONS).handle;
                hop.send((handle, reply)).await.expect("the thread runs");
                assert!(answer.await.expect("answers").is_some(), "alive");
                number += tasks;
                done += 1;
            }
            done
        }
    })
}

fn spawn<F: Future<Output = u64> + Send + 'static>(
    tasks: u64,
    task: impl Fn(u64) -> F,
) -> Vec<tokio::task::JoinHandle<u64>> {
    (0..tasks)
        .map(|number| tokio::spawn(task(number)))
        .collect()
}

fn draft(number: u64) -> Draft {
    let mut handle = [0; 16];
    // Spread over the index like random handles, and the same in each run.
    handle[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Draft {
        handle: Handle::from_bytes(handle),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([9; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([1; 8])),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(3_600),
        deadline: Moment::After(Duration::from_secs(86_400)),
        payload: Payload::new(vec![7; PAYLOAD_BYTES]),
        device: Device::default(),
    }
}
