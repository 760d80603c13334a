//! What must hold always, and what must be seen to happen.

use std::ops::{BitOr, BitOrAssign};

use stateright::Property;

use crate::{
    bounds::{Bounds, Kind},
    mutants::Mutant,
    node::{Node, RECORD},
    step::{Fleet, State},
    store::{Entry, Store, Value, Write, epoch},
};

/// The invariants: I1 to I6 of the protocol, and four that go with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Check {
    Staleness,
    Insert,
    Final,
    LeaseFromSend,
    Cursor,
    OwnWrites,
    Authority,
    Living,
    Deadline,
    Touch,
}

/// What must be reachable, so that no invariant holds for want of trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Hit,
    Wall,
    Early,
    Refill,
    Reasserted,
    HitPastTouch,
}

/// Checks that a step broke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict(u16);

// === impl Check ===

impl Check {
    pub(crate) const ALL: &[Self] = &[
        Self::Staleness,
        Self::Insert,
        Self::Final,
        Self::LeaseFromSend,
        Self::Cursor,
        Self::OwnWrites,
        Self::Authority,
        Self::Living,
        Self::Deadline,
        Self::Touch,
    ];

    /// The invariants that a client can notice. The others (I2, I4, I5, I10) are how they are
    /// kept, and break first.
    pub(crate) const OUTWARD: &[Self] = &[
        Self::Staleness,
        Self::Final,
        Self::OwnWrites,
        Self::Authority,
        Self::Living,
        Self::Deadline,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Staleness => {
                "I1 no write acknowledged L + D ago is missing from a hit or a shared load"
            }
            Self::Insert => "I2 no copy of what an applied event outdated, or under a dead lease",
            Self::Final => "I3 a node that refused a session as dead never accepts it again",
            Self::LeaseFromSend => "I4 a lease ends H after its barrier was sent",
            Self::Cursor => "I5 a cursor has applied exactly what was committed before it",
            Self::OwnWrites => "I6 a node serves nothing older than its own acknowledged writes",
            Self::Authority => "I7 what is read through is as new as the request, but for D",
            Self::Living => "I8 a living session with its present secret is never refused",
            Self::Deadline => "I9 nothing is served at or after its deadline",
            Self::Touch => "I10 a touch causes no event",
        }
    }

    fn property(self) -> Property<Bounds> {
        let name = self.name();
        match self {
            Self::Staleness => Property::always(name, |_, s: &State| !s.breaks(Self::Staleness)),
            Self::Insert => Property::always(name, |_, s: &State| !s.breaks(Self::Insert)),
            Self::Final => Property::always(name, |_, s: &State| !s.breaks(Self::Final)),
            Self::LeaseFromSend => {
                Property::always(name, |_, s: &State| !s.breaks(Self::LeaseFromSend))
            }
            Self::Cursor => Property::always(name, |_, s: &State| !s.breaks(Self::Cursor)),
            Self::OwnWrites => Property::always(name, |_, s: &State| !s.breaks(Self::OwnWrites)),
            Self::Authority => Property::always(name, |_, s: &State| !s.breaks(Self::Authority)),
            Self::Living => Property::always(name, |_, s: &State| !s.breaks(Self::Living)),
            Self::Deadline => Property::always(name, |_, s: &State| !s.breaks(Self::Deadline)),
            Self::Touch => Property::always(name, |_, s: &State| !s.breaks(Self::Touch)),
        }
    }
}

/// The properties of a configuration.
pub(crate) fn properties(bounds: &Bounds) -> Vec<Property<Bounds>> {
    let always = bounds.checks.iter().map(|check| check.property());
    let sometimes = bounds.sights.iter().map(|sight| sight.property());
    always.chain(sometimes).collect()
}

/// What a state breaks.
pub(crate) fn judge(fleet: &Fleet, bounds: &Bounds) -> Verdict {
    let nodes = fleet.nodes.iter();
    nodes.fold(Verdict::default(), |all, node| {
        all | judge_hit(node, fleet, bounds)
            | judge_copy(node, &fleet.store)
            | judge_cursor(node, &fleet.store, bounds)
    })
}

/// Whether a value lacks a write that it should have. A session that a user-wide revocation
/// outdated lacks it until it is stamped anew.
pub(crate) fn unreflected(store: &Store, value: Value, is_due: impl Fn(&Entry) -> bool) -> bool {
    let reflected = store.reflected(value.id);
    let entries = store.log.iter().enumerate();
    let mut due = entries.filter(|(_, entry)| is_due(entry));
    due.any(|(at, entry)| match entry.write {
        Write::RevokeUser => value.stamp < epoch(&store.log[..=at]),
        Write::Change | Write::Login | Write::Revoke => reflected <= at,
    })
}

/// Any request may come at any moment, so that a hit that is possible has happened.
fn judge_hit(node: &Node, fleet: &Fleet, bounds: &Bounds) -> Verdict {
    let Some(copy) = node.hit(fleet.now, bounds) else {
        return Verdict::default();
    };
    let (store, value) = (&fleet.store, copy.value);
    let late = |entry: &Entry| {
        let acked = entry.acked;
        acked.is_some_and(|acked| acked + bounds.bound() <= fleet.now)
    };
    let own = |entry: &Entry| node.seen.acked.contains(&entry.id);
    let mismatch = value.secret != store.secret_acked();
    let refused = mismatch && bounds.has(Mutant::MismatchRefused)
        || value.is_stamped_after(node.epoch) && bounds.has(Mutant::LaterStampRefused);
    let over = bounds.expires.is_some() && fleet.now >= store.expires;
    Verdict::of(Check::Staleness, unreflected(store, value, late))
        | Verdict::of(Check::Final, node.seen.denied)
        | Verdict::of(Check::OwnWrites, unreflected(store, value, own))
        | Verdict::of(Check::Living, refused && store.lives())
        | Verdict::of(Check::Deadline, over)
}

fn judge_copy(node: &Node, store: &Store) -> Verdict {
    let outdated = |value: &Value| {
        let heard = node.seen.heard;
        store.reflected(value.id) < store.reflected(heard) || !store.held(value.id)
    };
    let value = node.copy.as_ref().map(|copy| copy.value);
    Verdict::of(Check::Insert, value.as_ref().is_some_and(outdated))
}

fn judge_cursor(node: &Node, store: &Store, bounds: &Bounds) -> Verdict {
    if bounds.kind != Kind::Cursor {
        return Verdict::default();
    }
    let cursor = node.links[RECORD].cursor;
    let mut committed: Vec<_> = store
        .log
        .iter()
        .take(cursor)
        .map(|entry| entry.id)
        .collect();
    committed.sort_unstable();
    Verdict::of(Check::Cursor, committed != node.seen.applied)
}

// === impl Sight ===

impl Sight {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "S1 a request is served from a copy",
            Self::Wall => "S2 a copy lacks a write acknowledged one tick before the bound",
            Self::Early => "S3 a revocation is refused in the tick of its acknowledgement",
            Self::Refill => "S4 a copy is served on a connection after the first",
            Self::Reasserted => "S5 a revocation that a fail-over lost is in the store again",
            Self::HitPastTouch => "S6 a copy is served on after a touch",
        }
    }

    fn property(self) -> Property<Bounds> {
        let name = self.name();
        match self {
            Self::Hit => {
                Property::sometimes(name, |b, s: &State| s.running().is_some_and(|f| f.hits(b)))
            }
            Self::Wall => Property::sometimes(name, |b, s: &State| {
                s.running()
                    .is_some_and(|fleet| fleet.lacks(b, b.bound() - 1))
            }),
            Self::Early => Property::sometimes(name, |_, s: &State| {
                s.running().is_some_and(|fleet| fleet.knows_early())
            }),
            Self::Refill => Property::sometimes(name, |b, s: &State| {
                s.running()
                    .is_some_and(|fleet| fleet.lost_a_channel && fleet.hits(b))
            }),
            Self::Reasserted => Property::sometimes(name, |_, s: &State| {
                s.running().is_some_and(|fleet| fleet.reasserted)
            }),
            Self::HitPastTouch => Property::sometimes(name, |b, s: &State| {
                s.running()
                    .is_some_and(|fleet| fleet.touched && fleet.hits(b))
            }),
        }
    }
}

impl Fleet {
    fn hits(&self, bounds: &Bounds) -> bool {
        self.nodes
            .iter()
            .any(|node| node.hit(self.now, bounds).is_some())
    }

    /// Whether a copy that is trusted lacks a write acknowledged so many ticks ago.
    fn lacks(&self, bounds: &Bounds, ticks: u8) -> bool {
        let due = |entry: &Entry| entry.acked.is_some_and(|acked| acked + ticks <= self.now);
        let lacks = |value| unreflected(&self.store, value, due);
        let mut hits = self
            .nodes
            .iter()
            .filter_map(|node| node.hit(self.now, bounds));
        hits.any(|copy| lacks(copy.value))
    }

    /// Whether a node refuses within the tick of the revocation, under a live lease.
    fn knows_early(&self) -> bool {
        let now = |entry: &Entry| entry.acked == Some(self.now);
        let mut revoked = self.store.log.iter().filter(|entry| now(entry));
        let revoked = revoked.any(|entry| matches!(entry.write, Write::Revoke | Write::RevokeUser));
        revoked && self.nodes.iter().any(|node| node.knows_dead(self.now))
    }
}

impl Node {
    fn knows_dead(&self, now: u8) -> bool {
        let leased = self.links.iter().all(|link| link.trusts(self.clock(now)));
        leased && (self.tomb || self.epoch > 0)
    }
}

// === impl Verdict ===

impl Verdict {
    pub(crate) fn of(check: Check, is_broken: bool) -> Self {
        Self(u16::from(is_broken) << check as u16)
    }

    /// The first of these checks that is broken.
    pub(crate) fn first_of(self, checks: &[Check]) -> Option<Check> {
        let broken = |check: &&Check| self.0 & Self::of(**check, true).0 != 0;
        checks.iter().find(broken).copied()
    }
}

impl BitOr for Verdict {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Verdict {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

// === impl State ===

impl State {
    fn breaks(&self, check: Check) -> bool {
        *self == Self::Broken(check)
    }

    fn running(&self) -> Option<&Fleet> {
        match self {
            Self::Running(fleet) => Some(fleet),
            Self::Broken(_) => None,
        }
    }
}
