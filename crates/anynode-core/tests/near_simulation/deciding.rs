//! How a request is decided, by a copy or by what the store answered.

use anynode_core::{
    Live, SecretHash, admit,
    near::{Ask, Fill, Freshness, Ticket},
};

use crate::{
    client::{Request, Wish},
    judge::{Decision, Outcome},
    plan::{At, Hearing, Odd, Plan, TERM},
    record::secret,
    shelf::{handle, id_of},
    world::World,
};

/// How often a request asks again before it gives up.
const TRIES_MAX: u8 = 5;

/// What a request is let in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A copy, which is right as of then.
    Copy(At),
    /// A load that was sent after it came in.
    Load,
    /// One that was sent before.
    JoinedLoad,
}

// === impl By ===

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Copy(_) => "a copy",
            Self::Load => "a load",
            Self::JoinedLoad => "a load it joined",
        }
    }
}

// === impl World ===

impl World {
    /// Decides a request by the load that it led or joined, or has it ask again.
    pub(crate) fn settle(
        &mut self,
        node: usize,
        (ticket, by): (Ticket, By),
        request: Request,
        live: Option<&Live>,
        fill: Fill,
    ) {
        match fill {
            Fill::Revoked => {
                return self.turn_away(node, &request, Outcome::KnownDead, "memory");
            }
            Fill::Refused => return self.unavailable(node, &request),
            _ => {}
        }
        let hash = secret(request.secret);
        let ask = self.ask(node, &request, &hash);
        if !ticket.decides(&ask, live) {
            if request.tries >= TRIES_MAX {
                return self.unavailable(node, &request);
            }
            self.counts.asked_again += 1;
            let tries = request.tries + 1;
            return self.look(node, Request { tries, ..request });
        }
        let Some(live) = live else {
            return self.turn_away(node, &request, Outcome::Refused, "the store");
        };
        match admit(&live.record, &hash, live.now) {
            Some(_) => self.accept(node, request, live.clone(), by),
            None => self.turn_away(node, &request, Outcome::Refused, "its secret"),
        }
    }

    pub(crate) fn ask<'a>(&self, node: usize, request: &Request, hash: &'a SecretHash) -> Ask<'a> {
        let clock = &self.nodes[node].clock;
        Ask {
            handle: handle(request.session),
            shard: self.store_shard(request.session),
            secret: Some(hash),
            seen: request.seen,
            freshness: request.freshness,
            arrived: clock.at(request.arrived),
            now: clock.at(self.now),
        }
    }

    /// A request is let in.
    pub(crate) fn accept(&mut self, node: usize, request: Request, live: Live, by: By) {
        let id = id_of(&live.record.version);
        let decision = self.decision(node, &request, Outcome::Accepted(id), by.as_str());
        let (owed, good_at) = match by {
            // A channel that drops events makes a node say more than it knows.
            By::Copy(_) if self.plan.odd == Odd::Lossy => (decision.owed, self.now),
            By::Copy(as_of) if self.nodes[node].clock.is_good() => {
                (decision.owed.max(as_of), self.now)
            }
            // A clock that is not believed is not believed about deadlines either.
            By::Copy(as_of) => (decision.owed.max(as_of), decision.owed),
            By::JoinedLoad => (decision.owed, decision.owed),
            // The store was asked after the request came in, and answered then.
            By::Load => (request.arrived, request.arrived),
        };
        self.decided(&Decision {
            owed,
            good_at,
            ..decision
        });
        self.counts.accepted += 1;
        if self.counts_uses() {
            let of = &mut self.nodes[node];
            let (now, idle) = (of.clock.at(self.now), live.record.idle_timeout);
            of.touches.used(live.record.handle, idle, now);
        }
        if request.wish != Wish::Read {
            self.grant(node, request, live);
        }
    }

    pub(crate) fn turn_away(
        &mut self,
        node: usize,
        request: &Request,
        outcome: Outcome,
        how: &'static str,
    ) {
        let decision = self.decision(node, request, outcome, how);
        self.decided(&decision);
        self.counts.turned_away += 1;
        self.learns_of_end(request);
    }

    pub(crate) fn unavailable(&mut self, node: usize, request: &Request) {
        self.counts.unavailable += 1;
        self.tell(|_| format!("n{node} answers c{} 503", request.client));
        if request.is_audit {
            self.breaks(format!("n{node} is well and answers 503"));
        }
    }

    fn decision(
        &self,
        node: usize,
        request: &Request,
        outcome: Outcome,
        how: &'static str,
    ) -> Decision {
        Decision {
            node,
            client: request.client,
            session: request.session,
            secret: request.secret,
            sent: request.sent,
            arrived: request.arrived,
            decided: self.now,
            owed: self.owed(node, request),
            good_at: self.now,
            is_stale_ok: matches!(request.freshness, Freshness::StaleOk(_)),
            outcome,
            how,
        }
    }

    /// What was acknowledged before this has to be in an answer of this class.
    fn owed(&self, node: usize, request: &Request) -> At {
        let least = match self.plan.odd {
            Odd::Lossy => self.plan.age_max(),
            _ => TERM,
        };
        let age = match request.freshness {
            Freshness::Strict => return request.arrived,
            Freshness::Bounded if self.plan.channel == Hearing::Validated => {
                return request.arrived;
            }
            Freshness::Bounded => least,
            Freshness::StaleOk(age) => age.max(least),
        };
        let clock = &self.nodes[node].clock;
        match clock.is_good() {
            true => self.now.saturating_sub(Plan::at_most(age)),
            false => clock.when(clock.at(self.now).saturating_sub(age)),
        }
    }
}
