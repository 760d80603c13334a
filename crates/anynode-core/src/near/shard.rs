//! One shard of a near cache: which copies it lets in, and for which request one may be used.

mod judge;

use std::{fmt, time::Duration};

use self::judge::{early, is_later, is_outdated, judge, known};
pub(super) use self::judge::{ends, is_unseen};
use super::{
    Ask, Bounds, Horizon, Look, Miss, Reassert, StoreShard, Token, Why,
    copies::{Copies, Nanos, Slot, spread},
    horizon::UserSlot,
    packed::Packed,
};
use crate::session::{Draft, Handle, Live, Origin, expiry};

/// A part of the copies of one node, for one thread at a time: the caller puts each shard behind
/// a lock of its own, and a hit takes that one lock and allocates nothing.
///
/// A copy gets in only under a token that was taken before its load was sent, and only if
/// nothing was heard of its slot since: then no load can land after the invalidation that
/// outdates it. A copy is used only under the lease of its record's shard of the store and, if
/// the record is bound, of its user's.
///
/// Time is a [`Duration`] on the node's boot clock. What a shard answers depends on nothing but
/// its arguments and what it was told before.
pub struct Shard {
    limits: Limits,
    copies: Copies,
    /// The number of what was last heard of any handle of this slot.
    guard: Box<[u64]>,
}

/// How much a shard keeps, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many copies, and how many bytes.
    pub bounds: Bounds,
    /// No copy is used when its load was sent this long ago, whatever the channel says: it
    /// bounds what a channel that drops an event without a word can do.
    pub age_max: Duration,
    /// A handle whose secret does not match is read from the store at most this often.
    pub pace: Duration,
}

/// The answer of a store to a load or a write, with what was noted before it was sent.
///
/// It is knowledge as of when it was sent: where the user's entry is on another primary than the
/// record, that was read after it was sent as well.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Taken before it was sent.
    pub token: Token,
    /// What the clock said before it was sent.
    pub sent: Duration,
    /// The record as it is, or was kept.
    pub live: &'a Live,
    /// The shard of the store that the record is on.
    pub shard: StoreShard,
    /// The shard that its user's entry is on; of no matter while nobody is bound.
    pub user_shard: StoreShard,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// It is kept, as far as there is room.
    Kept,
    /// Something was heard that it may not know of. It is good for those who waited for it.
    Raced,
    /// There is no lease on the record's shard or its user's.
    Untrusted,
    /// It comes from a server whose writes are not told here. It is good for those who waited.
    Elsewhere,
    /// There is a later one.
    Older,
    /// It has ended, or is about to.
    Ended,
    /// The node knows that it was revoked: it is dead for those who waited too, whatever the
    /// store says.
    Revoked,
    /// A shard of the store that it rests on refused a heartbeat: it proves nothing, and those who
    /// waited are answered `Unavailable`.
    Refused,
}

/// Slots of the guard. What is heard of one handle also keeps out the answers that are under way
/// for those that share its slot: one in a thousand.
const GUARD_SLOTS: usize = 1 << 10;

// === impl Fill ===

impl Fill {
    /// One lower-case word, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Raced => "raced",
            Self::Untrusted => "untrusted",
            Self::Elsewhere => "elsewhere",
            Self::Older => "older",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
            Self::Refused => "refused",
        }
    }
}

// === impl Limits ===

impl Limits {
    /// The default maximum age of a copy.
    pub const AGE_MAX: Duration = Duration::from_secs(60);

    /// The default pace at which a handle is read whose secret does not match.
    pub const PACE: Duration = Duration::from_millis(20);

    /// These bounds, and else the defaults.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            age_max: Self::AGE_MAX,
            pace: Self::PACE,
        }
    }
}

// === impl Shard ===

impl Shard {
    /// An empty shard.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            copies: Copies::new(limits.bounds),
            guard: vec![0; GUARD_SLOTS].into(),
        }
    }

    /// Which of so many shards the copy of a handle is in.
    ///
    /// # Panics
    /// When there are none.
    pub fn of(handle: &Handle, shards: usize) -> usize {
        let [.., low, high] = spread(handle).to_le_bytes();
        usize::from(u16::from_le_bytes([low, high])) % shards
    }

    /// The copy for this request, if there is one that it may be answered with.
    pub fn look(&mut self, ask: &Ask<'_>, horizon: &Horizon) -> Look {
        let token = horizon.token();
        let miss = |why, not_before| {
            Look::Miss(Miss {
                why,
                token,
                not_before,
            })
        };
        let limits = self.limits;
        let Some(slot) = self.copies.find(&ask.handle) else {
            return miss(Why::Absent, ask.now);
        };
        match judge(slot, ask, horizon, &limits) {
            Ok(hit) => {
                slot.mark_used();
                Look::Hit(hit)
            }
            // Whoever knows a handle can present any secret: the last read stands for a while.
            Err(Why::Secret) => miss(Why::Secret, slot.sent.time() + limits.pace),
            Err(why) => miss(why, ask.now),
        }
    }

    /// Keeps the answer of a load, unless it may already be old.
    pub fn insert(
        &mut self,
        answer: &Answer<'_>,
        now: Duration,
        horizon: &Horizon,
        memory: &Reassert,
    ) -> Fill {
        let fill = self.admit(answer, now, horizon, memory);
        match fill {
            Fill::Kept => self.keep(answer),
            Fill::Ended | Fill::Revoked => self.copies.remove(&answer.live.record.handle),
            Fill::Raced | Fill::Untrusted | Fill::Elsewhere | Fill::Refused | Fill::Older => {}
        }
        fill
    }

    /// Notes that a write of this record is about to be sent, and answers what its answer may be
    /// kept under. The copy that is there stays: the write may never happen.
    pub fn write(&mut self, draft: &Draft, horizon: &Horizon) -> Token {
        let token = horizon.token();
        if crate::planted("own_write_before_its_acknowledgement")
            && let Some(slot) = self.copies.find(&draft.handle)
            && let Some(packed) = &slot.packed
        {
            let (user, sent, ends) = (slot.user, slot.sent, slot.ends);
            let packed = Packed::of(&draft.live(packed.loaded_at(), None));
            let slot = Slot::new(draft.handle, packed, user, token, sent, ends);
            self.copies.insert(slot);
        }
        token
    }

    /// Keeps what a write was acknowledged with, in place of the copy from before it. Loads that
    /// were sent before the acknowledgement are not kept any more.
    ///
    /// Whether the write counts as performed is not decided here but by
    /// [`Known`](super::Known): what was heard since may have ended the session after it.
    pub fn wrote(
        &mut self,
        answer: &Answer<'_>,
        now: Duration,
        horizon: &Horizon,
        memory: &Reassert,
    ) -> Fill {
        let fill = self.admit(answer, now, horizon, memory);
        match fill {
            // Someone wrote after this write, and was read before it was acknowledged.
            Fill::Older => self.bar(&answer.live.record.handle, horizon),
            _ => self.forget(&answer.live.record.handle, horizon),
        }
        if fill == Fill::Kept {
            self.keep(answer);
        }
        fill
    }

    /// Forgets a session: it was written or revoked, by whomever, or is not there any more, or a
    /// write may have happened.
    pub fn forget(&mut self, handle: &Handle, horizon: &Horizon) {
        self.bar(handle, horizon);
        self.copies.remove(handle);
    }

    /// Forgets all sessions. What comes in later is judged as ever.
    pub fn clear(&mut self) {
        self.copies = Copies::new(self.limits.bounds);
    }

    /// Notes that the store acknowledged at `acknowledged` that this session was used at `used`:
    /// its end moves on, and never back.
    ///
    /// What may have ended before the acknowledgement does not move: the store may have ignored
    /// the touch, and does not say so.
    pub fn touched(&mut self, handle: &Handle, used: Duration, acknowledged: Duration) {
        let Some(slot) = self.copies.find(handle) else {
            return;
        };
        let Some(packed) = &slot.packed else { return };
        if slot.ends.time() <= acknowledged {
            return;
        }
        let idle = used.saturating_add(early(packed.idle_timeout()));
        let absolute = slot
            .sent
            .time()
            .saturating_add(early(packed.absolute_left()));
        slot.ends = slot.ends.max(Nanos::of(idle.min(absolute)));
    }

    /// Whether something was heard of a handle, or of all on its shard of the store, since.
    pub(super) fn has_heard(
        &self,
        handle: &Handle,
        shard: StoreShard,
        token: Token,
        horizon: &Horizon,
    ) -> bool {
        !crate::planted("load_joined_after_its_event")
            && (self.guard[slot_of(handle)] > token.0 || horizon.flushed_since(shard, token))
    }

    /// How many copies there are, used or not.
    pub fn len(&self) -> usize {
        self.copies.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes the copies take, everything counted.
    pub fn bytes(&self) -> usize {
        self.copies.bytes()
    }

    fn admit(
        &mut self,
        answer: &Answer<'_>,
        now: Duration,
        horizon: &Horizon,
        memory: &Reassert,
    ) -> Fill {
        let (live, record) = (answer.live, &*answer.live.record);
        if memory.refuses_record(record) {
            return Fill::Revoked;
        }
        let user = record
            .user()
            .map(|user| (UserSlot::of(user), answer.user_shard));
        let is_refused = |shard| horizon.is_refused(shard);
        if is_refused(answer.shard) || user.is_some_and(|(_, shard)| is_refused(shard)) {
            return Fill::Refused;
        }
        let as_of = known(answer.shard, user, horizon);
        if !as_of.is_some_and(|as_of| horizon.holds(as_of, now)) {
            return Fill::Untrusted;
        }
        if live.origin == Origin::Elsewhere && !crate::planted("kept_from_elsewhere") {
            return Fill::Elsewhere;
        }
        if self.was_heard_of(&record.handle, answer.token)
            || is_outdated(answer.shard, user, answer.token, horizon)
        {
            return Fill::Raced;
        }
        if !expiry::stamp_is_good(record, live.user.as_ref()) || ends(live, answer.sent) <= now {
            return Fill::Ended;
        }
        let age_max = self.limits.age_max;
        match self.copies.find(&record.handle) {
            Some(slot) if is_later(slot, answer, now, horizon, age_max) => Fill::Older,
            _ => Fill::Kept,
        }
    }

    fn keep(&mut self, answer: &Answer<'_>) {
        let record = &*answer.live.record;
        let user = record
            .user()
            .map(|user| (UserSlot::of(user), answer.user_shard));
        let (sent, ends) = (
            Nanos::of(answer.sent),
            Nanos::of(ends(answer.live, answer.sent)),
        );
        let packed = Packed::of(answer.live);
        let slot = Slot::new(record.handle, packed, user, answer.token, sent, ends);
        self.copies.insert(slot);
    }

    /// Lets in no load of this slot that was sent before now.
    fn bar(&mut self, handle: &Handle, horizon: &Horizon) {
        let Token(number) = horizon.hear();
        let last = &mut self.guard[slot_of(handle)];
        *last = number.max(*last);
    }

    fn was_heard_of(&self, handle: &Handle, Token(token): Token) -> bool {
        !crate::planted("no_generation_check") && self.guard[slot_of(handle)] > token
    }
}

/// Which slot of the guard a handle has, by other bits than those of its shard and place.
fn slot_of(handle: &Handle) -> usize {
    let [.., low, high, _, _] = spread(handle).to_le_bytes();
    usize::from(u16::from_le_bytes([low, high])) % GUARD_SLOTS
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shard").field(&self.copies).finish()
    }
}

#[cfg(test)]
mod tests;
