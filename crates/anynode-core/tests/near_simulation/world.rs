//! Time: what happens next, to whom, and everything that there is.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
};

use crate::{
    client::{Client, Request, Wish},
    counts::Counts,
    draws::Draws,
    judge::{Decision, Judge},
    net::{Call, Down, Up, Wire},
    node::{Node, Timer},
    plan::{At, Fault, Odd, Plan, SECOND},
    server::Part,
    shelf::Id,
    verb::Reply,
};

/// A run.
pub(crate) struct World {
    pub(crate) now: At,
    pub(crate) plan: Plan,
    pub(crate) draws: Draws,
    pub(crate) nodes: Vec<Node>,
    pub(crate) parts: Vec<Part>,
    pub(crate) wires: Vec<Wire>,
    pub(crate) clients: Vec<Client>,
    pub(crate) judge: Judge,
    pub(crate) counts: Counts,
    /// When the revocation was executed that gave a user this epoch.
    pub(crate) epochs: HashMap<(usize, u64), At>,
    queue: BinaryHeap<Reverse<Entry>>,
    newest: u64,
    last_moment: At,
    trace: Trace,
    broken: Option<String>,
}

/// Whether a run tells what happens in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    Told,
    Silent,
}

/// Something that is to happen.
#[derive(Debug)]
pub(crate) enum Due {
    /// A message arrives at a server.
    Up(usize, Up),
    /// A message arrives at a node.
    Down(usize, Down),
    Call(Call),
    Reply(Call, Reply),
    /// A server's cycle ends.
    Cycle(usize, usize),
    /// The replica of a part takes the next change of the primary of this term.
    Copy(usize, usize),
    /// The primary of a part has waited long enough for its replica.
    Waited(usize, Id),
    Timer(usize, u32, Timer),
    /// A client sends its next request.
    Client(usize),
    /// A client sends one for this, beside those.
    ClientWishes(usize, Wish),
    /// All sessions of a client's user are revoked at the primary of this part.
    All(usize, usize),
    /// It arrives at a node.
    Request(usize, Request),
    /// Somebody who is no client revokes something.
    Operator,
    Fault(Fault),
    /// A deposed primary learns it, and closes its connections.
    Demoted(usize, usize),
    Healed,
    /// At last every session is asked for everywhere.
    Audit,
}

#[derive(Debug)]
struct Entry {
    at: At,
    number: u64,
    due: Due,
}

// === impl World ===

impl World {
    pub(crate) fn new(seed: u64, trace: Trace) -> Self {
        let mut draws = Draws::of(seed);
        let plan = Plan::drawn(&mut draws);
        let nodes = (0..plan.nodes)
            .map(|node| Node::new(node, &plan, &mut draws))
            .collect();
        let mut world = Self {
            now: 0,
            nodes,
            parts: (0..plan.parts()).map(|_| Part::new()).collect(),
            wires: Vec::new(),
            clients: Vec::new(),
            judge: Judge::new(&plan),
            counts: Counts::default(),
            epochs: HashMap::new(),
            queue: BinaryHeap::new(),
            newest: 0,
            last_moment: 0,
            trace,
            broken: None,
            draws,
            plan,
        };
        world.tell(|world| format!("{:?}", world.plan));
        world.begin();
        world
    }

    /// Lets everything happen, up to the first promise that is broken.
    pub(crate) fn run(mut self) -> Result<Counts, String> {
        while let Some(Reverse(Entry { at, due, .. })) = self.queue.pop() {
            self.now = at;
            self.happen(due);
            if let Some(broken) = self.broken {
                return Err(format!("{broken}, at {} us", self.now));
            }
            if at > self.plan.well + 3 * SECOND {
                break;
            }
        }
        self.counts.runs = 1;
        Ok(self.counts)
    }

    pub(crate) fn after(&mut self, wait: At, due: Due) {
        self.at(self.now + wait, due);
    }

    pub(crate) fn at(&mut self, at: At, due: Due) {
        self.newest += 1;
        let number = self.newest;
        self.queue.push(Reverse(Entry { at, number, due }));
    }

    /// A time that is later than any before.
    pub(crate) fn moment(&mut self) -> At {
        self.last_moment = self.now.max(self.last_moment + 1);
        self.last_moment
    }

    /// A name for a write.
    pub(crate) fn id(&mut self) -> Id {
        self.newest += 1;
        self.newest
    }

    /// How long a message is on its way: usually not long.
    pub(crate) fn way(&mut self) -> At {
        let most = match self.now < self.plan.healed && self.draws.one_in(25) {
            true => SECOND / 2,
            false => self.plan.way,
        };
        1 + self.draws.below(most)
    }

    pub(crate) fn tell(&self, what: impl FnOnce(&Self) -> String) {
        if self.trace == Trace::Told {
            println!("{:>9} {}", self.now, what(self));
        }
    }

    /// Has what was decided judged.
    pub(crate) fn decided(&mut self, decision: &Decision) {
        self.tell(|_| {
            let Decision {
                node,
                client,
                session,
                outcome,
                how,
                ..
            } = decision;
            format!("n{node} answers c{client} for s{session}: {outcome:?} by {how}")
        });
        if let Err(why) = self.judge.judge(decision) {
            self.breaks(format!("{why}: {decision:?}"));
        }
    }

    pub(crate) fn breaks(&mut self, why: String) {
        self.tell(|_| format!("BROKEN {why}"));
        self.broken.get_or_insert(why);
    }

    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            self.start_node(node);
        }
        self.begin_clients();
        let healed = self.plan.healed;
        for _ in 0..self.plan.faults {
            let at = self.draws.between(SECOND / 5, healed - SECOND / 5);
            let fault = self.plan.fault(&mut self.draws);
            self.at(at, Due::Fault(fault));
        }
        for _ in 0..self.draws.below(6) {
            let at = self.draws.between(SECOND / 5, healed);
            self.at(at, Due::Operator);
        }
        self.at(healed, Due::Healed);
        self.at(self.plan.well, Due::Audit);
    }

    fn happen(&mut self, due: Due) {
        if let Some(node) = self.node_of(&due)
            && self.nodes[node].paused_until > self.now
        {
            // Its turn comes when the process goes on, in the order of arrival.
            return self.at(self.nodes[node].paused_until, due);
        }
        match due {
            Due::Up(wire, up) => self.server_hears(wire, up),
            Due::Down(wire, down) => self.node_hears(wire, down),
            Due::Call(call) => self.serve(call),
            Due::Reply(call, reply) => self.answered(call, reply),
            Due::Cycle(part, term) => self.end_cycle(part, term),
            Due::Copy(part, term) => self.copy(part, term),
            Due::Waited(part, id) => self.waited(part, id),
            Due::Timer(node, start, timer) if self.nodes[node].start == start => {
                self.timer(node, timer);
            }
            Due::Timer(..) => {}
            Due::Client(client) => self.client_asks(client),
            Due::ClientWishes(client, wish) => self.client_wishes(client, wish),
            Due::All(part, client) => self.revoke_all(part, client),
            Due::Request(node, request) => self.arrived(node, request),
            Due::Operator => self.operate(),
            Due::Fault(fault) => self.suffer(fault),
            Due::Demoted(part, term) => self.demoted(part, term),
            Due::Healed => self.heal(),
            Due::Audit => self.audit(),
        }
    }

    /// Whose process has to run for this to happen.
    fn node_of(&self, due: &Due) -> Option<usize> {
        match due {
            Due::Down(wire, _) => Some(self.wires[*wire].node),
            Due::Reply(call, _) => Some(call.node),
            Due::Timer(node, ..) | Due::Request(node, _) => Some(*node),
            _ => None,
        }
    }

    /// At the end: all nodes trust again, but those whose clock may not be trusted; and everybody
    /// is asked for everything.
    fn audit(&mut self) {
        for node in 0..self.nodes.len() {
            let trusts = self.nodes[node].trusts_all(self.now);
            let clock = &self.nodes[node].clock;
            let (is_good, is_slow) = (clock.is_good(), clock.is_slow());
            let is_leased = self.plan.channel != crate::plan::Hearing::Validated;
            if is_leased && is_good && !trusts && self.plan.odd != Odd::FullMemory {
                let why = self.nodes[node].conditions(self.now);
                self.breaks(format!("n{node} does not trust again: {why}"));
            }
            if is_leased && is_slow && self.nodes[node].trusts_any(self.now) {
                self.breaks(format!("n{node} trusts its clock, which is slow"));
            }
        }
        match self.judge.lost_for_good(&self.plan) {
            Ok(brought_back) => self.counts.reasserted += brought_back,
            Err(why) => self.breaks(why),
        }
        self.ask_everywhere();
    }
}

// === impl Entry ===

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}
