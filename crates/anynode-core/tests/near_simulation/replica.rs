//! The replica of a primary, which is behind, and who waits for it.

use crate::{
    net::Call,
    plan::{At, MILLI},
    server::Copying,
    shelf::Id,
    verb::{Change, Reply},
    world::{Due, World},
};

/// How long a revocation waits for the replica.
const WAIT: At = 300 * MILLI;

// === impl World ===

impl World {
    /// Sends a change to the replica; somebody may wait for it.
    pub(crate) fn replicate(
        &mut self,
        part: usize,
        term: usize,
        id: Option<Id>,
        change: Vec<Change>,
        held: Option<(Call, Reply)>,
    ) {
        let at = self.now + self.draws.below(self.plan.lag) + 1;
        if let (Some(id), true) = (id, held.is_some()) {
            self.after(WAIT, Due::Waited(part, id));
        }
        let of = &mut self.parts[part];
        of.copying.push_back(Copying { id, change, held });
        of.last_copy = at.max(of.last_copy);
        let at = of.last_copy;
        self.at(at, Due::Copy(part, term));
    }

    /// The replica takes a change.
    pub(crate) fn copy(&mut self, part: usize, term: usize) {
        let of = &mut self.parts[part];
        if term != of.term() {
            return;
        }
        let Some(Copying { id, change, held }) = of.copying.pop_front() else {
            return;
        };
        change
            .into_iter()
            .for_each(|change| of.replica.apply(change));
        if let Some((call, reply)) = held {
            let id = id.expect("a revocation has a name");
            self.judge.history.acked(id, self.now);
            self.reply(call, reply);
        }
    }

    /// The replica has not taken a revocation for too long.
    pub(crate) fn waited(&mut self, part: usize, id: Id) {
        let mut copying = self.parts[part].copying.iter_mut();
        let held = copying
            .find(|of| of.id == Some(id))
            .and_then(|of| of.held.take());
        if let Some(held) = held {
            self.unconfirmed(held);
        }
    }

    pub(crate) fn unconfirmed(&mut self, (call, reply): (Call, Reply)) {
        let Reply::Revoked(assertion) = reply else {
            unreachable!("only revocations wait");
        };
        self.counts.unconfirmed += 1;
        self.reply(call, Reply::Unconfirmed(assertion));
    }
}
