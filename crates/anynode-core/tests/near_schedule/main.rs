//! Thousands of random schedules of one node of a near cache: however loads, events, barriers and
//! gaps are interleaved, no copy is used that was outdated longer than a lease ago.
//!
//! It bounds one node of a store that loses nothing; what many nodes do on a store that fails over
//! is for the simulation.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod store;

use std::time::Duration;

use anynode_core::{
    BarrierId, ChannelKind, Event, Live, Timestamp,
    near::{
        Act, Answer, Ask, Bounds, Feed, Fill, Freshness, Horizon, Limits, Look, Reassert, Shard,
        StoreShard, Token,
    },
};
use store::{Draws, Store, handle};

/// Records are on the first shard of the store, user entries on the second.
const RECORDS: StoreShard = StoreShard(0);
const USERS: StoreShard = StoreShard(1);
const TERM: Duration = Duration::from_millis(100);
const HANDLES: u8 = 3;
const SEEDS: u64 = 2_000;
const STEPS: usize = 400;

/// One node, and what is on its way to it.
struct Node {
    now: Duration,
    store: Store,
    feeds: [Feed; 2],
    memory: Reassert,
    horizon: Horizon,
    shard: Shard,
    loads: Vec<Load>,
    barriers: u64,
    seen: Seen,
}

/// A load on its way: sent, then read, then answered.
struct Load {
    handle: u8,
    token: Token,
    sent: Duration,
    read: Option<Option<Live>>,
}

/// What happened at all, so that nothing is proved by doing nothing.
#[derive(Debug, Default)]
struct Seen {
    hits: u64,
    stale_within_the_bound: u64,
    raced: u64,
    kept_after_gaps: u64,
    gaps: u64,
}

// === impl Node ===

impl Node {
    fn new() -> Self {
        let limits = Limits::new(Bounds {
            copies_max: 100,
            bytes_max: 1 << 20,
        });
        let mut node = Self {
            now: Duration::from_secs(1),
            store: Store::default(),
            feeds: [Feed::new(RECORDS), Feed::new(USERS)],
            memory: Reassert::new(Reassert::WINDOW, 10_000),
            horizon: Horizon::new(ChannelKind::Leased, TERM, 2),
            shard: Shard::new(limits),
            loads: Vec::new(),
            barriers: 0,
            seen: Seen::default(),
        };
        (0..2).for_each(|channel| node.open(channel));
        node
    }

    fn step(&mut self, draws: &mut Draws) {
        let (now, which) = (self.now, draws.below(HANDLES));
        let channel = usize::from(draws.below(2));
        match draws.below(40) {
            0 => self.store.write(which, now),
            1 => self.store.log_in(which, now),
            2 if draws.below(8) == 0 => self.store.revoke(which, now),
            3 if draws.below(4) == 0 => self.store.revoke_user(now),
            4 if draws.below(8) == 0 => self.open(channel),
            5..10 => self.send(which),
            10..15 => self.read(draws),
            15..20 => self.answer(draws),
            20..24 => self.begin(channel),
            24..36 => self.hear(channel),
            36 => self.own_write(which),
            _ => self.now += Duration::from_millis(draws.below(20).into()),
        }
        (0..HANDLES).for_each(|which| self.look(which));
    }

    /// A channel is lost with all that was on its way, and another is opened.
    fn open(&mut self, channel: usize) {
        let feed = &mut self.feeds[channel];
        feed.lost(&self.horizon);
        self.store.queues[channel].clear();
        feed.opened(&self.horizon);
        let snapshot = self.store.snapshot(channel);
        feed.snapshot(&snapshot, &mut self.memory, &self.horizon, self.now)
            .unwrap();
        self.seen.gaps += 1;
    }

    fn begin(&mut self, channel: usize) {
        self.barriers += 1;
        let id = BarrierId(self.barriers);
        self.feeds[channel].began(id, self.now);
        let passed = Event::Passed(id, Timestamp::from_millis(1));
        self.store.queues[channel].push_back(passed);
    }

    fn hear(&mut self, channel: usize) {
        let Some(event) = self.store.queues[channel].pop_front() else {
            return;
        };
        let feed = &mut self.feeds[channel];
        let (act, told) = feed.hear(&event, &mut self.memory, &self.horizon, self.now);
        told.unwrap();
        if let Act::Forget(handle) = act {
            self.shard.forget(&handle, &self.horizon);
        }
    }

    fn send(&mut self, handle: u8) {
        self.loads.push(Load {
            handle,
            token: self.horizon.token(),
            sent: self.now,
            read: None,
        });
    }

    fn read(&mut self, draws: &mut Draws) {
        if let Some(load) = draws.one_of(&mut self.loads) {
            load.read
                .get_or_insert_with(|| self.store.load(load.handle));
        }
    }

    fn answer(&mut self, draws: &mut Draws) {
        let Some(at) = draws.place_in(&self.loads) else {
            return;
        };
        if self.loads[at].read.is_none() {
            return;
        }
        let load = self.loads.swap_remove(at);
        let Some(Some(live)) = &load.read else {
            self.shard.forget(&handle(load.handle), &self.horizon);
            return;
        };
        let answer = answer(&load, live);
        let fill = self
            .shard
            .insert(&answer, self.now, &self.horizon, &self.memory);
        self.seen.raced += u64::from(fill == Fill::Raced);
        self.seen.kept_after_gaps += u64::from(fill == Fill::Kept && self.seen.gaps > 2);
    }

    /// A write of this node's own, acknowledged at once; its event comes when it comes.
    fn own_write(&mut self, which: u8) {
        let load = Load {
            handle: which,
            token: self.horizon.token(),
            sent: self.now,
            read: None,
        };
        self.store.write(which, self.now);
        if let Some(live) = self.store.load(which) {
            let answer = answer(&load, &live);
            self.shard
                .wrote(&answer, self.now, &self.horizon, &self.memory);
        }
    }

    fn look(&mut self, which: u8) {
        let ask = Ask {
            handle: handle(which),
            shard: RECORDS,
            secret: None,
            seen: None,
            freshness: Freshness::Bounded,
            arrived: self.now,
            now: self.now,
        };
        let Look::Hit(hit) = self.shard.look(&ask, &self.horizon) else {
            return;
        };
        self.seen.hits += 1;
        let version = hit.version().counter;
        let bound = self.now.saturating_sub(TERM);
        let asked_for = self.store.least(which, bound);
        assert!(
            version >= asked_for,
            "{version} of {which} at {:?}",
            self.now
        );
        assert!(
            version >= self.store.least(which, hit.as_of()),
            "its age is told"
        );
        let record = hit.live(self.now).record;
        assert!(!self.memory.refuses_record(&record), "known to be revoked");
        let is_stale = version < self.store.least(which, self.now);
        self.seen.stale_within_the_bound += u64::from(is_stale);
    }
}

fn answer<'a>(load: &Load, live: &'a Live) -> Answer<'a> {
    Answer {
        token: load.token,
        sent: load.sent,
        live,
        shard: RECORDS,
        user_shard: USERS,
    }
}

#[test]
fn no_schedule_lets_a_copy_be_used_that_was_outdated_longer_than_a_lease_ago() {
    let mut all = Seen::default();
    for seed in 0..SEEDS {
        let (mut draws, mut node) = (Draws::new(seed), Node::new());
        let steps = std::panic::AssertUnwindSafe(|| {
            (0..STEPS).for_each(|_| node.step(&mut draws));
            node.seen
        });
        let seen = std::panic::catch_unwind(steps);
        let seen = seen.unwrap_or_else(|_| panic!("seed {seed} does not hold"));
        all.hits += seen.hits;
        all.stale_within_the_bound += seen.stale_within_the_bound;
        all.raced += seen.raced;
        all.kept_after_gaps += seen.kept_after_gaps;
        all.gaps += seen.gaps;
    }
    println!("{SEEDS} schedules of {STEPS} steps: {all:?}");
    assert!(all.hits > 10 * SEEDS && all.stale_within_the_bound > SEEDS / 2);
    assert!(all.raced > SEEDS / 2 && all.kept_after_gaps > SEEDS / 10 && all.gaps > 3 * SEEDS);
}
