//! What one channel tells a node, in the order in which it may be believed.

use std::{fmt, time::Duration};

use super::{Assertion, Full, Horizon, Lease, Reassert, StoreShard};
use crate::{
    session::Handle,
    store::{BarrierId, Event, Snapshot},
};

/// The state of one channel and of the lease that rests on it.
///
/// The order is always the same: open, flush, read the snapshot, begin a barrier, have it pass.
/// Then there is a lease, under which copies get in and are used. Whatever breaks the order
/// drops the lease at once:
///
/// - [`Feed::opened`]: a new channel knows nothing of the time before, so everything is flushed.
/// - [`Feed::lost`]: what comes next is not known. A channel that resumes goes on without a gap,
///   and one that cannot says [`Event::Flush`] first; the copies stay until then, and are not
///   used.
/// - [`Event::Flush`]: as for a new channel, with the snapshot to be read again.
/// - [`Feed::refused`]: the store must not even be read.
/// - no room for another revocation: nothing is evicted, nothing is trusted.
///
/// Time is a [`Duration`] on the node's boot clock.
#[derive(Debug)]
pub struct Feed {
    shard: StoreShard,
    stage: Stage,
    lease: Lease,
}

/// What is left to do for what was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Its shard forgets this session ([`Shard::forget`](super::Shard::forget)), before the next
    /// event is asked for.
    Forget(Handle),
    /// The snapshot is read again.
    ReadSnapshot,
}

/// How a channel stands, for metrics and for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// There is no channel, or its snapshot is to be read.
    Starting,
    /// No barrier has passed since the snapshot was read or the channel was lost, or the last
    /// one was too long ago.
    Waiting,
    /// Copies are used.
    Trusted,
    /// The store refused a heartbeat.
    Refused,
    /// This node's clock ran slower than the store's.
    ClockSlow,
    /// There is no room for the revocations that were heard.
    Full,
    /// The channel was tried, and told of writes after the barrier that followed them.
    OutOfOrder,
    /// The node has left the registry, because it is about to end.
    Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The snapshot is to be read.
    Unread,
    /// What the snapshot and later events tell is known.
    Read,
    /// The node has left the registry: nobody waits for it any more, so that nothing is trusted.
    Left,
}

// === impl Feed ===

impl Feed {
    /// The feed of this shard of the store, before its channel was opened.
    pub fn new(shard: StoreShard) -> Self {
        Self {
            shard,
            stage: Stage::Unread,
            lease: Lease::default(),
        }
    }

    /// Notes that a channel was opened, the first one or another.
    pub fn opened(&mut self, horizon: &Horizon) {
        self.unread();
        self.lost(horizon);
        if !crate::planted("no_flush_after_reconnect") {
            horizon.flush(self.shard);
        }
    }

    /// Learns the snapshot. The caller then has the shards forget the sessions in it, for those
    /// routes that may be shown copies from before a flush.
    ///
    /// # Errors
    /// [`Full`]: not all of it is remembered. That costs no lease: every copy is loaded after this,
    /// from the store that the snapshot is of.
    pub fn snapshot(
        &mut self,
        snapshot: &Snapshot,
        memory: &mut Reassert,
        horizon: &Horizon,
        now: Duration,
    ) -> Result<(), Full> {
        if self.stage == Stage::Unread {
            self.stage = Stage::Read;
        }
        for (user, _) in &snapshot.users {
            horizon.user_revoked(user);
        }
        memory.recall(snapshot, now)
    }

    /// Notes that a barrier was begun, and that the clock said `sent` before the channel was
    /// asked for it. One that is begun before the snapshot was read proves nothing.
    pub fn began(&mut self, id: BarrierId, sent: Duration) {
        if self.stage == Stage::Read {
            self.lease.began(id, sent);
        }
    }

    /// Applies an event. All that concerns every shard is done when this returns; what concerns
    /// one is the answer.
    ///
    /// # Errors
    /// [`Full`]: as for [`revoked`]. The act is to be done all the same, so it comes with it.
    pub fn hear(
        &mut self,
        event: &Event,
        memory: &mut Reassert,
        horizon: &Horizon,
        now: Duration,
    ) -> (Act, Result<(), Full>) {
        match event {
            Event::Changed(handle) => (Act::Forget(*handle), Ok(())),
            Event::Revoked(_) | Event::User(..) => {
                let assertion = Assertion::of(event).expect("it tells of a revocation");
                revoked(assertion, memory, horizon, now)
            }
            Event::Flush => {
                self.opened(horizon);
                (Act::ReadSnapshot, Ok(()))
            }
            Event::Passed(id, at) => {
                self.lease.passed(*id, *at, now);
                self.publish(memory, horizon, now);
                (Act::Nothing, Ok(()))
            }
            // It says nothing of any copy. `Owed` knows what to do about it.
            Event::Roll(_) => (Act::Nothing, Ok(())),
        }
    }

    /// Notes that the channel said that nothing is left to hear at `at`: for channels that are
    /// validated at every read.
    pub fn validated(&mut self, at: Duration, memory: &Reassert, horizon: &Horizon) {
        if self.stage == Stage::Read {
            self.lease.validated(at);
            self.publish(memory, horizon, at);
        }
    }

    /// Notes that the channel was lost, or that a heartbeat was not answered: the lease is gone.
    pub fn lost(&mut self, horizon: &Horizon) {
        self.lease.lost();
        if self.lease.is_refused() {
            return;
        }
        horizon.trust(self.shard, None);
    }

    /// Notes that the store *refused* a heartbeat: until it takes one, it is not even read.
    pub fn refused(&mut self, horizon: &Horizon) {
        self.lease.refused();
        horizon.refuse(self.shard);
    }

    /// Notes that the node is about to leave the registry: from now on there is no lease, whatever
    /// the channel tells. Where it was opened before, [`Feed::lost`] drops the lease there is.
    pub fn left(&mut self) {
        self.stage = Stage::Left;
    }

    /// Whether the node has left.
    pub fn has_left(&self) -> bool {
        self.stage == Stage::Left
    }

    /// Whether a barrier has not passed within `limit`: then the channel is lost.
    pub fn is_overdue(&self, limit: Duration, now: Duration) -> bool {
        self.lease.is_overdue(limit, now)
    }

    /// How the channel stands.
    pub fn condition(&self, memory: &Reassert, horizon: &Horizon, now: Duration) -> Condition {
        if self.lease.is_refused() {
            return Condition::Refused;
        }
        match self.stage {
            Stage::Unread => return Condition::Starting,
            Stage::Left => return Condition::Left,
            Stage::Read => {}
        }
        if !memory.is_complete(now) {
            return Condition::Full;
        }
        let as_of = horizon.as_of(self.shard);
        if as_of.is_some_and(|as_of| horizon.holds(as_of, now)) {
            return Condition::Trusted;
        }
        match self.lease.is_clock_slow(now) {
            true => Condition::ClockSlow,
            false => Condition::Waiting,
        }
    }

    /// The snapshot is to be read, unless nothing is to be trusted again.
    fn unread(&mut self) {
        if self.stage == Stage::Read {
            self.stage = Stage::Unread;
        }
    }

    fn publish(&self, memory: &Reassert, horizon: &Horizon, now: Duration) {
        if self.lease.is_refused() || self.stage == Stage::Left {
            return;
        }
        let as_of = self.lease.as_of().filter(|_| memory.is_complete(now));
        horizon.trust(self.shard, as_of);
    }
}

// === impl Condition ===

impl Condition {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Waiting,
        Self::Trusted,
        Self::Refused,
        Self::ClockSlow,
        Self::Full,
        Self::OutOfOrder,
        Self::Left,
    ];

    /// A few lower-case words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Waiting => "waiting",
            Self::Trusted => "trusted",
            Self::Refused => "refused",
            Self::ClockSlow => "clock slow",
            Self::Full => "full",
            Self::OutOfOrder => "out of order",
            Self::Left => "left",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Applies a revocation: one that was heard, or one of this node's own that was acknowledged.
///
/// # Errors
/// [`Full`]: it cannot be remembered. Nothing that is remembered was evicted for it, and no lease
/// is held until there is room. The act is to be done all the same, so it comes with it.
pub fn revoked(
    assertion: Assertion,
    memory: &mut Reassert,
    horizon: &Horizon,
    now: Duration,
) -> (Act, Result<(), Full>) {
    let act = match &assertion {
        Assertion::Session(tombstone) => Act::Forget(tombstone.handle),
        Assertion::User(user, _) => {
            horizon.user_revoked(user);
            Act::Nothing
        }
    };
    let remembered = memory.heard(assertion, now);
    if remembered.is_err() {
        horizon.trust_nothing();
    }
    (act, remembered)
}

#[cfg(test)]
mod tests;
