//! What sweeping very many dead does to who loads meanwhile, and what it gives back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anynode_core::Store;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::arguments::{Arguments, Backend};
use crate::fill;
use crate::gauge::Place;
use crate::session;
use crate::stats;

/// As the middleware sweeps: so many at once, and then a pause.
const AT_ONCE: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);

/// Sessions that are alive, and loaded.
const LIVING: u32 = 10_000;

/// Loads begin at this pace, whatever becomes of those before.
const LOADS_PER_TICK: u32 = 2;
const TICK: Duration = Duration::from_millis(1);

/// How long is loaded with and without sweeping by turns.
const WINDOW: Duration = Duration::from_secs(1);

/// How many times the latency may be.
const TIMES_MAX: f64 = 2.0;

/// How much of what the dead took has to come back.
const RETURNED_MIN: f64 = 0.9;

pub(crate) async fn run(arguments: &Arguments) {
    println!(
        "\n# Sweep of {} dead sessions\n\n\
         {AT_ONCE} at once and then {} ms pause, as the middleware does, by turns of {} ms with \
         and without; meanwhile one\nof {LIVING} living sessions is loaded every {} us, whatever \
         became of the loads before. Latency: 99th\npercentile of a turn, median of {} turns, and \
         the ratio within a round with its 95 % interval; at most {TIMES_MAX}.\nReturned: how \
         much of what the dead took is free again: of used_memory, of the bytes in use in \
         tables\nand indexes after VACUUM, of pages after VACUUM; at least {:.0} %.\n",
        arguments.sessions,
        PAUSE.as_millis(),
        WINDOW.as_millis(),
        TICK.as_micros() / u128::from(LOADS_PER_TICK),
        arguments.rounds,
        RETURNED_MIN * 100.0
    );
    println!(
        "| store | p99 without, us | p99 with, us | times | swept per second | a batch, ms | \
         returned |\n|---|--:|--:|--:|--:|--:|--:|"
    );
    for backend in arguments.servers() {
        measure(backend, arguments).await;
    }
}

async fn measure(backend: Backend, arguments: &Arguments) {
    let place = Place::start(backend).await;
    let url = place.fresh_url("sweep.db");
    let store = anynode::store::open(&url).await.unwrap();
    let living = |number| session::draft(u32::MAX - 1 - number, None);
    fill::create(&store, LIVING, living).await;
    let empty = place.in_use(&url).await;
    kill(&place, &url, &store, arguments.sessions).await;
    let full = place.in_use(&url).await;

    let mut p99: [Vec<f64>; 2] = Default::default();
    let swept = Arc::new(Swept::default());
    for round in 0..arguments.rounds {
        // Each round begins with the other.
        for place in 0..2 {
            let with = (round + place) % 2;
            let sweeping = (with == 1).then(|| Sweeping::start(&store, &swept));
            p99[with].push(load(&store).await);
            if let Some(sweeping) = sweeping {
                sweeping.stop().await;
            }
        }
    }
    let in_turns = swept.total.load(Ordering::Relaxed);
    assert!(
        swept.more.load(Ordering::Relaxed),
        "the dead last to the end of the turns"
    );
    let batch = swept.median_batch();
    while store.sweep(AT_ONCE).await.unwrap().more {}
    let after = place.in_use(&url).await;

    let pairs = p99[1]
        .iter()
        .zip(&p99[0])
        .map(|(with, without)| with / without);
    let times = stats::estimate(pairs.collect());
    let returned = (full - after) / (full - empty);
    let rounds = u32::try_from(arguments.rounds).unwrap();
    println!(
        "| {} | {:.0} | {:.0} | {}{} | {:.0} | {batch:.1} | {:.0} %{} |",
        backend.name(),
        stats::median(p99[0].clone()),
        stats::median(p99[1].clone()),
        crate::contest::shown(&times),
        missed(times.median > TIMES_MAX),
        f64::from(u32::try_from(in_turns).unwrap()) / (WINDOW * rounds).as_secs_f64(),
        returned * 100.0,
        missed(returned < RETURNED_MIN),
    );
}

fn missed(is_missed: bool) -> &'static str {
    if is_missed { " missed" } else { "" }
}

/// Fills the store with sessions of users that nobody used in time.
async fn kill(place: &Place, url: &str, store: &Arc<dyn Store>, count: u32) {
    const AT_ONCE_IDLE: Duration = Duration::from_millis(1);
    let begun = Instant::now();
    match place {
        Place::Server(Backend::Postgres, server) => {
            let schema = crate::gauge::schema(url);
            fill::copy(server, schema, store, count, AT_ONCE_IDLE).await;
        }
        _ => fill::create(store, count, |number| fill::of_a_user(number, AT_ONCE_IDLE)).await,
    }
    eprintln!(
        "filled with {count} dead sessions in {:.0?}",
        begun.elapsed()
    );
}

/// Loads for a turn, and gives the 99th percentile of the latencies in microseconds.
async fn load(store: &Arc<dyn Store>) -> f64 {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut loads = JoinSet::new();
    let (begun, mut number) = (Instant::now(), 0_u32);
    while begun.elapsed() < WINDOW {
        // A tick that comes late counts from when it was due.
        let due = tick.tick().await.into_std();
        for _ in 0..LOADS_PER_TICK {
            let store = store.clone();
            let handle = session::handle(u32::MAX - 1 - number.wrapping_mul(7_919) % LIVING);
            number += 1;
            loads.spawn(async move {
                let live = store.load(&handle).await.unwrap();
                assert!(live.is_some(), "the session is alive");
                due.elapsed()
            });
        }
    }
    let latencies = loads.join_all().await;
    let mut micros: Vec<_> = latencies.iter().map(|it| it.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    micros[micros.len() * 99 / 100]
}

#[derive(Default)]
struct Swept {
    total: AtomicUsize,
    /// Whether the last batch left some.
    more: AtomicBool,
    batches: std::sync::Mutex<Vec<f64>>,
}

/// A node that sweeps.
struct Sweeping {
    stopped: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

// === impl Swept ===

impl Swept {
    /// In milliseconds.
    fn median_batch(&self) -> f64 {
        stats::median(self.batches.lock().unwrap().clone())
    }
}

// === impl Sweeping ===

impl Sweeping {
    fn start(store: &Arc<dyn Store>, swept: &Arc<Swept>) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let (store, swept, until) = (store.clone(), swept.clone(), stopped.clone());
        let task = tokio::spawn(async move {
            while !until.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let batch = store.sweep(AT_ONCE).await.unwrap();
                let millis = begun.elapsed().as_secs_f64() * 1e3;
                swept.batches.lock().unwrap().push(millis);
                swept.total.fetch_add(batch.removed, Ordering::Relaxed);
                swept.more.store(batch.more, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { stopped, task }
    }

    async fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
    }
}
