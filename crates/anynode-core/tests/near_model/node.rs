//! One node: its copy of the record, what it knows of revocations, and when it trusts them.

use crate::{
    bounds::{Bounds, Kind},
    channel::{Link, Message, Side, Wire},
    checks::Verdict,
    load::Load,
    mutants::Mutant,
    own::Own,
    store::{Entry, Store, Value, Write, epoch},
};

/// The channel to the shard of the record.
pub(crate) const RECORD: usize = 0;

/// A copy of the record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Copy {
    pub(crate) value: Value,
    /// The node's time from which on it is too old, whatever the channel says.
    pub(crate) until: u8,
    /// The node's time at which the session ends by itself.
    pub(crate) deadline: u8,
}

/// A node. The fields of `seen` are history: checks read them, the protocol does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node {
    /// To the record's shard and, if that is another, to the user's.
    pub(crate) links: Vec<Link>,
    pub(crate) copy: Option<Copy>,
    /// The user's epoch, as far as it is known.
    pub(crate) epoch: u8,
    /// The node's time from which on that is too old, whatever the channel says.
    pub(crate) epoch_until: u8,
    /// Whether the session is known to be revoked. A flush does not forget it.
    pub(crate) tomb: bool,
    /// Whether it has had an answer of the primary that came after a fail-over.
    pub(crate) met_successor: bool,
    pub(crate) loads: Vec<Load>,
    pub(crate) own: Option<Own>,
    /// How many ticks its clock stood still.
    pub(crate) slow: u8,
    pub(crate) seen: Seen,
}

/// What a node has been through.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seen {
    /// The newest write of the record that it heard of.
    pub(crate) heard: u8,
    /// Whether it refused the session as dead.
    pub(crate) denied: bool,
    /// Whether it was told of the session's revocation.
    pub(crate) told: bool,
    /// Its own writes that were acknowledged to it, and with it to its client.
    pub(crate) acked: Vec<u8>,
    /// The changes that its cursor brought.
    pub(crate) applied: Vec<u8>,
}

// === impl Node ===

impl Node {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            links: vec![Link::fresh(Side::Primary); bounds.shards],
            copy: None,
            epoch: 0,
            epoch_until: match bounds.has(Mutant::EpochWithoutMaximumAge) {
                true => u8::MAX,
                false => bounds.too_old(0),
            },
            tomb: false,
            met_successor: false,
            loads: Vec::new(),
            own: None,
            slow: 0,
            seen: Seen::default(),
        }
    }

    /// The node's clock.
    pub(crate) fn clock(&self, now: u8) -> u8 {
        now - self.slow
    }

    /// The channel to the shard of the user.
    pub(crate) fn user(&self) -> usize {
        self.links.len() - 1
    }

    /// The rule of a hit: the copy that a request would be served from now.
    pub(crate) fn hit(&self, now: u8, bounds: &Bounds) -> Option<&Copy> {
        let clock = self.clock(now);
        let leased = self.links[RECORD].trusts(clock)
            && (self.links[self.user()].trusts(clock) || bounds.has(Mutant::OneLease));
        let copy = self.copy.as_ref().filter(|_| leased && !self.tomb)?;
        let admitted = copy.value.stamp >= self.epoch;
        // On one shard the load of the copy has read the user's entry as well.
        let fresh = clock < copy.until && (bounds.shards == 1 || clock < self.epoch_until);
        (admitted && fresh && clock < copy.deadline).then_some(copy)
    }

    /// The next message of a channel.
    pub(crate) fn hear(&mut self, link: usize, store: &Store, now: u8, bounds: &Bounds) -> Verdict {
        let message = self.links[link].queue.remove(0);
        let clock = self.clock(now);
        match message {
            Message::Answer => return self.links[link].grant(clock, bounds),
            Message::Refused => {
                self.links[link].lease = 0;
                self.links[link].barrier = None;
                self.links[link].refused = true;
            }
            Message::Batch(end) => {
                self.read_changes(link, end, store, bounds);
                return self.links[link].grant(clock, bounds);
            }
            Message::Flush(end) => {
                self.flush(bounds);
                self.take_snapshot(link, &store.log[..end], now, bounds);
                self.links[link].cursor = end;
                self.seen.applied = store.log[..end].iter().map(|entry| entry.id).collect();
                self.seen.applied.sort_unstable();
                return self.links[link].grant(clock, bounds);
            }
            event => self.apply(event, store),
        }
        Verdict::default()
    }

    /// An event: no answer that is under way may be kept, and the copy is old.
    fn apply(&mut self, event: Message, store: &Store) {
        match event {
            Message::User(epoch) => self.epoch = self.epoch.max(epoch),
            Message::Changed(id) | Message::Revoked(id) => {
                if store.reflected(id) > store.reflected(self.seen.heard) {
                    self.seen.heard = id;
                }
                if matches!(event, Message::Revoked(_)) {
                    self.learn_revoked();
                }
                self.outdate();
                self.copy = None;
            }
            Message::Answer | Message::Refused | Message::Batch(_) | Message::Flush(_) => {}
        }
    }

    /// The session is revoked: from now on the node refuses it, whatever a store says.
    pub(crate) fn learn_revoked(&mut self) {
        self.tomb = true;
        self.seen.denied = true;
        self.seen.told = true;
    }

    /// Moves the generation on: whatever was asked before this may not be kept.
    pub(crate) fn outdate(&mut self) {
        for load in &mut self.loads {
            load.outdated = true;
        }
        if let Some(own) = &mut self.own {
            own.outdated = true;
        }
    }

    /// The changes that are visible now and were not at the last poll.
    fn read_changes(&mut self, link: usize, end: usize, store: &Store, bounds: &Bounds) {
        let before = self.links[link].cursor;
        let known = store.log[..before].iter().map(|entry| entry.id).max();
        for (at, entry) in store.log[..end].iter().enumerate() {
            let is_new = match bounds.has(Mutant::SequenceCursor) {
                // Ids are given out at the beginning of a transaction, as sequence numbers are.
                true => Some(entry.id) > known,
                false => at >= before,
            };
            if is_new {
                self.apply(Message::of(entry, &store.log), store);
                self.seen.applied.push(entry.id);
            }
        }
        self.seen.applied.sort_unstable();
        self.links[link].cursor = end;
    }

    /// Anything may have happened: every copy is old.
    fn flush(&mut self, bounds: &Bounds) {
        if bounds.has(Mutant::ForgetsRevocations) {
            self.tomb = false;
            self.epoch = 0;
        }
        if !bounds.has(Mutant::NoFlush) {
            self.copy = None;
            if !bounds.has(Mutant::TokenWithoutFlush) {
                self.outdate();
            }
        }
    }

    /// What is dead already, read from the shard that keeps it: tombstones and user entries.
    fn take_snapshot(&mut self, link: usize, log: &[Entry], now: u8, bounds: &Bounds) {
        if link == RECORD && log.iter().any(|entry| entry.write == Write::Revoke) {
            self.learn_revoked();
        }
        let clock = self.clock(now);
        if link == self.user() && !bounds.has(Mutant::NoSnapshot) {
            self.epoch = self.epoch.max(epoch(log));
            self.epoch_until = self.epoch_until.max(bounds.too_old(clock));
        }
    }

    /// A new connection: tracking, then the flush and the snapshot. A barrier may follow. A
    /// cursor goes on where it was.
    pub(crate) fn connect(
        &mut self,
        link: usize,
        side: Side,
        store: &Store,
        now: u8,
        bounds: &Bounds,
    ) {
        if store.has_deposed() && side == Side::Primary {
            self.meet_successor(bounds);
        }
        let cursor = self.links[link].cursor;
        self.links[link] = Link::fresh(side);
        self.links[link].cursor = cursor;
        self.links[link].tracking = !bounds.has(Mutant::LeaseBeforeTracking);
        if bounds.kind == Kind::Push {
            let log = store.log_of(side);
            // A copy is of the record's shard only; what the user's shard says stands beside it.
            if link == RECORD {
                self.flush(bounds);
            }
            self.take_snapshot(link, log, now, bounds);
        }
    }

    /// States that differ only in what is over for good are one.
    pub(crate) fn settle(&mut self, now: u8, bounds: &Bounds) {
        let clock = self.clock(now);
        for link in &mut self.links {
            link.settle(clock, bounds);
        }
        self.copy = self
            .copy
            .take()
            .filter(|copy| clock < copy.until && clock < copy.deadline);
    }

    /// Another primary than the one it follows answered: it follows that one no longer.
    pub(crate) fn meet_successor(&mut self, bounds: &Bounds) {
        self.met_successor = true;
        for link in &mut self.links {
            if link.side == Side::Deposed && !bounds.has(Mutant::GoesBackToDeposed) {
                link.lose();
            }
        }
    }

    /// Whether it may take a deposed primary for the primary: not after it met the successor.
    pub(crate) fn may_follow_deposed(&self, store: &Store, bounds: &Bounds) -> bool {
        let goes_back = bounds.has(Mutant::GoesBackToDeposed);
        store.has_deposed() && (!self.met_successor || goes_back)
    }

    /// Whether a revocation that it remembers is missing from a primary that it follows.
    pub(crate) fn owes(&self, store: &Store, bounds: &Bounds) -> bool {
        let link = &self.links[RECORD];
        let follows = link.wire == Wire::Up && link.side == Side::Primary;
        let missing = self.tomb && store.admits(Write::Revoke);
        follows && missing && !bounds.has(Mutant::NoReassertion)
    }
}
