//! The state of the whole fleet, and every step that it can take.

use stateright::{Model, Property};

use crate::{
    bounds::{Bounds, Kind},
    channel::{Side, Wire},
    checks::{self, Check, Verdict},
    faults::Fault,
    load::UserPart,
    mutants::Mutant,
    node::{Node, RECORD},
    own::Stage,
    store::{ANONYMOUS, Begun, Store, Write},
};

/// A state that was reached. One that breaks a check is nothing but that, and final: so there is
/// one for each check, and the shortest way there is the counterexample.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Running(Fleet),
    Broken(Check),
}

/// Everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fleet {
    /// Real time, in ticks.
    pub(crate) now: u8,
    pub(crate) store: Store,
    pub(crate) nodes: Vec<Node>,
    /// Which of the configuration's writes and faults are used up, by place.
    pub(crate) used: Used,
    /// For what must be seen.
    pub(crate) lost_a_channel: bool,
    pub(crate) reasserted: bool,
    pub(crate) touched: bool,
}

/// What is used up, one bit for each place in the lists of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Used {
    pub(crate) others: u8,
    pub(crate) own: u8,
    pub(crate) faults: u8,
}

/// A step. Numbers are places: of a node, of its channel, of its load, of a write or a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Tick,
    /// Somebody else writes: another node, an operator.
    Write(usize),
    Begin(usize),
    Commit(usize),
    EndCycle,
    Replicate,
    Touch,
    Fault(usize, Fault, usize, usize),
    Barrier(usize, usize),
    Deliver(usize, usize),
    Notice(usize, usize),
    Connect(usize, usize, Side),
    Track(usize, usize),
    SendLoad(usize, Side),
    PerformLoad(usize, usize),
    ReadUser(usize, usize),
    AnswerLoad(usize, usize),
    SendOwn(usize, usize),
    PerformOwn(usize),
    AckOwn(usize),
    Reassert(usize),
}

// === impl Model for Bounds ===

impl Model for Bounds {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::Running(Fleet {
            now: 0,
            store: Store {
                expires: self.expires.unwrap_or(0),
                first_stamp: if self.anonymous { ANONYMOUS } else { 0 },
                ..Store::default()
            },
            nodes: vec![Node::new(self); self.nodes],
            used: Used::default(),
            lost_a_channel: false,
            reasserted: false,
            touched: false,
        })]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if let State::Running(fleet) = state {
            fleet.store_steps(self, steps);
            fleet.fault_steps(self, steps);
            for node in 0..fleet.nodes.len() {
                fleet.channel_steps(node, self, steps);
                fleet.load_steps(node, self, steps);
                fleet.own_steps(node, self, steps);
            }
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let State::Running(fleet) = state else {
            return None;
        };
        let mut next = fleet.clone();
        let verdict = next.take(step, self);
        let verdict = verdict | checks::judge(&next, self);
        for node in &mut next.nodes {
            node.settle(next.now, self);
        }
        // Nodes are alike: states that differ in their order only are one.
        next.nodes.sort();
        Some(match verdict.first_of(self.checks) {
            Some(check) => State::Broken(check),
            None => State::Running(next),
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        checks::properties(self)
    }
}

// === impl Fleet ===

impl Fleet {
    fn store_steps(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        let store = &self.store;
        if self.now < bounds.ticks {
            steps.push(Step::Tick);
        }
        for (at, write) in bounds.others.iter().enumerate() {
            // Of equal writes the first goes first: they differ in nothing.
            let is_unused = |place: usize| self.used.others & 1 << place == 0;
            let earlier = |place: &usize| bounds.others[*place] == *write && is_unused(*place);
            let first = (0..=at).find(earlier) == Some(at);
            let free = first && store.admits(*write);
            // Two transactions cannot hold the lock of one row.
            let row = |begun: &Begun| begun.write.is_of_user() == write.is_of_user();
            match bounds.kind {
                Kind::Push if free => steps.push(Step::Write(at)),
                Kind::Cursor if free && !store.begun.iter().any(row) => {
                    steps.push(Step::Begin(at));
                }
                Kind::Push | Kind::Cursor => {}
            }
        }
        steps.extend((0..store.begun.len()).map(Step::Commit));
        if store.log.iter().any(|entry| !entry.queued) {
            steps.push(Step::EndCycle);
        }
        if bounds.replica && store.copied < store.log.len() && store.deposed.is_none() {
            steps.push(Step::Replicate);
        }
        if bounds.touches && !self.touched && self.now < store.expires {
            steps.push(Step::Touch);
        }
    }

    fn channel_steps(&self, at: usize, bounds: &Bounds, steps: &mut Vec<Step>) {
        let node = &self.nodes[at];
        for (number, link) in node.links.iter().enumerate() {
            if link.can_begin(node.clock(self.now), bounds) {
                steps.push(Step::Barrier(at, number));
            }
            if !link.queue.is_empty() {
                steps.push(Step::Deliver(at, number));
            }
            if link.wire == Wire::Up && !link.tracking && bounds.has(Mutant::LeaseBeforeTracking) {
                steps.push(Step::Track(at, number));
            }
            // A deposed primary closes its connections, or the node hears of the fail-over.
            let doubtful = link.refused || link.side == Side::Deposed || !link.tracking;
            match link.wire {
                Wire::Cut => steps.push(Step::Notice(at, number)),
                Wire::Up if doubtful => steps.push(Step::Notice(at, number)),
                Wire::Up => {}
                Wire::Down => {
                    steps.push(Step::Connect(at, number, Side::Primary));
                    if node.may_follow_deposed(&self.store, bounds) {
                        steps.push(Step::Connect(at, number, Side::Deposed));
                    }
                }
            }
        }
    }

    fn load_steps(&self, at: usize, bounds: &Bounds, steps: &mut Vec<Step>) {
        let node = &self.nodes[at];
        if node.can_load(bounds) {
            let sources = node.sources(&self.store, bounds);
            steps.extend(sources.into_iter().map(|side| Step::SendLoad(at, side)));
        }
        for (number, load) in node.loads.iter().enumerate() {
            steps.push(match (load.answer, load.user) {
                (None, _) => Step::PerformLoad(at, number),
                (Some(_), UserPart::Wanted) => Step::ReadUser(at, number),
                (Some(_), UserPart::Skipped | UserPart::Read(_)) => Step::AnswerLoad(at, number),
            });
        }
    }

    fn own_steps(&self, at: usize, bounds: &Bounds, steps: &mut Vec<Step>) {
        let node = &self.nodes[at];
        match node.own.as_ref().map(|own| own.stage) {
            None => {
                let writes = (0..bounds.own.len()).filter(|own| self.used.own & 1 << own == 0);
                steps.extend(writes.map(|own| Step::SendOwn(at, own)));
            }
            Some(Stage::Sent) => steps.push(Step::PerformOwn(at)),
            Some(Stage::Acked | Stage::Failed) => steps.push(Step::AckOwn(at)),
            Some(Stage::Waiting) => {}
        }
        if node.owes(&self.store, bounds) {
            steps.push(Step::Reassert(at));
        }
    }

    fn take(&mut self, step: Step, bounds: &Bounds) -> Verdict {
        let now = self.now;
        match step {
            Step::Tick => self.now += 1,
            Step::Write(at) => {
                self.used.others |= 1 << at;
                let id = self.store.next_id();
                self.execute(id, bounds.others[at], bounds);
            }
            Step::Begin(at) => {
                self.used.others |= 1 << at;
                let (id, write) = (self.store.next_id(), bounds.others[at]);
                self.store.begun.push(Begun { id, write });
            }
            Step::Commit(at) => {
                let Begun { id, write } = self.store.begun.remove(at);
                self.execute(id, write, bounds);
            }
            Step::EndCycle => self.end_cycle(bounds),
            Step::Replicate => self.store.copied += 1,
            Step::Touch => return self.touch(bounds),
            Step::Fault(at, fault, node, number) => {
                self.used.faults |= 1 << at;
                self.suffer(fault, node, number, bounds);
            }
            Step::Reassert(_) => {
                self.reasserted = true;
                let id = self.store.next_id();
                self.execute(id, Write::Revoke, bounds);
            }
            Step::SendOwn(node, at) => {
                self.used.own |= 1 << at;
                self.nodes[node].send_own(bounds.own[at], &mut self.store, now, bounds);
            }
            Step::PerformOwn(node) => {
                let verdict = self.nodes[node].perform_own(&mut self.store, bounds);
                if !bounds.batching {
                    self.end_cycle(bounds);
                }
                return verdict;
            }
            of_a_node => return self.take_at_node(of_a_node, bounds),
        }
        Verdict::default()
    }

    fn take_at_node(&mut self, step: Step, bounds: &Bounds) -> Verdict {
        let (now, store, nodes) = (self.now, &self.store, &mut self.nodes);
        match step {
            Step::Barrier(node, link) => {
                let clock = nodes[node].clock(now);
                nodes[node].links[link].begin(store, now, clock, bounds);
            }
            Step::Deliver(node, link) => return nodes[node].hear(link, store, now, bounds),
            Step::Notice(node, link) => {
                nodes[node].links[link].lose();
                self.lost_a_channel = true;
            }
            Step::Connect(node, link, side) => nodes[node].connect(link, side, store, now, bounds),
            Step::Track(node, link) => nodes[node].links[link].tracking = true,
            Step::SendLoad(node, side) => nodes[node].send_load(side, now, bounds),
            Step::PerformLoad(node, load) => nodes[node].perform_load(load, store, now, bounds),
            Step::ReadUser(node, load) => nodes[node].perform_user_read(load, store),
            Step::AnswerLoad(node, load) => return nodes[node].answered(load, store, now, bounds),
            Step::AckOwn(node) => nodes[node].acknowledged(store, now, bounds),
            other => unreachable!("{other:?} is not of a node alone"),
        }
        Verdict::default()
    }

    fn execute(&mut self, id: u8, write: Write, bounds: &Bounds) {
        let stamp = crate::store::epoch(&self.store.log);
        self.store.execute(id, write, stamp);
        if !bounds.batching {
            self.end_cycle(bounds);
        } else if bounds.has(Mutant::OrderedByExecution) {
            let last = self.store.log.last_mut().expect("it was executed");
            last.acked = Some(self.now);
        }
    }

    /// The end of a cycle of the server: events first, then the acknowledgements leave.
    fn end_cycle(&mut self, bounds: &Bounds) {
        let log = self.store.log.clone();
        let ended = self.store.log.iter_mut().filter(|entry| !entry.queued);
        for entry in ended {
            entry.queued = true;
            entry.acked = entry.acked.or(Some(self.now));
            for node in &mut self.nodes {
                let shard = if entry.write.is_of_user() {
                    node.user()
                } else {
                    RECORD
                };
                let own = node.own.as_mut().filter(|own| own.id == entry.id);
                let own = own.map(|own| own.stage = Stage::Acked).is_some();
                if !(own && bounds.has(Mutant::NoloopDefaultTracking)) {
                    node.links[shard].push(entry, &log, bounds);
                }
            }
        }
    }
}
