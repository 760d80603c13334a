//! A node's own writes: sent, executed, acknowledged, and only then seen by its copy.

use crate::{
    bounds::Bounds,
    checks::{Check, Verdict},
    mutants::Mutant,
    node::{Copy, Node, RECORD},
    store::{Store, Value, Write, epoch},
};

/// A write under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Own {
    pub(crate) id: u8,
    pub(crate) write: Write,
    /// The version that it was decided on: it is a compare-and-set.
    base: u8,
    /// The epoch that a login stamps, where it is read before the write.
    stamp: Option<u8>,
    /// Whether the generation moved on since it was sent.
    pub(crate) outdated: bool,
    pub(crate) stage: Stage,
    /// History: the epoch that was acknowledged when it was sent.
    epoch_acked: u8,
}

/// How far a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    Sent,
    /// Executed; its cycle has not ended.
    Waiting,
    Acked,
    /// Conflict or Gone.
    Failed,
}

// === impl Node ===

impl Node {
    /// A request that read the record, from a hit or through, writes at its end.
    pub(crate) fn send_own(&mut self, write: Write, store: &mut Store, now: u8, bounds: &Bounds) {
        let id = store.next_id();
        let read = self.hit(now, bounds).map(|copy| copy.value);
        let read = read.unwrap_or_else(|| store.record(&store.log));
        let stamp = match bounds.has(Mutant::CachedEpochAtLogin) {
            true => Some(self.epoch),
            false => (bounds.shards > 1).then(|| epoch(&store.log)),
        };
        self.own = Some(Own {
            id,
            write,
            base: read.id,
            stamp,
            outdated: false,
            stage: Stage::Sent,
            epoch_acked: store.epoch_acked(),
        });
        if bounds.has(Mutant::OwnWriteBeforeAck) {
            let version = read.version + 1;
            self.copy = Some(Copy::of(Value {
                id,
                version,
                ..read
            }));
        }
    }

    /// The store performs the write.
    pub(crate) fn perform_own(&mut self, store: &mut Store, bounds: &Bounds) -> Verdict {
        let Some(own) = &mut self.own else {
            return Verdict::default();
        };
        let compares = matches!(own.write, Write::Change | Write::Login);
        let conflict = compares && store.record(&store.log).id != own.base;
        if conflict || !store.admits(own.write) {
            own.stage = Stage::Failed;
            return Verdict::default();
        }
        let stamp = own.stamp.unwrap_or_else(|| epoch(&store.log));
        store.execute(own.id, own.write, stamp);
        own.stage = Stage::Waiting;
        if bounds.has(Mutant::NoloopDefaultTracking) {
            self.links[RECORD].deaf = true;
        }
        let login = own.write == Write::Login;
        Verdict::of(Check::Living, login && stamp < own.epoch_acked)
    }

    /// The answer arrives, and the node's client has it right after.
    pub(crate) fn acknowledged(&mut self, store: &Store, now: u8, bounds: &Bounds) {
        let Some(own) = self.own.take() else { return };
        if own.stage != Stage::Acked {
            return;
        }
        self.seen.acked.push(own.id);
        if bounds.has(Mutant::OwnWriteLeftToItsEvent) {
            return;
        }
        let at = store.reflected(own.id);
        match own.write {
            Write::RevokeUser => self.epoch = self.epoch.max(epoch(&store.log[..at])),
            Write::Revoke => self.learn_revoked(),
            Write::Change | Write::Login => {}
        }
        if own.write.is_of_user() {
            return;
        }
        self.outdate();
        if at > store.reflected(self.seen.heard) {
            self.seen.heard = own.id;
        }
        let value = store.record(&store.log[..at]);
        let fits = !own.outdated || bounds.has(Mutant::OwnWriteWithoutToken);
        let older = self
            .copy
            .as_ref()
            .is_some_and(|copy| copy.value.version > value.version);
        let leased = self.links[RECORD].trusts(self.clock(now));
        if older && !own.outdated {
            return;
        }
        let kept = fits && value.alive && leased;
        self.copy = kept.then(|| Copy::of(value));
    }
}

// === impl Copy ===

impl Copy {
    /// A copy without a deadline or an age, for configurations that look at neither.
    fn of(value: Value) -> Self {
        Self {
            value,
            until: u8::MAX,
            deadline: u8::MAX,
        }
    }
}
