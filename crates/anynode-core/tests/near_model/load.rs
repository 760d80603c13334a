//! Reading through: a load under way, who may share it, and when its answer is kept.

use crate::{
    bounds::Bounds,
    channel::{Side, Wire},
    checks::{Check, Verdict, unreflected},
    mutants::Mutant,
    node::{Copy, Node, RECORD},
    store::{Store, Value, epoch},
};

/// A load: sent on a connection of its own, performed and answered whenever that may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Load {
    /// The tick in which it was sent, and the node's time then.
    pub(crate) at: u8,
    pub(crate) sent: u8,
    pub(crate) side: Side,
    /// Whether the generation moved on since.
    pub(crate) outdated: bool,
    pub(crate) user: UserPart,
    /// What the store answered.
    pub(crate) answer: Option<Answer>,
    /// History: whether the node knew of the session's revocation before it sent this.
    after_denial: bool,
}

/// How a load on a cluster learns of the user's epoch, which another shard keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum UserPart {
    /// The same statement judged it, or the node holds a lease on the user's shard.
    Skipped,
    /// A second read, after that of the record.
    Wanted,
    Read(u8),
}

/// The record, and for how many ticks it is still to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Answer {
    value: Value,
    left: u8,
}

// === impl Node ===

impl Node {
    /// The servers that a load may be sent to: the one that the channel follows. Without a
    /// channel the driver may take either for the primary.
    pub(crate) fn sources(&self, store: &Store, bounds: &Bounds) -> Vec<Side> {
        let link = &self.links[RECORD];
        let either = link.wire == Wire::Down || bounds.has(Mutant::LoadFromElsewhere);
        let deposed = self.may_follow_deposed(store, bounds)
            || store.has_deposed() && bounds.has(Mutant::LoadFromElsewhere);
        match (either, deposed) {
            (true, true) => vec![Side::Primary, Side::Deposed],
            (true, false) => vec![Side::Primary],
            (false, _) => vec![link.side],
        }
    }

    /// Whether the user's epoch is known without asking.
    fn knows_user(&self, clock: u8) -> bool {
        self.links[self.user()].trusts(clock) && clock < self.epoch_until
    }

    /// Whether a request that arrives now may read through. It is what a request does that
    /// does not hit, and what `strict` always does.
    pub(crate) fn can_load(&self, bounds: &Bounds) -> bool {
        let refused = self.links.iter().any(|link| link.refused);
        self.loads.len() < bounds.loads && !refused
    }

    pub(crate) fn send_load(&mut self, side: Side, now: u8, bounds: &Bounds) {
        let clock = self.clock(now);
        let user = match bounds.shards > 1 && !self.knows_user(clock) {
            true => UserPart::Wanted,
            false => UserPart::Skipped,
        };
        self.loads.push(Load {
            at: now,
            sent: clock,
            side,
            outdated: false,
            user,
            answer: None,
            after_denial: self.seen.told,
        });
        self.loads.sort();
    }

    /// The store performs the load: with proof of authority, and not on a replica.
    pub(crate) fn perform_load(&mut self, load: usize, store: &Store, now: u8, bounds: &Bounds) {
        let side = self.loads[load].side;
        let proves = !bounds.has(Mutant::ReadWithoutProof);
        if proves && !store.takes_writes(side, now) {
            self.loads.remove(load);
            return;
        }
        let log = match bounds.has(Mutant::FillFromReplica) {
            true => &store.log[..store.copied],
            false => store.log_of(side),
        };
        let mut value = store.record(log);
        value.alive &= bounds.shards > 1 || value.stamp >= epoch(log);
        let left = match bounds.expires {
            Some(_) => store.expires.saturating_sub(now),
            None => u8::MAX / 2,
        };
        value.alive &= left > 0;
        self.loads[load].answer = Some(Answer { value, left });
        self.links[RECORD].deaf = false;
        self.loads.sort();
    }

    /// The second read of a load on a cluster.
    pub(crate) fn perform_user_read(&mut self, load: usize, store: &Store) {
        self.loads[load].user = UserPart::Read(epoch(&store.log));
        self.loads.sort();
    }

    /// The answer arrives. The request that sent the load is decided by it, whoever joined it,
    /// and it may be kept.
    pub(crate) fn answered(
        &mut self,
        load: usize,
        store: &Store,
        now: u8,
        bounds: &Bounds,
    ) -> Verdict {
        let load = self.loads.remove(load);
        let Some(Answer { value, left }) = load.answer else {
            return Verdict::default();
        };
        let clock = self.clock(now);
        let relies = bounds.shards > 1 && load.user == UserPart::Skipped;
        if let UserPart::Read(epoch) = load.user {
            self.epoch = self.epoch.max(epoch);
            self.epoch_until = self.epoch_until.max(bounds.too_old(load.sent));
        }
        // What the second read was skipped for does not hold any more: ask again.
        if relies && !self.knows_user(clock) && !bounds.has(Mutant::SkipAsSent) {
            return Verdict::default();
        }
        if store.has_deposed() && load.side == Side::Primary {
            self.meet_successor(bounds);
        }
        if !value.alive || self.tomb || value.stamp < self.epoch {
            // What only a deposed primary knew is lost, and outside the claim: then the session
            // lives, and a node that was told of its revocation refuses it nevertheless.
            self.seen.denied |= self.tomb || !store.lives();
            if !bounds.has(Mutant::DenialLeavesCopy) {
                self.outdate();
                self.copy = None;
            }
            let over = left == 0 || self.tomb || store.deposed.is_some();
            return Verdict::of(Check::Living, store.lives() && !over);
        }
        let mut verdict = self.judge_stamp(value, store, bounds);
        verdict |= judge_own_request(&load, value, relies, store, now, bounds);
        if self.may_join(&load, clock, bounds) {
            verdict |= self.judge_joined(&load, value, store, now, bounds);
        }
        let from = match bounds.has(Mutant::DeadlineFromReceiveTime) {
            true => clock,
            false => load.sent,
        };
        let deadline = bounds.expires.map_or(u8::MAX, |_| from + left);
        let copy = Copy {
            value,
            until: match bounds.has(Mutant::NoMaximumAge) {
                true => u8::MAX,
                false => bounds.too_old(load.sent),
            },
            deadline,
        };
        verdict | self.keep(&load, copy, clock, bounds)
    }

    /// The rule of sharing, for a `bounded` request that arrived after the load was sent.
    fn may_join(&self, load: &Load, clock: u8, bounds: &Bounds) -> bool {
        let soon = clock < load.sent + bounds.lease || bounds.has(Mutant::JoinAnyLoad);
        soon && (!load.outdated || bounds.has(Mutant::JoinOutdatedLoad))
    }

    /// The rule of keeping: under a live lease, if the generation did not move on, and never
    /// over a newer copy.
    fn keep(&mut self, load: &Load, copy: Copy, clock: u8, bounds: &Bounds) -> Verdict {
        let leased = self.links[RECORD].trusts(clock);
        let newer = self
            .copy
            .as_ref()
            .is_some_and(|old| old.value.version > copy.value.version);
        let fits = !load.outdated || bounds.has(Mutant::NoGenerationCheck);
        if newer || !fits || !(leased || bounds.has(Mutant::InsertUnderDeadLease)) {
            return Verdict::default();
        }
        self.copy = Some(copy);
        Verdict::of(Check::Insert, !leased)
    }

    fn judge_stamp(&self, value: Value, store: &Store, bounds: &Bounds) -> Verdict {
        let refused = bounds.has(Mutant::LaterStampRefused) && value.is_stamped_after(self.epoch);
        Verdict::of(Check::Living, refused && store.lives())
    }

    fn judge_joined(
        &self,
        load: &Load,
        value: Value,
        store: &Store,
        now: u8,
        bounds: &Bounds,
    ) -> Verdict {
        let late = |acked: u8| acked + bounds.bound() <= now;
        let own = |id: u8| self.seen.acked.contains(&id);
        let mismatch = store.secret_acked() != value.secret && store.lives();
        let strict = bounds.has(Mutant::StrictJoinsSentLoad);
        Verdict::of(
            Check::Staleness,
            unreflected(store, value, |e| e.acked.is_some_and(late)),
        ) | Verdict::of(
            Check::OwnWrites,
            unreflected(store, value, |entry| own(entry.id)),
        ) | Verdict::of(Check::Final, self.seen.denied && !load.outdated)
            | Verdict::of(
                Check::Living,
                mismatch && bounds.has(Mutant::JoinedMismatchRefused),
            )
            | Verdict::of(
                Check::Authority,
                strict && unreflected(store, value, |e| e.acked.is_some_and(|acked| acked < now)),
            )
    }
}

/// The request arrived before its load was sent, so that it has to see all that was acknowledged
/// before; of a primary that may be deposed, all but what is younger than D.
fn judge_own_request(
    load: &Load,
    value: Value,
    relies: bool,
    store: &Store,
    now: u8,
    bounds: &Bounds,
) -> Verdict {
    let of_record = |acked: u8| acked + bounds.deposed < load.at;
    // A `bounded` request may take the user's epoch from a node that holds a lease on it; a
    // `strict` one has the user's entry read as well.
    let of_user = |acked: u8| acked + bounds.bound() <= now && acked < load.at;
    let relies = relies && !bounds.has(Mutant::StrictSkipsUser);
    let stale = unreflected(store, value, |entry| {
        entry
            .acked
            .is_some_and(|acked| match relies && entry.write.is_of_user() {
                true => of_user(acked),
                false => of_record(acked),
            })
    });
    Verdict::of(Check::Authority, stale) | Verdict::of(Check::Final, load.after_denial)
}
