//! What a node hears on its channels, and hands to the crate.

use anynode_core::{
    BarrierId, Event, Snapshot,
    near::{Act, Assertion, Barriers, Condition, Reassert, Sign},
};

use crate::{
    net::{Down, Resumed, Up, Wire},
    node::{Node, Stage},
    plan::Hearing,
    shelf::{session_of, user_number},
    world::World,
};

// === impl World ===

impl World {
    /// A message of a channel arrives at its node.
    pub(crate) fn node_hears(&mut self, wire: usize, down: Down) {
        let Wire {
            node, part, start, ..
        } = self.wires[wire];
        let feed = self.plan.feed_of(part);
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let links = &mut of.channels[feed].links;
        let Some(at) = links.iter().position(|link| link.wire == Some(wire)) else {
            return;
        };
        if of.start != start {
            return;
        }
        match down {
            Down::Opened(resumed, place) => {
                (links[at].opened, links[at].place) = (Some(resumed), Some(place));
                of.channels[feed].has_gap |= resumed == Resumed::Anew;
                self.opened(node, feed);
            }
            Down::Event(event) => {
                links[at].place = links[at].place.map(|place| place + 1);
                self.heard(node, feed, &event);
            }
            Down::Snapshot(snapshot) => {
                links[at].snapshot = Some(snapshot);
                self.read_snapshot(node, feed);
            }
            Down::Answer(id, time) => self.sign(node, feed, id, at, Sign::Answer(time)),
            Down::Canary(id) => self.sign(node, feed, id, at, Sign::Canary),
            Down::Refused => {
                let Node {
                    channels, horizon, ..
                } = of;
                channels[feed].feed.refused(horizon);
                self.tell(|_| format!("n{node} is refused at {now:?}"));
                self.lose(node, feed, "its heartbeat was refused");
            }
            Down::Closed => self.lose(node, feed, "it was closed"),
        }
    }

    /// Once all its connections are open: what comes after a gap, and what is to be asserted.
    fn opened(&mut self, node: usize, feed: usize) {
        let of = &mut self.nodes[node];
        let links = &of.channels[feed].links;
        if links.iter().any(|link| link.opened.is_none()) {
            return;
        }
        let met: Vec<_> = links.iter().map(|link| (link.part, link.term)).collect();
        let has_table = self.plan.channel == Hearing::Cursor && of.channels[feed].was_open;
        let Node {
            channels, horizon, ..
        } = of;
        let channel = &mut channels[feed];
        channel.barriers = Barriers::after(channel.newest);
        if channel.was_open && !channel.has_gap {
            channel.stage = Stage::Open;
            self.counts.resumed += 1;
            self.tell(|_| format!("n{node} resumes channel {feed}"));
            return self.beat(node, feed);
        }
        // Lost before its snapshot was read, it has nothing to go on from.
        (channel.stage, channel.was_open) = (Stage::Reading, false);
        channel.has_gap = false;
        if !has_table {
            channel.feed.opened(horizon);
        }
        for link in &mut channel.links {
            link.snapshot = None;
        }
        let wires: Vec<_> = channel.links.iter().filter_map(|link| link.wire).collect();
        self.tell(|_| format!("n{node} opens channel {feed} anew"));
        self.counts.flushes += 1;
        if has_table {
            self.heard(node, feed, &Event::Flush);
        }
        for wire in wires {
            self.send_up(wire, Up::Snapshot);
        }
        for (part, term) in met {
            self.meets(node, part, term);
        }
    }

    /// A primary answers. One after another that was met may lack what that one acknowledged, so
    /// that everything remembered is owed again.
    pub(crate) fn meets(&mut self, node: usize, part: usize, term: usize) {
        if term <= self.nodes[node].met[part] {
            return;
        }
        self.nodes[node].met[part] = term;
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let until = now + Reassert::WINDOW;
        for assertion in Node::in_order(of.memory.to_assert()) {
            // What is there has room.
            let _ = of.memory.owe(assertion, until, now);
        }
        let feed = self.plan.feed_of(part);
        let link = of.channels[feed]
            .links
            .iter()
            .find(|link| link.part == part);
        if link.is_some_and(|link| link.wire.is_some() && link.term < term) {
            self.lose(node, feed, "its successor answered");
        }
    }

    pub(crate) fn heard(&mut self, node: usize, feed: usize, event: &Event) {
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let Node {
            channels,
            horizon,
            memory,
            ..
        } = of;
        let (act, told) = channels[feed].feed.hear(event, memory, horizon, now);
        if let Act::Forget(handle) = act {
            of.forget(&handle);
        }
        self.tell(|_| format!("n{node} hears {event:?}"));
        match (told, Assertion::of(event)) {
            (Ok(()), Some(assertion)) => self.told(node, &assertion),
            (Err(_), _) => self.counts.full += 1,
            (Ok(()), None) => {}
        }
    }

    /// Has the judge know what the node remembers.
    pub(crate) fn told(&mut self, node: usize, assertion: &Assertion) {
        match assertion {
            Assertion::Session(stone) => self.judge.told(node, session_of(&stone.handle)),
            Assertion::User(user, entry) => {
                let user = user_number(user);
                let moment = self.epochs[&(user, entry.epoch.as_micros())];
                self.judge.told_user(node, user, moment);
            }
        }
    }

    fn read_snapshot(&mut self, node: usize, feed: usize) {
        let of = &mut self.nodes[node];
        let links = &mut of.channels[feed].links;
        if links.iter().any(|link| link.snapshot.is_none()) {
            return;
        }
        let mut all = Snapshot::default();
        for one in links.iter_mut().filter_map(|link| link.snapshot.take()) {
            all.revoked.extend(one.revoked);
            all.users.extend(one.users);
            all.now = one.now.max(all.now);
        }
        self.learn(node, feed, &all);
        let channel = &mut self.nodes[node].channels[feed];
        (channel.stage, channel.was_open) = (Stage::Open, true);
        self.beat(node, feed);
    }

    /// What a channel starts from.
    pub(crate) fn learn(&mut self, node: usize, feed: usize, all: &Snapshot) {
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let Node {
            channels,
            horizon,
            memory,
            ..
        } = of;
        let learned = channels[feed].feed.snapshot(all, memory, horizon, now);
        for stone in &all.revoked {
            of.forget(&stone.handle);
        }
        if learned.is_err() {
            self.counts.full += 1;
            return;
        }
        let stones = all.revoked.iter().map(|stone| Assertion::Session(*stone));
        let users = all
            .users
            .iter()
            .map(|(user, entry)| Assertion::User(user.clone(), *entry));
        for assertion in stones.chain(users) {
            self.told(node, &assertion);
        }
    }

    fn sign(&mut self, node: usize, feed: usize, id: BarrierId, at: usize, sign: Sign) {
        let passed = self.nodes[node].channels[feed].barriers.heard(id, at, sign);
        for passed in passed {
            self.heard(node, feed, &Event::Passed(passed.id, passed.at));
        }
        let condition = self.nodes[node].condition(feed, self.now);
        self.counts.clock_slow += u64::from(condition == Condition::ClockSlow);
    }
}
