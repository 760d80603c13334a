//! A request at a node: from a copy, or read through.

use anynode_core::{
    Live, admit,
    expiry::stamp_is_good,
    near::{Answer, Fill, FlightId, Look, Role, StoreShard, Through, through},
};

use crate::{
    client::Request,
    deciding::By,
    judge::Outcome,
    net::Call,
    node::{Load, Node, Purpose, Timer},
    plan::{At, Hearing},
    record::secret,
    shelf::{Id, handle, id_of, session_of, user_number},
    verb::{Reply, Verb},
    world::World,
};

// === impl World ===

impl World {
    /// A request arrives.
    pub(crate) fn arrived(&mut self, node: usize, mut request: Request) {
        request.arrived = self.now;
        self.look(node, request);
    }

    pub(crate) fn store_shard(&self, number: usize) -> StoreShard {
        StoreShard(u16::try_from(self.plan.feed_of(self.plan.part_of(number))).unwrap())
    }

    pub(crate) fn look(&mut self, node: usize, request: Request) {
        if self.plan.channel == Hearing::Validated {
            self.validate(node);
        }
        let hash = secret(request.secret);
        let ask = self.ask(node, &request, &hash);
        let (of, now) = (&mut self.nodes[node], ask.now);
        let at = anynode_core::near::Shard::of(&ask.handle, of.copies.len());
        let miss = match of.copies[at].shard.look(&ask, &of.horizon) {
            Look::Hit(hit) => {
                let (live, as_of) = (hit.live(now), of.clock.when(hit.as_of()));
                self.counts.hits += 1;
                return self.hit(node, request, live, as_of);
            }
            Look::Miss(miss) => miss,
        };
        *self.counts.misses.entry(miss.why.as_str()).or_default() += 1;
        match through(&ask, &of.horizon, &of.memory) {
            Through::Dead => return self.turn_away(node, &request, Outcome::KnownDead, "memory"),
            Through::Refused => return self.unavailable(node, &request),
            Through::Read => {}
        }
        let copies = &mut of.copies[at];
        let ticket = copies.flights.join(&ask, &copies.shard, &of.horizon);
        let key = (request.session, ticket.flight);
        let load = of.loads.entry(key).or_insert_with(|| Load {
            waiters: Vec::new(),
            token: None,
            sent: now,
        });
        // Whoever joins before it is sent gets what one of its own would have told.
        let by = match load.token {
            Some(_) => By::JoinedLoad,
            None => By::Load,
        };
        self.counts.joined += u64::from(load.token.is_some());
        load.waiters.push((ticket, request, by));
        if ticket.role == Role::Leads {
            let wait = miss.not_before.saturating_sub(now);
            let wait = u64::try_from(wait.as_micros()).unwrap();
            self.timer_after(node, wait, Timer::Send(key.0, key.1));
        }
    }

    /// A copy that is right as of then, as the node says.
    fn hit(&mut self, node: usize, request: Request, live: Live, as_of: At) {
        let is_stale = self.judge.history.now(request.session).map(|(id, _)| id);
        self.counts.stale += u64::from(is_stale != Some(id_of(&live.record.version)));
        if admit(&live.record, &secret(request.secret), live.now).is_none() {
            return self.turn_away(node, &request, Outcome::Refused, "a copy");
        }
        self.accept(node, request, live, By::Copy(as_of));
    }

    pub(crate) fn send_load(&mut self, node: usize, session: usize, flight: FlightId) {
        let of = &mut self.nodes[node];
        let (handle, sent) = (handle(session), of.clock.at(self.now));
        let at = anynode_core::near::Shard::of(&handle, of.copies.len());
        let token = of.copies[at]
            .flights
            .sent(&handle, flight, &of.horizon, sent);
        if let Some(load) = of.loads.get_mut(&(session, flight)) {
            (load.token, load.sent) = (Some(token), sent);
            let part = self.plan.part_of(session);
            self.ask_store(
                node,
                part,
                Verb::Load(session),
                Purpose::Load(session, flight, None),
            );
        }
    }

    /// Sends a request to the primary that the node takes for one.
    pub(crate) fn ask_store(&mut self, node: usize, part: usize, verb: Verb, purpose: Purpose) {
        let term = self.primary_for(node, part);
        let of = &mut self.nodes[node];
        of.newest_call += 1;
        let number = of.newest_call;
        of.calls.insert(number, purpose);
        let start = of.start;
        self.call(Call {
            node,
            start,
            number,
            part,
            term,
            verb,
        });
        self.timer_after(node, Self::PATIENCE, Timer::Patience(number));
    }

    /// An answer of the store arrives.
    pub(crate) fn answered(&mut self, call: Call, reply: Reply) {
        let node = call.node;
        let of = &mut self.nodes[node];
        if of.start != call.start {
            return;
        }
        let Some(purpose) = of.calls.remove(&call.number) else {
            return;
        };
        self.meets(node, call.part, call.term);
        let is_primary = call.term == self.parts[call.part].term();
        match purpose {
            Purpose::Load(session, flight, record) => {
                self.loaded(node, session, flight, record, reply, is_primary);
            }
            Purpose::Write(writing) => self.written(node, *writing, reply),
            Purpose::Revoke(request, _) => {
                let is_old = call.term < self.nodes[node].met[call.part];
                self.revoked(node, &request, reply, is_old);
            }
            Purpose::Assert(assertion) => {
                let is_old = call.term < self.nodes[node].met[call.part];
                self.asserted(node, &assertion, &reply, is_old);
            }
            Purpose::Touch(batch, sent) => self.touched(node, &batch, sent, &reply),
        }
    }

    /// A record was read, and its user's entry with it or after it.
    fn loaded(
        &mut self,
        node: usize,
        session: usize,
        flight: FlightId,
        record: Option<Live>,
        reply: Reply,
        is_primary: bool,
    ) {
        let live = match (reply, record) {
            (Reply::Loaded(Some(live)), _)
                if live.user.is_none() && live.record.user().is_some() =>
            {
                let user = live.record.user().map(user_number).expect("it is bound");
                let purpose = Purpose::Load(session, flight, Some(live));
                let part = self.plan.part_of(user);
                return self.ask_store(node, part, Verb::Entry(user), purpose);
            }
            (Reply::Loaded(live), _) => live,
            (Reply::Entry(ended), Some(live)) => {
                let is_good = stamp_is_good(&live.record, Some(&ended.entry));
                let user = Some(ended.entry);
                is_good.then_some(Live { user, ..live })
            }
            _ => return self.give_up(node, session, flight),
        };
        self.land(node, session, flight, live, is_primary);
    }

    /// A load was not answered, or by a server that proves nothing.
    pub(crate) fn give_up(&mut self, node: usize, session: usize, flight: FlightId) {
        let of = &mut self.nodes[node];
        of.copies_of(&handle(session))
            .flights
            .ended(&handle(session), flight);
        if let Some(load) = of.loads.remove(&(session, flight)) {
            for (_, request, _) in load.waiters {
                self.unavailable(node, &request);
            }
        }
    }

    fn land(
        &mut self,
        node: usize,
        session: usize,
        flight: FlightId,
        live: Option<Live>,
        is_primary: bool,
    ) {
        let of = &mut self.nodes[node];
        let handle = handle(session);
        of.copies_of(&handle).flights.ended(&handle, flight);
        let Some(load) = of.loads.remove(&(session, flight)) else {
            return;
        };
        let token = load.token.expect("it was sent");
        let fill = match &live {
            Some(live) => self.keep(node, live, token, load.sent),
            None => {
                of.forget(&handle);
                // It may lack only the revocation that a session was stamped by, until that is
                // written again.
                if is_primary && self.judge.history.now(session).is_none() {
                    self.judge.denied(node, session, self.now);
                }
                Fill::Ended
            }
        };
        for (ticket, request, by) in load.waiters {
            self.settle(node, (ticket, by), request, live.as_ref(), fill);
        }
    }

    /// Offers an answer of the store to the copies.
    pub(crate) fn keep(
        &mut self,
        node: usize,
        live: &Live,
        token: anynode_core::near::Token,
        sent: std::time::Duration,
    ) -> Fill {
        let answer = self.answer(live, token, sent);
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let at = anynode_core::near::Shard::of(&live.record.handle, of.copies.len());
        let Node {
            copies,
            horizon,
            memory,
            ..
        } = of;
        let fill = copies[at].shard.insert(&answer, now, horizon, memory);
        self.counts.filled(fill);
        fill
    }

    pub(crate) fn answer<'a>(
        &self,
        live: &'a Live,
        token: anynode_core::near::Token,
        sent: std::time::Duration,
    ) -> Answer<'a> {
        let user = live.record.user().map_or(0, user_number);
        Answer {
            token,
            sent,
            live,
            shard: self.store_shard(session_of(&live.record.handle)),
            user_shard: self.store_shard(user),
        }
    }

    pub(crate) fn timer(&mut self, node: usize, timer: Timer) {
        match timer {
            Timer::Connect(feed) => self.connect(node, feed),
            Timer::Heartbeat(feed) => self.heartbeat(node, feed),
            Timer::Upkeep => self.upkeep(node),
            Timer::Send(session, flight) => self.send_load(node, session, flight),
            Timer::Patience(number) => {
                if let Some(purpose) = self.nodes[node].calls.remove(&number) {
                    self.no_answer(node, purpose);
                }
            }
        }
    }

    pub(crate) fn name(&mut self) -> Id {
        self.id()
    }
}
