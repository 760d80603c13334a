//! The invalidation channel of one node to one shard: an ordered queue, a barrier, a lease.

use crate::{
    bounds::{Bounds, Kind},
    checks::{Check, Verdict},
    mutants::Mutant,
    store::{Entry, Store, Write, epoch},
};

/// Which server a connection leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    Primary,
    /// The one that a fail-over replaced.
    Deposed,
}

/// The connection of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Wire {
    Up,
    /// Dead, and the node does not know: a hang, a reset that was lost, a server that is gone.
    /// What was on its way may still arrive.
    Cut,
    Down,
}

/// What the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    /// The record was written.
    Changed(u8),
    /// The session was revoked.
    Revoked(u8),
    /// The user's epoch.
    User(u8),
    /// The barrier was taken.
    Answer,
    /// The heartbeat of the barrier was refused.
    Refused,
    /// A cursor's answer: the changes up to this place of the log, and the barrier.
    Batch(usize),
    /// The cursor is too old: anything may have happened, up to this place.
    Flush(usize),
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Link {
    pub(crate) wire: Wire,
    pub(crate) side: Side,
    /// Whether the server pushes events.
    pub(crate) tracking: bool,
    /// Whether the server forgot that this node has the key (default tracking with NOLOOP).
    pub(crate) deaf: bool,
    pub(crate) queue: Vec<Message>,
    /// The barrier under way: the node's time at which it was sent.
    pub(crate) barrier: Option<u8>,
    /// Copies may be trusted before this time of the node's clock.
    pub(crate) lease: u8,
    /// Whether the last heartbeat was refused: the node answers 503.
    pub(crate) refused: bool,
    /// A cursor's place in the log.
    pub(crate) cursor: usize,
}

// === impl Link ===

impl Link {
    /// Connected, tracking, and without a lease.
    pub(crate) fn fresh(side: Side) -> Self {
        Self {
            wire: Wire::Up,
            side,
            tracking: true,
            deaf: false,
            queue: Vec::new(),
            barrier: None,
            lease: 0,
            refused: false,
            cursor: 0,
        }
    }

    /// Whether copies may be trusted at this time of the node's clock.
    pub(crate) fn trusts(&self, clock: u8) -> bool {
        clock < self.lease
    }

    /// Whether the node can send a barrier. One at a time: more would only send a later one.
    pub(crate) fn can_begin(&self, clock: u8, bounds: &Bounds) -> bool {
        let useful = self.lease < clock + bounds.lease;
        self.wire != Wire::Down && self.barrier.is_none() && !self.refused && useful
    }

    /// The events of writes whose cycle ends.
    pub(crate) fn push(&mut self, entry: &Entry, log: &[Entry], bounds: &Bounds) {
        let hears = self.wire == Wire::Up && self.side == Side::Primary;
        if hears && self.tracking && !self.deaf && bounds.kind == Kind::Push {
            self.queue.push(Message::of(entry, log));
        }
    }

    /// The node sends a barrier, which the server takes as a write of the node's heartbeat.
    ///
    /// It is taken the moment it is sent, and only its answer may be late. Were the request
    /// late, its answer would stand behind more events, and the lease would end no later.
    pub(crate) fn begin(&mut self, store: &Store, now: u8, clock: u8, bounds: &Bounds) {
        self.barrier = Some(clock);
        if self.wire != Wire::Up {
            return;
        }
        let writes = !bounds.has(Mutant::HeartbeatDoesNotWrite);
        if writes && !store.takes_writes(self.side, now) {
            self.queue.push(Message::Refused);
            return;
        }
        let end = store.log.len();
        match bounds.kind {
            Kind::Cursor if self.cursor < store.trimmed => self.queue.push(Message::Flush(end)),
            Kind::Cursor => self.queue.push(Message::Batch(end)),
            // The canary is pushed as an event is: where none is pushed, no barrier passes.
            Kind::Push if bounds.canary && !self.tracking => {
                if bounds.has(Mutant::BarrierWithoutCanary) {
                    self.queue.push(Message::Answer);
                }
            }
            Kind::Push => self.queue.push(Message::Answer),
        }
    }

    /// The barrier passed: the lease counts from when it was *sent*.
    pub(crate) fn grant(&mut self, clock: u8, bounds: &Bounds) -> Verdict {
        let Some(sent) = self.barrier.take() else {
            return Verdict::default();
        };
        let from = if bounds.has(Mutant::LeaseFromReceiveTime) {
            clock
        } else {
            sent
        };
        self.lease = self.lease.max(from + bounds.lease);
        Verdict::of(Check::LeaseFromSend, self.lease > sent + bounds.lease)
    }

    /// States that differ only in what is over for good are one.
    pub(crate) fn settle(&mut self, clock: u8, bounds: &Bounds) {
        if !self.trusts(clock) {
            self.lease = 0;
        }
        // A barrier this old gives no lease, however old it is.
        let oldest = clock.saturating_sub(bounds.lease);
        self.barrier = self.barrier.map(|sent| sent.max(oldest));
    }

    /// The node learns that the channel is lost: the lease first, then the connection.
    pub(crate) fn lose(&mut self) {
        self.lease = 0;
        self.wire = Wire::Down;
        self.queue.clear();
        self.barrier = None;
        self.tracking = false;
        self.deaf = false;
    }
}

// === impl Message ===

impl Message {
    /// The event of a write.
    pub(crate) fn of(entry: &Entry, log: &[Entry]) -> Self {
        match entry.write {
            Write::Change | Write::Login => Self::Changed(entry.id),
            Write::Revoke => Self::Revoked(entry.id),
            Write::RevokeUser => {
                let at = log.iter().position(|other| other.id == entry.id);
                Self::User(epoch(&log[..=at.expect("the entry is in the log")]))
            }
        }
    }

    /// Whether a channel that drops messages may drop it: an event, not an answer.
    pub(crate) fn is_event(self) -> bool {
        matches!(self, Self::Changed(_) | Self::Revoked(_) | Self::User(_))
    }
}
