//! What a node writes: for its clients, and of its own.

use std::time::Duration;

use anynode_core::{
    Admission, Cause, Draft, Lifetime, Live, Replace, Rotation, Timestamp, Tombstone, Touch,
    WriteId,
    expiry::stamp_is_good,
    near::{Assertion, Fill, Reassert},
};

use crate::{
    channel::UPKEEP,
    client::{Request, Wish},
    node::{Node, Purpose, Timer, Writing},
    record::{ABSOLUTE, changes_of, payload, secret, user_of},
    shelf::{Id, handle, session_of, user, user_number},
    verb::{Ended, Reply, Verb},
    world::World,
};

/// How often a write is rebased.
const REBASES_MAX: u8 = 3;

const ROTATION: Rotation = Rotation {
    period: Duration::from_millis(900),
    grace: Duration::from_millis(300),
};

// === impl World ===

impl World {
    /// Does what a request that was let in wishes.
    pub(crate) fn grant(&mut self, node: usize, request: Request, base: Live) {
        let session = request.session;
        let user = base.record.user().map(user_number);
        match (request.wish, user) {
            (Wish::Read, _) => {}
            (Wish::Change | Wish::Rotate | Wish::LogIn, _) => self.write(node, request, base),
            (Wish::Revoke, _) => self.revoke(node, request, session),
            (Wish::RevokeUser, Some(user)) => self.revoke_user(node, request, user, None),
            (Wish::RevokeOthers, Some(user)) => {
                self.revoke_user(node, request, user, Some(session))
            }
            (Wish::RevokeUser | Wish::RevokeOthers, None) => {}
        }
    }

    fn write(&mut self, node: usize, request: Request, base: Live) {
        let id = self.name();
        let draft = self.draft(&request, &base, id);
        let of = &mut self.nodes[node];
        let sent = of.clock.at(self.now);
        let at = anynode_core::near::Shard::of(&draft.handle, of.copies.len());
        let token = of.copies[at].shard.write(&draft, &of.horizon);
        let known = of.memory.known_of(&draft.handle, draft.user.as_ref());
        let part = self.plan.part_of(request.session);
        let user_part = draft
            .user
            .as_ref()
            .map(|user| self.plan.part_of(user_number(user)));
        let user = draft.user.as_ref().map(user_number);
        // Whatever is kept as known as of now has to be read after now, the user's entry too.
        let reads_first = user_part.is_some_and(|of| of != part);
        let verb = match (user.filter(|_| reads_first), user_part) {
            (Some(user), _) => Verb::Entry(user),
            (None, _) => Verb::Replace(base.record.version, draft.clone(), None),
        };
        let to = if reads_first {
            user_part.unwrap_or(part)
        } else {
            part
        };
        let writing = Writing {
            request,
            base,
            id,
            token,
            sent,
            known,
            draft,
            entry: None,
        };
        self.ask_store(node, to, verb, Purpose::Write(Box::new(writing)));
    }

    fn draft(&mut self, request: &Request, base: &Live, id: Id) -> Draft {
        let version = base
            .record
            .version
            .next(WriteId::from_bytes(id.to_be_bytes()));
        let mut draft = base.record.draft(version);
        draft.payload = payload(changes_of(&base.record.payload) + 1);
        let lifetime = Lifetime {
            idle: self.plan.idle(),
            absolute: ABSOLUTE,
        };
        match request.wish {
            Wish::Rotate => ROTATION.rotate(&mut draft, secret(id)),
            Wish::LogIn => draft.bind(user(user_of(request.session)), lifetime, secret(id)),
            _ => {}
        }
        draft
    }

    /// A write was answered.
    pub(crate) fn written(&mut self, node: usize, writing: Writing, reply: Reply) {
        let session = writing.request.session;
        match reply {
            Reply::Entry(ended) => self.has_entry(node, writing, ended),
            Reply::Written(Replace::Replaced(live)) => self.replaced(node, &writing, live),
            Reply::Written(Replace::Conflict(newer)) => {
                self.counts.conflicts += 1;
                if newer.user.is_some() || newer.record.user().is_none() {
                    self.keep(node, &newer, writing.token, writing.sent);
                }
                self.rebase(node, writing, newer);
            }
            Reply::Written(Replace::Gone) => self.nodes[node].forget(&handle(session)),
            _ => self.unavailable(node, &writing.request),
        }
    }

    /// The second round trip of a write whose user is elsewhere. A login is stamped by the entry.
    fn has_entry(&mut self, node: usize, mut writing: Writing, ended: Ended) {
        let part = self.plan.part_of(writing.request.session);
        let (base, draft) = (writing.base.record.version, writing.draft.clone());
        let stamp = (writing.request.wish == Wish::LogIn).then_some(ended);
        writing.entry = Some(ended.entry);
        let verb = Verb::Replace(base, draft, stamp);
        self.ask_store(node, part, verb, Purpose::Write(Box::new(writing)));
    }

    fn replaced(&mut self, node: usize, writing: &Writing, mut live: Live) {
        let session = writing.request.session;
        live.user = live.user.or(writing.entry);
        let is_alive = stamp_is_good(&live.record, live.user.as_ref());
        if writing.known.refuses(&live.record) || !is_alive {
            return self.nodes[node].forget(&handle(session));
        }
        let answer = self.answer(&live, writing.token, writing.sent);
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let at = anynode_core::near::Shard::of(&live.record.handle, of.copies.len());
        let Node {
            copies,
            horizon,
            memory,
            ..
        } = of;
        let fill = copies[at].shard.wrote(&answer, now, horizon, memory);
        self.counts.own_writes_kept += u64::from(fill == Fill::Kept);
        self.counts.filled(fill);
        self.counts.writes += 1;
        self.tell(|_| format!("n{node} has write {} acknowledged: {fill:?}", writing.id));
        self.judge.node_acked(node, session, writing.id, self.now);
        self.client_hears(node, &writing.request, &live, writing.id);
    }

    /// Somebody else wrote first: again on what there is now, if that still admits the request.
    fn rebase(&mut self, node: usize, writing: Writing, newer: Live) {
        let mut request = writing.request;
        let admission = Admission::new(&writing.base.record, secret(request.secret));
        if request.rebases < REBASES_MAX && admission.holds(&newer.record, newer.now) {
            request.rebases += 1;
            self.write(node, request, newer);
        }
    }

    pub(crate) fn revoke(&mut self, node: usize, request: Request, session: usize) {
        let id = self.name();
        self.judge.history.sessions[session].is_given_up = true;
        let stone = Tombstone {
            handle: handle(session),
            cause: Cause::User,
            until: Timestamp::from_millis(u64::MAX),
        };
        let purpose = Purpose::Revoke(request, Some(Assertion::Session(stone)));
        self.ask_store(
            node,
            self.plan.part_of(session),
            Verb::Revoke(id, session),
            purpose,
        );
    }

    pub(crate) fn revoke_user(
        &mut self,
        node: usize,
        request: Request,
        user: usize,
        spared: Option<usize>,
    ) {
        let id = self.name();
        let verb = Verb::RevokeUser(id, user, spared);
        self.ask_store(
            node,
            self.plan.part_of(user),
            verb,
            Purpose::Revoke(request, None),
        );
    }

    /// A revocation was answered. One that a deposed primary acknowledged, or too few replicas,
    /// is applied here and owed.
    pub(crate) fn revoked(&mut self, node: usize, request: &Request, reply: Reply, is_old: bool) {
        let (assertion, is_safe) = match reply {
            Reply::Revoked(assertion) => (assertion, !is_old),
            Reply::Unconfirmed(assertion) => (assertion, false),
            _ => return self.unavailable(node, request),
        };
        self.counts.revocations += 1;
        self.apply(node, &assertion, is_safe);
        self.follow_up(request.client, node);
    }

    fn apply(&mut self, node: usize, assertion: &Assertion, is_safe: bool) {
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let mut told = of.revoked(assertion.clone(), now);
        if !is_safe {
            self.counts.owed += 1;
            told = told.and(
                of.memory
                    .owe(assertion.clone(), now + Reassert::WINDOW, now),
            );
        }
        self.tell(|_| format!("n{node} applies {assertion:?}"));
        match told {
            Ok(()) => self.told(node, assertion),
            Err(_) => self.counts.full += 1,
        }
    }

    /// A revocation was written again.
    pub(crate) fn asserted(
        &mut self,
        node: usize,
        assertion: &Assertion,
        reply: &Reply,
        is_old: bool,
    ) {
        if matches!(reply, Reply::Revoked(_)) && !is_old {
            let of = &mut self.nodes[node];
            let now = of.clock.at(self.now);
            of.memory.settle(assertion, now);
        }
    }

    /// Writes again what is owed, and tells of uses.
    pub(crate) fn upkeep(&mut self, node: usize) {
        for assertion in Node::in_order(self.nodes[node].memory.owed()) {
            let number = match &assertion {
                Assertion::Session(stone) => session_of(&stone.handle),
                Assertion::User(user, _) => user_number(user),
            };
            let (id, part) = (self.name(), self.plan.part_of(number));
            let verb = Verb::Assert(id, assertion.clone());
            self.ask_store(node, part, verb, Purpose::Assert(assertion));
        }
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        let mut batch = of.touches.take(now, 100);
        batch.sort_by_key(|touch| *touch.handle.as_bytes());
        for part in 0..self.plan.parts() {
            let is_there = |touch: &&Touch| self.plan.part_of(session_of(&touch.handle)) == part;
            let there: Vec<_> = batch.iter().filter(is_there).copied().collect();
            if !there.is_empty() {
                let purpose = Purpose::Touch(there.clone(), now);
                self.ask_store(node, part, Verb::Touch(there), purpose);
            }
        }
        self.timer_after(node, UPKEEP, Timer::Upkeep);
    }

    pub(crate) fn touched(&mut self, node: usize, batch: &[Touch], sent: Duration, reply: &Reply) {
        let of = &mut self.nodes[node];
        let now = of.clock.at(self.now);
        if !matches!(reply, Reply::Touched) {
            return of.touches.put_back(batch, now);
        }
        self.counts.touches += u64::try_from(batch.len()).unwrap();
        for touch in batch {
            let used = sent.saturating_sub(touch.age);
            of.copies_of(&touch.handle)
                .shard
                .touched(&touch.handle, used, now);
        }
    }

    /// No answer came: a write may have happened.
    pub(crate) fn no_answer(&mut self, node: usize, purpose: Purpose) {
        let of = &mut self.nodes[node];
        match purpose {
            Purpose::Load(session, flight, _) => self.give_up(node, session, flight),
            Purpose::Write(writing) => {
                self.counts.indeterminate += 1;
                of.forget(&handle(writing.request.session));
            }
            Purpose::Revoke(_, Some(assertion)) => {
                self.counts.indeterminate += 1;
                self.apply(node, &assertion, false);
            }
            Purpose::Revoke(..) => self.counts.indeterminate += 1,
            Purpose::Assert(_) => {}
            Purpose::Touch(batch, _) => {
                let now = of.clock.at(self.now);
                of.touches.put_back(&batch, now);
            }
        }
    }
}
