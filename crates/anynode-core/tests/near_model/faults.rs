//! What goes wrong, each at most as often as the configuration lists it.
//!
//! A hang, a delayed load reply and a paused node need no fault of their own: nothing in this
//! model happens before it is chosen, so that every message, answer and node may be late by any
//! number of ticks. A request is judged wherever it *could* be served (see [`crate::checks`]).

use crate::{
    bounds::Bounds,
    channel::{Message, Side, Wire},
    checks::{Check, Verdict},
    mutants::Mutant,
    node::RECORD,
    step::{Fleet, Step},
    store::Deposed,
};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A channel dies in silence. The node learns of it at any later time.
    Cut,
    /// The channel drops an event and goes on.
    Drop,
    /// The server stops to push, and answers as before.
    Untrack,
    /// The replica becomes primary with what it has; the old one does not know.
    FailOver,
    /// The primary starts again with what is on its disk.
    Restart,
    /// The table of changes forgets all that it has.
    Trim,
    /// A tick passes while a node's machine is suspended.
    Suspend,
    /// The answer to a node's write is lost: it may have happened.
    LoseAck,
}

// === impl Fleet ===

impl Fleet {
    pub(crate) fn fault_steps(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        for (at, fault) in bounds.faults.iter().enumerate() {
            if self.used.faults & 1 << at == 0 {
                self.places_of(*fault, bounds, |node, number| {
                    steps.push(Step::Fault(at, *fault, node, number));
                });
            }
        }
    }

    /// Where the fault can happen now.
    fn places_of(&self, fault: Fault, bounds: &Bounds, mut place: impl FnMut(usize, usize)) {
        match fault {
            Fault::FailOver | Fault::Restart if self.store.deposed.is_some() => {}
            Fault::FailOver | Fault::Restart | Fault::Trim => place(0, 0),
            Fault::Suspend if self.now == bounds.ticks => {}
            Fault::Suspend => (0..self.nodes.len()).for_each(|node| place(node, 0)),
            Fault::LoseAck => {
                let writing = self
                    .nodes
                    .iter()
                    .enumerate()
                    .filter(|(_, n)| n.own.is_some());
                writing.for_each(|(node, _)| place(node, 0));
            }
            Fault::Cut | Fault::Untrack => {
                for (node, of) in self.nodes.iter().enumerate() {
                    let links = of.links.iter().enumerate();
                    let up = links.filter(|(_, link)| link.wire == Wire::Up);
                    up.for_each(|(link, _)| place(node, link));
                }
            }
            Fault::Drop => {
                for (node, of) in self.nodes.iter().enumerate() {
                    for (link, of) in of.links.iter().enumerate() {
                        // The oldest event on its way; that is every event in its turn.
                        if of.queue.first().is_some_and(|first| first.is_event()) {
                            place(node, link);
                        }
                    }
                }
            }
        }
    }

    pub(crate) fn suffer(&mut self, fault: Fault, node: usize, link: usize, bounds: &Bounds) {
        match fault {
            Fault::Cut => self.nodes[node].links[link].wire = Wire::Cut,
            Fault::Untrack => self.nodes[node].links[link].tracking = false,
            Fault::Drop => {
                self.nodes[node].links[link].queue.remove(0);
            }
            Fault::Trim => self.store.trimmed = self.store.log.len(),
            Fault::LoseAck => self.nodes[node].own = None,
            Fault::Suspend => {
                self.now += 1;
                self.nodes[node].slow += u8::from(bounds.has(Mutant::ClockStandsStill));
            }
            Fault::FailOver | Fault::Restart => self.replace_primary(fault, bounds),
        }
    }

    fn replace_primary(&mut self, fault: Fault, bounds: &Bounds) {
        let store = &mut self.store;
        let kept = store.log[..store.copied].to_vec();
        store.deposed = Some(Deposed {
            log: std::mem::replace(&mut store.log, kept),
            fork: store.copied,
            until: (fault == Fault::FailOver).then_some(self.now + bounds.deposed),
        });
        for node in &mut self.nodes {
            // What only the old primary answered is lost, and the claim says so; what the node
            // was told of revocations it knows.
            node.seen.denied = node.tomb;
            node.own = None;
            for load in &mut node.loads {
                load.side = Side::Deposed;
            }
            for link in &mut node.links {
                match fault {
                    Fault::FailOver => link.side = Side::Deposed,
                    // It answers at the same address; the connections from before are dead.
                    _ if link.wire == Wire::Up => link.wire = Wire::Cut,
                    _ => {}
                }
            }
        }
    }

    /// The idle deadline moves forward beside the record.
    pub(crate) fn touch(&mut self, bounds: &Bounds) -> Verdict {
        self.touched = true;
        self.store.expires += 1;
        let pushes = bounds.has(Mutant::TouchOnTrackedKey);
        if pushes {
            for node in &mut self.nodes {
                node.links[RECORD].queue.push(Message::Changed(0));
            }
        }
        Verdict::of(Check::Touch, pushes)
    }
}
