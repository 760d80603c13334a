//! Who is no client: operators who end sessions, and who asks for everything at the end.

use anynode_core::near::Freshness;

use crate::{
    client::{CLIENTS, Request, Wish},
    plan::Sort,
    record::user_of,
    shelf::USERS,
    verb::Verb,
    world::{Due, World},
};

// === impl World ===

impl World {
    /// Somebody who is no client ends sessions: on a node, from elsewhere, or by hand.
    pub(crate) fn operate(&mut self) {
        let node = self.draws.index(self.nodes.len());
        let client = self.draws.index(CLIENTS);
        let session = self.clients[client].session;
        let of = self.draws.index(USERS);
        let request = self.request(client, Wish::Read);
        let id = self.id();
        let is_paused = self.nodes[node].paused_until > self.now;
        let (number, verb) = match self.draws.below(6) {
            0 if !is_paused => return self.revoke(node, request, session),
            1 if !is_paused => return self.revoke_user(node, request, of, None),
            2 => (session, Verb::Revoke(id, session)),
            3 => (session, Verb::Remove(id, session)),
            _ => (of, Verb::RevokeUser(id, of, None)),
        };
        let part = self.plan.part_of(number);
        let term = self.parts[part].term();
        if self.parts[part].servers[term].down_until <= self.now {
            self.perform(part, term, verb, None);
        }
    }

    /// Asks every node for every session.
    pub(crate) fn ask_everywhere(&mut self) {
        for node in 0..self.nodes.len() {
            for client in 0..CLIENTS {
                for freshness in [Freshness::Bounded, Freshness::Strict] {
                    let request = self.request(client, Wish::Read);
                    let request = Request {
                        freshness,
                        is_audit: true,
                        ..request
                    };
                    let at = self.way();
                    self.after(at, Due::Request(node, request));
                }
            }
        }
    }

    /// A client sends a request for this, to whichever node.
    pub(crate) fn client_wishes(&mut self, client: usize, wish: Wish) {
        let node = self.draws.index(self.nodes.len());
        let (at, request) = (self.way(), self.request(client, wish));
        self.after(at, Due::Request(node, request));
    }

    /// All sessions of a client's user are revoked at the primary, by another way than a node.
    pub(crate) fn revoke_all(&mut self, part: usize, client: usize) {
        let user = user_of(self.clients[client].session);
        let term = self.parts[part].term();
        let is_there = self.parts[part].servers[term].down_until <= self.now;
        if self.plan.part_of(user) == part && is_there && self.plan.store == Sort::Replicated {
            let id = self.id();
            self.perform(part, term, Verb::RevokeUser(id, user, None), None);
        }
    }
}
