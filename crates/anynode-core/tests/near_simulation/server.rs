//! The store: primaries, the replica of each, and how what they execute gets out.

use std::collections::VecDeque;

use anynode_core::{Event, Snapshot, near::Assertion};

use crate::{
    net::{Call, Down, Resumed, Up},
    plan::{At, Hearing, Odd, Sort},
    shelf::{Id, Shelf, store_time, user_number},
    verb::{Change, Deed, Ended, Performed, Reply, Verb},
    world::{Due, World},
};

/// A part of the store: its primaries by term, and the replica of the last one.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) servers: Vec<Server>,
    pub(crate) replica: Shelf,
    pub(crate) copying: VecDeque<Copying>,
    pub(crate) last_copy: At,
}

/// A primary, of the present or the past.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) shelf: Shelf,
    pub(crate) role: Role,
    pub(crate) down_until: At,
    /// What was executed and is not acknowledged.
    pub(crate) cycle: Vec<Outgoing>,
    /// The channels that it pushes to.
    pub(crate) wires: Vec<usize>,
    /// The table of changes.
    pub(crate) log: Vec<Event>,
    pub(crate) trimmed: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Primary,
    /// It was replaced, and takes writes until then.
    Deposed {
        until: At,
    },
    /// It knows that it was replaced.
    Demoted,
}

/// What leaves a server at the end of its cycle.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: Option<Id>,
    event: Option<Event>,
    change: Vec<Change>,
    call: Option<Call>,
    reply: Reply,
}

/// What is on its way to the replica.
#[derive(Debug)]
pub(crate) struct Copying {
    pub(crate) id: Option<Id>,
    pub(crate) change: Vec<Change>,
    /// Who waits for that.
    pub(crate) held: Option<(Call, Reply)>,
}

// === impl Part ===

impl Part {
    pub(crate) fn new() -> Self {
        Self {
            servers: vec![Server::new(Shelf::default())],
            replica: Shelf::default(),
            copying: VecDeque::new(),
            last_copy: 0,
        }
    }

    /// The term of the primary.
    pub(crate) fn term(&self) -> usize {
        self.servers.len() - 1
    }
}

// === impl Server ===

impl Server {
    pub(crate) fn new(shelf: Shelf) -> Self {
        Self {
            shelf,
            role: Role::Primary,
            down_until: 0,
            cycle: Vec::new(),
            wires: Vec::new(),
            log: Vec::new(),
            trimmed: 0,
        }
    }

    /// Whether it takes a write now, and so proves that it may be believed.
    pub(crate) fn takes_writes(&self, now: At) -> bool {
        match self.role {
            Role::Primary => true,
            Role::Deposed { until } => now <= until,
            Role::Demoted => false,
        }
    }

    pub(crate) fn snapshot(&self, now: At) -> Snapshot {
        Snapshot {
            revoked: self.shelf.tombstones().collect(),
            users: self.shelf.entries().collect(),
            now: store_time(now),
        }
    }
}

// === impl World ===

impl World {
    /// A request arrives at a server.
    pub(crate) fn serve(&mut self, call: Call) {
        let server = &self.parts[call.part].servers[call.term];
        if server.down_until > self.now {
            return;
        }
        if !server.takes_writes(self.now) {
            self.counts.refused += 1;
            return self.reply(call, Reply::Refused);
        }
        let (part, term, verb) = (call.part, call.term, call.verb.clone());
        self.perform(part, term, verb, Some(call));
    }

    pub(crate) fn perform(&mut self, part: usize, term: usize, verb: Verb, call: Option<Call>) {
        let moment = self.moment();
        let server = &mut self.parts[part].servers[term];
        let performed = match verb {
            Verb::Assert(id, Assertion::User(user, entry)) => {
                let number = user_number(&user);
                let moment = self.epochs[&(number, entry.epoch.as_micros())];
                server
                    .shelf
                    .assert_user(number, id, Ended { entry, moment })
            }
            verb => server.shelf.perform(verb, moment, &self.plan),
        };
        self.put_down(&performed, part, term);
        let Performed {
            reply,
            event,
            deeds,
            change,
        } = performed;
        let id = deeds.iter().find_map(Deed::id);
        if change.is_empty()
            && let Some(call) = call
        {
            return self.reply(call, reply);
        }
        let outgoing = Outgoing {
            id,
            event,
            change,
            call,
            reply,
        };
        let cycle = match self.plan.cycle {
            0 => 0,
            most => self.draws.below(most),
        };
        let server = &mut self.parts[part].servers[term];
        let is_first = server.cycle.is_empty();
        server.cycle.push(outgoing);
        if cycle == 0 {
            self.end_cycle(part, term);
        } else if is_first {
            self.after(cycle, Due::Cycle(part, term));
        }
    }

    /// Has the onlooker write down what was executed.
    fn put_down(&mut self, performed: &Performed, part: usize, term: usize) {
        let is_lost = term != self.parts[part].term();
        for deed in &performed.deeds {
            self.tell(|_| format!("  part {part}.{term} executes {deed:?}"));
            if let (Deed::EndedUser { user, .. }, Some(Event::User(_, entry))) =
                (deed, &performed.event)
            {
                // An entry written again may have the epoch of another one that it met.
                let moment = self.parts[part].servers[term].shelf.moment_of(*user);
                self.epochs.insert((*user, entry.epoch.as_micros()), moment);
            }
            if let Err(why) = self.judge.history.executed(deed, is_lost) {
                self.breaks(why);
            }
        }
    }

    /// The end of a cycle: events first, then the acknowledgements leave.
    pub(crate) fn end_cycle(&mut self, part: usize, term: usize) {
        let is_primary = term == self.parts[part].term();
        let ended = std::mem::take(&mut self.parts[part].servers[term].cycle);
        for outgoing in ended {
            if let Some(event) = outgoing.event {
                self.push(part, term, event);
            }
            let waits = self.plan.confirmed && matches!(outgoing.reply, Reply::Revoked(_));
            let held = outgoing.call.map(|call| (call, outgoing.reply));
            let replicates = self.plan.store == Sort::Replicated;
            let (held, left) = match waits && replicates && is_primary {
                true => (held, None),
                false => (None, held),
            };
            if let (Some(id), false) = (outgoing.id, held.is_some()) {
                self.judge.history.acked(id, self.now);
            }
            match left {
                Some((call, Reply::Revoked(what))) if waits => {
                    self.reply(call, Reply::Unconfirmed(what));
                }
                Some((call, reply)) => self.reply(call, reply),
                None => {}
            }
            if replicates && is_primary {
                self.replicate(part, term, outgoing.id, outgoing.change, held);
            }
        }
    }

    fn push(&mut self, part: usize, term: usize, event: Event) {
        let server = &mut self.parts[part].servers[term];
        let wires = server.wires.clone();
        server.log.push(event.clone());
        for wire in wires {
            let is_lossy = self.plan.odd == Odd::Lossy && self.plan.channel == Hearing::Push;
            if is_lossy && self.now < self.plan.healed && self.draws.one_in(8) {
                self.counts.events_dropped += 1;
            } else if self.wires[wire].tracked {
                self.send_down(wire, Down::Event(event.clone()));
            }
        }
    }

    /// A message of a channel arrives at its server.
    pub(crate) fn server_hears(&mut self, wire: usize, up: Up) {
        let (part, term) = (self.wires[wire].part, self.wires[wire].term);
        let server = &mut self.parts[part].servers[term];
        if server.down_until > self.now {
            return;
        }
        if server.role == Role::Demoted {
            return self.send_down(wire, Down::Closed);
        }
        match up {
            Up::Open(place) => {
                let end = server.log.len();
                let from = place.filter(|place| *place >= server.trimmed);
                let missed = from.map_or(Vec::new(), |from| server.log[from..].to_vec());
                server.wires.push(wire);
                self.wires[wire].tracked = true;
                let opened = match from {
                    Some(from) => Down::Opened(Resumed::WithoutGap, from),
                    None => Down::Opened(Resumed::Anew, end),
                };
                self.send_down(wire, opened);
                for event in missed {
                    self.send_down(wire, Down::Event(event));
                }
            }
            Up::Snapshot => {
                let snapshot = server.snapshot(self.now);
                self.send_down(wire, Down::Snapshot(snapshot));
            }
            Up::Barrier(_) if !server.takes_writes(self.now) => {
                self.counts.refused += 1;
                self.send_down(wire, Down::Refused);
            }
            Up::Barrier(id) => {
                let answer = Down::Answer(id, store_time(self.now));
                let canary = self.wires[wire].tracked.then_some(Down::Canary(id));
                let mut signs = vec![Some(answer), canary];
                if self.draws.one_in(2) {
                    signs.reverse();
                }
                for sign in signs.into_iter().flatten() {
                    self.send_down(wire, sign);
                }
            }
        }
    }
}
