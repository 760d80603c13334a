//! How soon a revocation that one node made is seen on another.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use anynode::NearCache;
use anynode_core::{Cause, Create, Freshness, Revoke, SessionId, Store, Wanted, near::Horizon};
use anynode_lab::server::{Kind, Server};

use crate::{
    arguments::Arguments,
    bars::Bars,
    population::{Label, draft, trusted, wanted},
    session,
    stats::{Estimate, estimate, median},
};

/// The node that did not revoke, and the thread that asks it.
struct Other {
    cache: Arc<NearCache>,
    asked: mpsc::Sender<SessionId>,
    refused: mpsc::Receiver<Instant>,
}

/// What came of a store.
#[derive(Default)]
struct Seen {
    /// The p50 of each round, in milliseconds.
    p50: Vec<f64>,
    /// From the acknowledgement until it was refused, in milliseconds.
    all: Vec<f64>,
    before_the_acknowledgement: usize,
}

/// Revocations in a round.
const TURN: u32 = 50;

/// How often the other node is asked.
const PAUSE: Duration = Duration::from_micros(20);

/// How long a node may take until it holds a copy, or refuses.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is tried to have a copy.
const TRIES: usize = 20;

/// How much slower a clock may run than the store's.
const RHO: f64 = 0.01;

pub(crate) async fn run(arguments: &Arguments, bars: &mut Bars) {
    let lease = Horizon::TERM.as_secs_f64() * 1_000.0 / (1.0 - RHO);
    println!(
        "\n# A revocation, seen on another node\n\n\
         Milliseconds from the acknowledgement on one node until another, which held a copy, \
         refuses: {TURN} revocations in each of {} interleaved\nrounds, every other one of all \
         sessions of a user. The other node is asked without end, with {} us of sleep between.\n",
        arguments.rounds,
        PAUSE.as_micros()
    );
    let mut stores = Vec::new();
    for kind in &arguments.stores {
        let server = Server::start(*kind).await.unwrap();
        let url = server.fresh_url();
        let one = near_cache(&url).await;
        stores.push((server, one, Other::start(&url).await, Seen::default()));
    }
    for round in 0..arguments.rounds {
        for (_, one, other, seen) in &mut stores {
            let first = u32::try_from(round).unwrap() * TURN;
            seen.turn(one, other, first).await;
        }
    }
    println!("| store | revocations | p50 | p99 | max | L | seen before the acknowledgement |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (server, _, _, seen) in &stores {
        seen.tell(server.kind(), lease);
    }
    println!();
    for (server, _, _, seen) in &stores {
        seen.judge(server.kind(), lease, bars);
    }
}

async fn near_cache(url: &str) -> NearCache {
    let cache = NearCache::from_arc(anynode::store::open(url).await.unwrap());
    trusted(&cache).await;
    cache
}

// === impl Other ===

impl Other {
    async fn start(url: &str) -> Self {
        let cache = Arc::new(near_cache(url).await);
        let (asked, questions) = mpsc::channel::<SessionId>();
        let (answers, refused) = mpsc::channel();
        let asks = cache.clone();
        std::thread::spawn(move || {
            for id in questions {
                while asks.copy(&wanted(&asks, &id)).is_some() {
                    std::thread::sleep(PAUSE);
                }
                answers.send(Instant::now()).unwrap();
            }
        });
        Self {
            cache,
            asked,
            refused,
        }
    }

    /// Has it use the copy that it has, or another where the machine stood still for longer than
    /// a lease.
    async fn hold(&self, id: &SessionId) {
        for _ in 0..TRIES {
            if self.cache.copy(&wanted(&self.cache, id)).is_some() {
                return;
            }
            self.copy_all(&[*id]).await;
        }
        panic!("there is no copy to be refused");
    }

    /// Has it keep a copy of each session. It has heard of their creation by then, so that it
    /// forgets none for that.
    async fn copy_all(&self, ids: &[SessionId]) {
        self.cache.caught_up(PATIENCE).await.unwrap();
        for id in ids {
            let found = self.cache.load_for(&wanted(&self.cache, id)).await.unwrap();
            assert!(found.live.is_some(), "the session is alive");
        }
    }
}

// === impl Seen ===

impl Seen {
    async fn turn(&mut self, one: &NearCache, other: &Other, first: u32) {
        let mut ids = Vec::new();
        for number in first..first + TURN {
            let (id, draft) = draft(number, Label::With);
            let created = one.create(&draft).await.unwrap();
            assert!(matches!(created, Create::Created(_)), "the store is new");
            ids.push(id);
        }
        other.copy_all(&ids).await;
        let mut round = Vec::new();
        for (number, id) in (first..).zip(ids) {
            let revoke = match number % 2 {
                0 => Revoke::session(id.handle(), Cause::User),
                _ => Revoke::user(session::user(number), Cause::User),
            };
            other.hold(&id).await;
            other.asked.send(id).unwrap();
            one.revoke(&revoke).await.unwrap();
            let acknowledged = Instant::now();
            let refused = tokio::task::block_in_place(|| other.refused.recv_timeout(PATIENCE));
            let refused = refused.expect("what was revoked is refused");
            self.before_the_acknowledgement += usize::from(refused < acknowledged);
            let late = refused.saturating_duration_since(acknowledged);
            round.push(late.as_secs_f64() * 1_000.0);
            // It was no copy any more because of the revocation, and not for want of a lease.
            let ask = Wanted::new(id.handle(), Freshness::Bounded, other.cache.now());
            let found = other.cache.load_for(&ask).await.unwrap();
            assert!(found.live.is_none(), "the session is dead");
        }
        self.all.extend_from_slice(&round);
        self.p50.push(median(round));
    }

    fn tell(&self, kind: Kind, lease: f64) {
        let Estimate { median, low, high } = estimate(self.p50.clone());
        println!(
            "| {kind} | {} | {median:.2} ({low:.2} to {high:.2}) | {:.2} | {:.2} | {lease:.0} | {} |",
            self.all.len(),
            self.at(99),
            self.at(100),
            self.before_the_acknowledgement
        );
    }

    fn judge(&self, kind: Kind, lease: f64, bars: &mut Bars) {
        let p50_max = match kind {
            Kind::Redis => 2.0,
            _ => 10.0,
        };
        let p50 = estimate(self.p50.clone()).median;
        bars.at_most(format!("p50 of a push, {kind}"), p50, p50_max, " ms");
        let late = self.all.iter().filter(|late| **late > lease).count();
        bars.judge(
            late == 0,
            format_args!(
                "accepted later than L after the acknowledgement, {kind}: {late} of {}",
                self.all.len()
            ),
        );
    }

    /// So many of a hundred were not later.
    fn at(&self, percent: usize) -> f64 {
        let mut all = self.all.clone();
        all.sort_by(f64::total_cmp);
        all[(all.len() * percent).div_ceil(100) - 1]
    }
}
