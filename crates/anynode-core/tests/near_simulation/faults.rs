//! What goes wrong, and how it ends.

use crate::{
    client::Wish,
    net::Down,
    plan::{At, Fault, Hearing, MILLI, SECOND, Sort},
    server::{Role, Server},
    world::{Due, World},
};

// === impl World ===

impl World {
    pub(crate) fn suffer(&mut self, fault: Fault) {
        self.tell(|_| format!("FAULT {fault:?}"));
        let node = self.draws.index(self.nodes.len());
        let part = self.draws.index(self.parts.len());
        let long = self.draws.between(50 * MILLI, 2 * SECOND);
        let until = (self.now + long).min(self.plan.healed);
        match fault {
            Fault::Cut | Fault::HalfOpen | Fault::ServerGone | Fault::Hang | Fault::Untrack => {
                self.suffer_on_wire(fault, node, part, until);
            }
            Fault::Pause => {
                self.counts.pauses += 1;
                // One that is stopped already goes on as it would: what waits for it keeps its order.
                let now = self.now;
                let paused = &mut self.nodes[node].paused_until;
                if *paused <= now {
                    *paused = until;
                }
            }
            Fault::Restart => {
                self.counts.restarts += 1;
                self.leave(node);
                self.judge.restarted(node);
                self.start_node(node);
            }
            Fault::FailOver if self.plan.store == Sort::Replicated => self.fail_over(part),
            Fault::FailOver | Fault::Outage => self.outage(part, until),
            Fault::Trim => {
                let term = self.parts[part].term();
                let server = &mut self.parts[part].servers[term];
                server.trimmed = server.log.len();
            }
            Fault::StandStill => {
                self.counts.stood_still += 1;
                let now = self.now;
                self.nodes[node].clock.stand_still(now, until);
            }
        }
    }

    fn suffer_on_wire(&mut self, fault: Fault, node: usize, part: usize, until: At) {
        let Some(wire) = self.wire_of(node, part) else {
            return;
        };
        match fault {
            Fault::Cut => {
                self.counts.cuts += 1;
                self.send_down(wire, Down::Closed);
                self.hang_up(wire);
            }
            Fault::HalfOpen => {
                self.counts.half_open += 1;
                let of = &mut self.wires[wire];
                (of.carries_up, of.carries_down) = (self.draws.one_in(3), false);
            }
            Fault::ServerGone => {
                self.counts.half_open += 1;
                self.hang_up(wire);
            }
            Fault::Hang => {
                self.counts.hangs += 1;
                self.stall(wire, until);
            }
            _ => {
                self.counts.untracked += 1;
                self.wires[wire].tracked = false;
            }
        }
    }

    /// The server's end of a channel is gone; what it sent still arrives.
    pub(crate) fn hang_up(&mut self, wire: usize) {
        let (part, term) = (self.wires[wire].part, self.wires[wire].term);
        let server = &mut self.parts[part].servers[term];
        server.wires.retain(|other| *other != wire);
        let of = &mut self.wires[wire];
        (of.carries_up, of.carries_down) = (false, false);
    }

    /// Nobody reaches the primary for a while.
    fn outage(&mut self, part: usize, until: At) {
        if self.plan.channel == Hearing::Validated {
            return;
        }
        self.counts.outages += 1;
        let term = self.parts[part].term();
        self.parts[part].servers[term].down_until = until;
        self.close_all(part, term);
    }

    /// Another primary takes over with what it has, and the old one does not know.
    fn fail_over(&mut self, part: usize) {
        let (now, term) = (self.now, self.parts[part].term());
        if term > 0 && self.parts[part].servers[term - 1].role != Role::Demoted {
            return;
        }
        let is_abrupt = self.draws.one_in(3);
        let answers_for = self.draws.between(0, self.plan.deposed);
        let of = &mut self.parts[part];
        let waiting = of.servers[term]
            .cycle
            .iter()
            .filter_map(|outgoing| outgoing.id);
        let copying: Vec<_> = of.copying.drain(..).collect();
        let lost: Vec<_> = copying
            .iter()
            .filter_map(|of| of.id)
            .chain(waiting)
            .collect();
        let successor = Server::new(of.replica.clone());
        of.servers.push(successor);
        self.tell(|_| format!("part {part} loses {lost:?}"));
        self.counts.fail_overs += 1;
        self.counts.writes_lost += u64::try_from(lost.len()).unwrap();
        let plan = self.plan.clone();
        self.judge
            .forked(&lost, |session| plan.part_of(session) == part);
        if is_abrupt {
            self.parts[part].servers[term].cycle.clear();
            return self.demoted(part, term);
        }
        let until = now + answers_for;
        self.parts[part].servers[term].role = Role::Deposed { until };
        if self.draws.one_in(2) {
            self.disagree(part, answers_for);
        }
        let knows = until + self.draws.below(SECOND);
        self.at(knows, Due::Demoted(part, term));
        for held in copying.into_iter().filter_map(|of| of.held) {
            self.unconfirmed(held);
        }
    }

    /// Both primaries are asked to end sessions of one user: all by whoever knows the new one,
    /// all but their own by a client whose node may follow the old one.
    fn disagree(&mut self, part: usize, answers_for: At) {
        let client = self.draws.index(self.clients.len());
        let wait = self.draws.below(answers_for + 1);
        self.after(wait, Due::All(part, client));
        let wait = self.draws.below(answers_for + 1);
        self.after(wait, Due::ClientWishes(client, Wish::RevokeOthers));
    }

    /// A deposed primary learns it.
    pub(crate) fn demoted(&mut self, part: usize, term: usize) {
        self.parts[part].servers[term].role = Role::Demoted;
        self.close_all(part, term);
    }

    /// All channels to a server are lost; some nodes are not told.
    fn close_all(&mut self, part: usize, term: usize) {
        for wire in self.parts[part].servers[term].wires.clone() {
            if !self.draws.one_in(4) {
                self.send_down(wire, Down::Closed);
            }
            self.hang_up(wire);
        }
    }

    /// Nothing is wrong any more, but for what nobody was told.
    pub(crate) fn heal(&mut self) {
        self.tell(|_| "everything is healed".into());
        for part in &mut self.parts {
            for server in &mut part.servers {
                server.down_until = server.down_until.min(self.now);
            }
        }
    }
}
