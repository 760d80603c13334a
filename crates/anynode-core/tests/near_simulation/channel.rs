//! A node's channels: opened, beaten and lost.

use anynode_core::near::Condition;

use crate::{
    net::{Up, Wire},
    node::{Node, Stage, Timer},
    plan::{At, Hearing, MILLI, Odd},
    server::Role,
    world::{Due, World},
};

/// A third of the lease.
const HEARTBEAT: At = 333 * MILLI;

/// How often a node writes again what it owes.
pub(crate) const UPKEEP: At = 250 * MILLI;

// === impl World ===

impl World {
    /// A node's process starts, for the first time or again.
    pub(crate) fn start_node(&mut self, number: usize) {
        let old = &self.nodes[number];
        let (start, clock) = (old.start + 1, old.clock.clone());
        self.nodes[number] = Node::started(start, clock, &self.plan);
        if self.plan.channel == Hearing::Validated {
            return self.start_validated(number);
        }
        for feed in 0..self.plan.feeds() {
            self.timer_after(number, 1, Timer::Connect(feed));
            let first = self.draws.below(HEARTBEAT) + 1;
            self.timer_after(number, first, Timer::Heartbeat(feed));
        }
        self.timer_after(number, UPKEEP, Timer::Upkeep);
    }

    pub(crate) fn timer_after(&mut self, node: usize, wait: At, timer: Timer) {
        let start = self.nodes[node].start;
        self.after(wait, Due::Timer(node, start, timer));
    }

    /// The connections of a process that ended; servers notice at once or never.
    pub(crate) fn leave(&mut self, node: usize) {
        for feed in 0..self.nodes[node].channels.len() {
            self.drop_wires(node, feed);
        }
    }

    /// The wire of a node's channel to a part of the store.
    pub(crate) fn wire_of(&self, node: usize, part: usize) -> Option<usize> {
        let channel = self.nodes[node].channels.get(self.plan.feed_of(part))?;
        channel.links.iter().find(|link| link.part == part)?.wire
    }

    /// Which primary a node turns to: the one that its channel follows, or whichever it takes for
    /// the primary, but none from before one that it has met.
    pub(crate) fn primary_for(&mut self, node: usize, part: usize) -> usize {
        let of = &self.nodes[node];
        let channel = &of.channels[self.plan.feed_of(part)];
        let link = channel.links.iter().find(|link| link.part == part);
        let link = link.expect("a channel for each part");
        if link.wire.is_some() && link.term >= of.met[part] {
            return link.term;
        }
        let term = self.parts[part].term();
        let is_around = |term: usize| self.parts[part].servers[term].role != Role::Demoted;
        let may_err = term > of.met[part] && is_around(term - 1);
        term - usize::from(may_err && self.draws.one_in(2))
    }

    pub(crate) fn connect(&mut self, node: usize, feed: usize) {
        let now = self.nodes[node].clock.at(self.now);
        let channel = &mut self.nodes[node].channels[feed];
        if channel.stage != Stage::Closed {
            return;
        }
        (channel.stage, channel.since) = (Stage::Opening, now);
        for at in 0..channel_links(&self.nodes[node], feed) {
            let part = self.nodes[node].channels[feed].links[at].part;
            let term = self.primary_for(node, part);
            let start = self.nodes[node].start;
            let wire = self.wires.len();
            self.wires.push(Wire::new(node, start, part, term));
            let link = &mut self.nodes[node].channels[feed].links[at];
            let resumes = self.plan.channel == Hearing::Cursor && link.term == term;
            let place = link.place.filter(|_| resumes);
            (link.wire, link.term, link.opened) = (Some(wire), term, None);
            // A place is one in the table of the primary that it was heard from.
            link.place = place;
            self.send_up(wire, Up::Open(place));
        }
    }

    /// The channel is lost, or given up: the lease first.
    pub(crate) fn lose(&mut self, node: usize, feed: usize, why: &str) {
        let of = &mut self.nodes[node];
        if of.channels[feed].stage == Stage::Closed {
            return;
        }
        let trusted = of.condition(feed, self.now) == Condition::Trusted;
        let Node {
            channels, horizon, ..
        } = of;
        channels[feed].feed.lost(horizon);
        channels[feed].stage = Stage::Closed;
        self.counts.leases_lost += u64::from(trusted);
        self.tell(|_| format!("n{node} loses channel {feed}: {why}"));
        self.drop_wires(node, feed);
        let wait = 1 + self.draws.below(60 * MILLI);
        self.timer_after(node, wait, Timer::Connect(feed));
    }

    fn drop_wires(&mut self, node: usize, feed: usize) {
        for at in 0..channel_links(&self.nodes[node], feed) {
            let link = &mut self.nodes[node].channels[feed].links[at];
            if let Some(wire) = link.wire.take() {
                self.hang_up(wire);
            }
        }
    }

    /// Begins a barrier, or finds that the channel is lost.
    pub(crate) fn beat(&mut self, node: usize, feed: usize) {
        let overdue = self.plan.overdue;
        let of = &mut self.nodes[node];
        let sent = of.clock.at(self.now);
        let channel = &mut of.channels[feed];
        let is_late = match channel.stage {
            Stage::Closed => return,
            Stage::Opening | Stage::Reading => sent >= channel.since + overdue,
            Stage::Open => {
                channel.feed.is_overdue(overdue, sent) || channel.barriers.overdue(overdue, sent)
            }
        };
        if is_late {
            return self.lose(node, feed, "a barrier is overdue");
        }
        if channel.stage != Stage::Open {
            return;
        }
        let id = channel.barriers.begin(channel.links.len(), sent);
        channel.newest = id;
        channel.feed.began(id, sent);
        let wires: Vec<_> = channel.links.iter().filter_map(|link| link.wire).collect();
        for wire in wires {
            self.send_up(wire, Up::Barrier(id));
        }
    }

    pub(crate) fn heartbeat(&mut self, node: usize, feed: usize) {
        self.beat(node, feed);
        self.timer_after(node, HEARTBEAT, Timer::Heartbeat(feed));
    }

    /// A store that is asked at every read has a channel that is always open.
    fn start_validated(&mut self, node: usize) {
        let server = &self.parts[0].servers[0];
        let (place, snapshot) = (server.log.len(), server.snapshot(self.now));
        let Node {
            channels, horizon, ..
        } = &mut self.nodes[node];
        channels[0].feed.opened(horizon);
        channels[0].stage = Stage::Open;
        self.nodes[node].place = place;
        self.learn(node, 0, &snapshot);
    }

    /// Asks such a store whether there is anything new.
    pub(crate) fn validate(&mut self, node: usize) {
        let log = &self.parts[0].servers[0].log;
        let events = log[self.nodes[node].place..].to_vec();
        self.nodes[node].place = log.len();
        for event in events {
            self.heard(node, 0, &event);
        }
        let Node {
            channels,
            horizon,
            memory,
            clock,
            ..
        } = &mut self.nodes[node];
        channels[0]
            .feed
            .validated(clock.at(self.now), memory, horizon);
    }

    /// Whether it makes a difference that sessions are used.
    pub(crate) fn counts_uses(&self) -> bool {
        self.plan.odd == Odd::Expiring
    }
}

fn channel_links(node: &Node, feed: usize) -> usize {
    node.channels[feed].links.len()
}
