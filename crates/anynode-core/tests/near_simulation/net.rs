//! The network: ordered wires for channels, and calls that overtake each other.

use anynode_core::{BarrierId, Event, Snapshot, Timestamp};

use crate::{
    plan::{At, SECOND},
    verb::{Reply, Verb},
    world::{Due, World},
};

/// One connection of a channel, from a node to the server of this term of a part of the store.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) node: usize,
    /// Which start of the node's process it belongs to.
    pub(crate) start: u32,
    pub(crate) part: usize,
    pub(crate) term: usize,
    /// Whether what is sent gets there.
    pub(crate) carries_up: bool,
    pub(crate) carries_down: bool,
    /// Whether the server pushes.
    pub(crate) tracked: bool,
    /// Nothing arrives before.
    pub(crate) stalled_until: At,
    last_up: At,
    last_down: At,
}

/// What a node says on a channel.
#[derive(Clone, Debug)]
pub(crate) enum Up {
    /// Begin to push; from this place of the table of changes on, if it is still there.
    Open(Option<usize>),
    Snapshot,
    Barrier(BarrierId),
}

/// What a server says on a channel.
#[derive(Clone, Debug)]
pub(crate) enum Down {
    /// It pushes from now on, and from this place of the table of changes.
    Opened(Resumed, usize),
    Event(Event),
    Snapshot(Snapshot),
    Answer(BarrierId, Timestamp),
    Canary(BarrierId),
    Refused,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    WithoutGap,
    Anew,
}

/// A request of a node to a server.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) node: usize,
    pub(crate) start: u32,
    pub(crate) number: u64,
    pub(crate) part: usize,
    pub(crate) term: usize,
    pub(crate) verb: Verb,
}

// === impl Wire ===

impl Wire {
    pub(crate) fn new(node: usize, start: u32, part: usize, term: usize) -> Self {
        Self {
            node,
            start,
            part,
            term,
            carries_up: true,
            carries_down: true,
            tracked: false,
            stalled_until: 0,
            last_up: 0,
            last_down: 0,
        }
    }
}

// === impl World ===

impl World {
    /// Sends on a wire; nothing overtakes.
    pub(crate) fn send_up(&mut self, wire: usize, up: Up) {
        let at = self.now + self.way();
        let of = &mut self.wires[wire];
        if !of.carries_up {
            return;
        }
        of.last_up = at.max(of.last_up).max(of.stalled_until);
        let at = of.last_up;
        self.at(at, Due::Up(wire, up));
    }

    pub(crate) fn send_down(&mut self, wire: usize, down: Down) {
        let at = self.now + self.way();
        let of = &mut self.wires[wire];
        if !of.carries_down {
            return;
        }
        of.last_down = at.max(of.last_down).max(of.stalled_until);
        let at = of.last_down;
        self.at(at, Due::Down(wire, down));
    }

    /// What is on its way on this wire is late, and what comes behind it.
    pub(crate) fn stall(&mut self, wire: usize, until: At) {
        self.wires[wire].stalled_until = until;
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn call(&mut self, call: Call) {
        let way = self.way();
        self.after(way, Due::Call(call));
    }

    pub(crate) fn reply(&mut self, call: Call, reply: Reply) {
        let is_lost = self.now < self.plan.healed && self.draws.one_in(40);
        if is_lost {
            self.counts.answers_lost += 1;
            return;
        }
        let way = self.way();
        self.after(way, Due::Reply(call, reply));
    }

    /// How long a node waits for an answer.
    pub(crate) const PATIENCE: At = SECOND * 7 / 10;
}
