//! One node: the state machines of the crate, and what hangs on them.

use std::{collections::BTreeMap, time::Duration};

use anynode_core::{
    BarrierId, ChannelKind, Draft, Handle, Live, Snapshot, Touch, UserEntry,
    expiry::Touches,
    near::{
        Act, Assertion, Barriers, Bounds, Condition, Feed, FlightId, Flights, Full, Horizon, Known,
        Limits, Reassert, Shard, StoreShard, Ticket, Token, revoked,
    },
};

use crate::{
    client::Request,
    clock::Clock,
    deciding::By,
    draws::Draws,
    plan::{At, Hearing, Odd, Plan, TERM},
    shelf::Id,
};

pub(crate) struct Node {
    /// How often its process started.
    pub(crate) start: u32,
    pub(crate) clock: Clock,
    pub(crate) paused_until: At,
    pub(crate) horizon: Horizon,
    pub(crate) memory: Reassert,
    pub(crate) copies: Vec<Copies>,
    pub(crate) channels: Vec<Channel>,
    /// The newest primary of each part that answered it: it goes back to none before.
    pub(crate) met: Vec<usize>,
    pub(crate) calls: BTreeMap<u64, Purpose>,
    pub(crate) loads: BTreeMap<(usize, FlightId), Load>,
    pub(crate) touches: Touches,
    pub(crate) newest_call: u64,
    /// How far it has read the changes of a store that is asked at every read.
    pub(crate) place: usize,
}

/// A shard of the copies, and the loads of its handles that are under way.
pub(crate) struct Copies {
    pub(crate) shard: Shard,
    pub(crate) flights: Flights,
}

/// A channel, which may follow several primaries.
pub(crate) struct Channel {
    pub(crate) feed: Feed,
    pub(crate) barriers: Barriers,
    pub(crate) newest: BarrierId,
    pub(crate) links: Vec<Link>,
    pub(crate) stage: Stage,
    /// When the node began to open it.
    pub(crate) since: Duration,
    /// Whether its snapshot was read since the last gap.
    pub(crate) was_open: bool,
    /// Whether one of its primaries began anew since, however often it is opened again.
    pub(crate) has_gap: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Closed,
    Opening,
    /// Its snapshot is awaited.
    Reading,
    Open,
}

/// The connection of a channel to one part of the store.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) part: usize,
    pub(crate) wire: Option<usize>,
    /// The primary that it leads to, or led to.
    pub(crate) term: usize,
    /// What was said when it was opened.
    pub(crate) opened: Option<crate::net::Resumed>,
    /// How many changes of that primary it brought.
    pub(crate) place: Option<usize>,
    pub(crate) snapshot: Option<Snapshot>,
}

/// A load under way and who waits for it.
pub(crate) struct Load {
    pub(crate) waiters: Vec<(Ticket, Request, By)>,
    pub(crate) token: Option<Token>,
    pub(crate) sent: Duration,
}

/// What an answer is awaited for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// With the record, once that was read and its user is elsewhere.
    Load(usize, FlightId, Option<Live>),
    Write(Box<Writing>),
    Revoke(Request, Option<Assertion>),
    /// To write a revocation again.
    Assert(Assertion),
    Touch(Vec<Touch>, Duration),
}

/// A write under way.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) request: Request,
    pub(crate) base: Live,
    pub(crate) id: Id,
    pub(crate) token: Token,
    pub(crate) sent: Duration,
    pub(crate) known: Known,
    pub(crate) draft: Draft,
    /// The user's entry, if that was read elsewhere.
    pub(crate) entry: Option<UserEntry>,
}

/// What a node does at a time of its own choosing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Connect(usize),
    Heartbeat(usize),
    /// To write again what is owed, and to tell of uses.
    Upkeep,
    Send(usize, FlightId),
    /// An answer did not come.
    Patience(u64),
}

const SHARDS: usize = 2;

// === impl Node ===

impl Node {
    pub(crate) fn new(number: usize, plan: &Plan, draws: &mut Draws) -> Self {
        let clock = Clock::drawn(plan, number, draws);
        Self::started(0, clock, plan)
    }

    /// The node after another start of its process.
    pub(crate) fn started(start: u32, clock: Clock, plan: &Plan) -> Self {
        let kind = match plan.channel {
            Hearing::Push | Hearing::Cursor => ChannelKind::Leased,
            Hearing::Validated => ChannelKind::ValidatedPerRead,
        };
        let limits = Limits {
            age_max: plan.age_max(),
            ..Limits::new(Bounds {
                copies_max: 20,
                bytes_max: 1 << 20,
            })
        };
        let capacity = match plan.odd {
            Odd::FullMemory => 3,
            _ => 1_000,
        };
        let feeds = u16::try_from(plan.feeds()).unwrap();
        let copies = || Copies {
            shard: Shard::new(limits),
            flights: Flights::of(kind, TERM),
        };
        Self {
            start,
            clock,
            paused_until: 0,
            horizon: Horizon::new(kind, TERM, feeds),
            memory: Reassert::new(Reassert::WINDOW, capacity),
            copies: (0..SHARDS).map(|_| copies()).collect(),
            channels: (0..plan.feeds())
                .map(|feed| Channel::new(feed, plan))
                .collect(),
            met: vec![0; plan.parts()],
            calls: BTreeMap::new(),
            loads: BTreeMap::new(),
            touches: Touches::new(100),
            newest_call: 0,
            place: 0,
        }
    }

    pub(crate) fn copies_of(&mut self, handle: &Handle) -> &mut Copies {
        &mut self.copies[Shard::of(handle, SHARDS)]
    }

    pub(crate) fn forget(&mut self, handle: &Handle) {
        let shard = &mut self.copies[Shard::of(handle, SHARDS)].shard;
        shard.forget(handle, &self.horizon);
    }

    /// Applies a revocation that was acknowledged or may have happened.
    pub(crate) fn revoked(&mut self, assertion: Assertion, now: Duration) -> Result<(), Full> {
        let (act, told) = revoked(assertion, &mut self.memory, &self.horizon, now);
        if let Act::Forget(handle) = act {
            self.forget(&handle);
        }
        told
    }

    pub(crate) fn condition(&self, feed: usize, now: At) -> Condition {
        let now = self.clock.at(now);
        self.channels[feed]
            .feed
            .condition(&self.memory, &self.horizon, now)
    }

    pub(crate) fn trusts_all(&self, now: At) -> bool {
        (0..self.channels.len()).all(|feed| self.condition(feed, now) == Condition::Trusted)
    }

    /// Whether it trusts a channel that was open long enough to find a slow clock.
    pub(crate) fn trusts_any(&self, now: At) -> bool {
        let since = self
            .clock
            .at(now)
            .saturating_sub(Duration::from_millis(2_500));
        let trusts = |feed: usize| {
            let is_old = self.channels[feed].since <= since;
            is_old && self.condition(feed, now) == Condition::Trusted
        };
        (0..self.channels.len()).any(trusts)
    }

    /// How its channels stand, for people.
    pub(crate) fn conditions(&self, now: At) -> String {
        let channels = (0..self.channels.len()).map(|feed| {
            let stage = self.channels[feed].stage;
            format!("{} ({stage:?})", self.condition(feed, now))
        });
        channels.collect::<Vec<_>>().join(", ")
    }

    /// Everything that it remembers of revocations, or owes, in an order that a seed repeats.
    pub(crate) fn in_order(mut assertions: Vec<Assertion>) -> Vec<Assertion> {
        assertions.sort_by_key(|assertion| match assertion {
            Assertion::Session(stone) => (0, stone.handle.as_bytes()[0]),
            Assertion::User(user, _) => (1, user.as_str().as_bytes()[0]),
        });
        assertions
    }
}

// === impl Channel ===

impl Channel {
    fn new(feed: usize, plan: &Plan) -> Self {
        let parts = (0..plan.parts()).filter(|part| plan.feed_of(*part) == feed);
        Self {
            feed: Feed::new(StoreShard(u16::try_from(feed).unwrap())),
            barriers: Barriers::default(),
            newest: BarrierId(0),
            links: parts.map(Link::new).collect(),
            stage: Stage::Closed,
            since: Duration::ZERO,
            was_open: false,
            has_gap: false,
        }
    }
}

// === impl Link ===

impl Link {
    fn new(part: usize) -> Self {
        Self {
            part,
            wire: None,
            term: 0,
            opened: None,
            place: None,
            snapshot: None,
        }
    }
}
