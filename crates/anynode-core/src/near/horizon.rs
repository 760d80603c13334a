//! What every shard of a near cache reads of its channels: as of when all is known, and what was
//! heard since a copy was asked for.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use crate::{session::UserId, store::ChannelKind};

/// What one node knows of the store, shared by all shards of its near cache and read by every
/// hit without a lock. Time is a [`Duration`] on the node's boot clock.
///
/// Whatever is heard gets the next number. A copy bears the number that was the last when it was
/// asked for, so that one comparison tells whether something was heard since: that is how a
/// whole store is flushed, and all sessions of a user outdated, at the cost of one store to
/// memory.
///
/// The order of writing is what makes it safe to read without a lock: what was heard before a
/// barrier is here, or for one session in its shard under that one's lock, before the barrier is.
/// Whoever reads the barrier first sees all of that.
pub struct Horizon {
    kind: ChannelKind,
    term: Duration,
    shards: Box<[Known]>,
    heard: AtomicU64,
    users: Box<[AtomicU64]>,
}

/// A part of a store that has a channel, and so a lease, of its own; the whole store where one
/// channel tells of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreShard(pub u16);

/// How much had been heard when a load was about to be sent: its answer may be kept if nothing
/// that concerns it was heard since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub(super) u64);

/// Where it is noted that a user's sessions were revoked; some users share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UserSlot(u16);

struct Known {
    /// Nanoseconds of the boot clock, [`NOTHING`] or [`REFUSED`].
    as_of: AtomicU64,
    flushed: AtomicU64,
}

const NOTHING: u64 = 0;
const REFUSED: u64 = u64::MAX;

/// Half a mebibyte. Of a million copies, a revocation of one user costs some fifteen others a
/// read that they did not need.
const USER_SLOTS: usize = 1 << 16;

// === impl Horizon ===

impl Horizon {
    /// The default of a lease.
    pub const TERM: Duration = Duration::from_secs(1);

    /// Nothing is known of a store with so many shards, one at least, whose channels are of this
    /// kind. A lease is for `term`; where copies are validated at every read, there is none.
    pub fn new(kind: ChannelKind, term: Duration, shards: u16) -> Self {
        let known = |_| Known {
            as_of: AtomicU64::new(NOTHING),
            flushed: AtomicU64::new(0),
        };
        Self {
            kind,
            term,
            shards: (0..shards.max(1)).map(known).collect(),
            heard: AtomicU64::new(0),
            users: (0..USER_SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// How long a lease is for.
    pub fn term(&self) -> Duration {
        self.term
    }

    /// As of when everything is known of this shard: when the last barrier that passed was sent.
    /// `None` without a lease.
    pub fn as_of(&self, shard: StoreShard) -> Option<Duration> {
        match self.known(shard)?.as_of.load(SeqCst) {
            NOTHING | REFUSED => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Whether knowledge as of then is enough to answer a request that came in at `arrived` and
    /// is decided `now`.
    pub fn suffices(&self, as_of: Duration, arrived: Duration, now: Duration) -> bool {
        match self.kind {
            ChannelKind::Leased => now < as_of.saturating_add(self.term),
            ChannelKind::ValidatedPerRead => arrived <= as_of,
        }
    }

    /// Whether a copy may be taken in under knowledge as of then.
    pub(super) fn holds(&self, as_of: Duration, now: Duration) -> bool {
        match self.kind {
            ChannelKind::Leased => now < as_of.saturating_add(self.term),
            ChannelKind::ValidatedPerRead => true,
        }
    }

    /// Whether copies are validated at every read, so that one may answer even a strict request.
    pub(super) fn is_validated(&self) -> bool {
        self.kind == ChannelKind::ValidatedPerRead
    }

    /// Whether the shard refused a heartbeat and has not taken one since: whoever answers for it
    /// may have been deposed, so that nothing is to be read there.
    pub fn is_refused(&self, shard: StoreShard) -> bool {
        let known = self.known(shard);
        known.is_some_and(|known| known.as_of.load(SeqCst) == REFUSED)
    }

    /// To be taken before a load is sent, or a write.
    pub fn token(&self) -> Token {
        Token(self.heard.load(SeqCst))
    }

    /// Notes that all copies of this shard are old.
    pub fn flush(&self, shard: StoreShard) {
        if let Some(known) = self.known(shard) {
            known.flushed.fetch_max(self.hear().0, SeqCst);
        }
    }

    /// Notes that sessions of this user were revoked.
    pub fn user_revoked(&self, user: &UserId) {
        if crate::planted("revoked_user_keeps_copies") {
            return;
        }
        let UserSlot(slot) = UserSlot::of(user);
        self.users[usize::from(slot)].fetch_max(self.hear().0, SeqCst);
    }

    /// Takes every lease back.
    pub fn trust_nothing(&self) {
        for known in &self.shards {
            // Only a barrier that passes ends a refusal.
            let _ = known.as_of.fetch_update(SeqCst, SeqCst, |as_of| {
                (as_of != REFUSED).then_some(NOTHING)
            });
        }
    }

    /// The next number.
    pub(super) fn hear(&self) -> Token {
        Token(self.heard.fetch_add(1, SeqCst) + 1)
    }

    pub(super) fn trust(&self, shard: StoreShard, as_of: Option<Duration>) {
        if let Some(known) = self.known(shard) {
            let nanos = |as_of: Duration| u64::try_from(as_of.as_nanos()).unwrap_or(REFUSED - 1);
            let as_of = as_of.map_or(NOTHING, |as_of| nanos(as_of).max(NOTHING + 1));
            known.as_of.store(as_of, SeqCst);
        }
    }

    pub(super) fn refuse(&self, shard: StoreShard) {
        if let Some(known) = self.known(shard) {
            known.as_of.store(REFUSED, SeqCst);
        }
    }

    /// Whether the shard was flushed since; one that is not there always was.
    pub(super) fn flushed_since(&self, shard: StoreShard, token: Token) -> bool {
        let known = self.known(shard);
        known.is_none_or(|known| known.flushed.load(SeqCst) > token.0)
    }

    /// Whether sessions of the user were revoked since.
    pub(super) fn revoked_since(&self, UserSlot(slot): UserSlot, token: Token) -> bool {
        self.users[usize::from(slot)].load(SeqCst) > token.0
    }

    fn known(&self, StoreShard(shard): StoreShard) -> Option<&Known> {
        self.shards.get(usize::from(shard))
    }
}

impl fmt::Debug for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards = 0..u16::try_from(self.shards.len()).unwrap_or(u16::MAX);
        let as_of: Vec<_> = shards.map(|shard| self.as_of(StoreShard(shard))).collect();
        f.debug_struct("Horizon")
            .field("as_of", &as_of)
            .finish_non_exhaustive()
    }
}

// === impl UserSlot ===

impl UserSlot {
    /// The same for a user on every call.
    pub(super) fn of(user: &UserId) -> Self {
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        let [low, high, ..] = hasher.finish().to_le_bytes();
        Self(u16::from_le_bytes([low, high]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: StoreShard = StoreShard(0);
    const B: StoreShard = StoreShard(1);

    fn horizon() -> Horizon {
        Horizon::new(ChannelKind::Leased, Horizon::TERM, 2)
    }

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_is_known_before_a_barrier_passed_and_each_shard_has_its_own() {
        let horizon = horizon();
        assert_eq!(horizon.as_of(A), None);
        horizon.trust(A, Some(Duration::ZERO));
        assert!(horizon.as_of(A).is_some(), "at the very start of the clock");
        assert_eq!(horizon.as_of(B), None);
        assert_eq!(horizon.as_of(StoreShard(9)), None);
    }

    #[test]
    fn a_flush_concerns_what_was_asked_for_before_it_and_one_shard() {
        let horizon = horizon();
        let before = horizon.token();
        horizon.flush(A);
        assert!(horizon.flushed_since(A, before));
        assert!(!horizon.flushed_since(B, before));
        assert!(!horizon.flushed_since(A, horizon.token()));
        assert!(horizon.flushed_since(StoreShard(9), horizon.token()));
    }

    #[test]
    fn a_revocation_of_a_user_concerns_what_was_asked_for_before_it() {
        let horizon = horizon();
        let (ada, bob) = ["ada", "bob"]
            .map(|name| UserId::new(name).expect("a name"))
            .into();
        let before = horizon.token();
        horizon.user_revoked(&ada);
        assert!(horizon.revoked_since(UserSlot::of(&ada), before));
        assert!(!horizon.revoked_since(UserSlot::of(&bob), before));
        assert!(!horizon.revoked_since(UserSlot::of(&ada), horizon.token()));
    }

    #[test]
    fn only_a_barrier_that_passes_ends_a_refusal() {
        let horizon = horizon();
        horizon.trust(A, Some(second(1)));
        horizon.refuse(B);
        horizon.trust_nothing();
        assert_eq!((horizon.as_of(A), horizon.is_refused(A)), (None, false));
        assert_eq!((horizon.as_of(B), horizon.is_refused(B)), (None, true));
        horizon.trust(B, Some(second(2)));
        assert_eq!(
            (horizon.as_of(B), horizon.is_refused(B)),
            (Some(second(2)), false)
        );
    }

    #[test]
    fn a_lease_is_for_its_term_and_a_validation_for_the_requests_before_it() {
        let (leased, at) = (horizon(), second(10));
        assert!(leased.suffices(at, second(10), second(11) - Duration::from_nanos(1)));
        assert!(!leased.suffices(at, second(10), second(11)));
        let validated = Horizon::new(ChannelKind::ValidatedPerRead, Duration::ZERO, 1);
        assert!(validated.suffices(at, second(10), second(99)));
        assert!(!validated.suffices(at, second(11), second(11)));
    }
}
