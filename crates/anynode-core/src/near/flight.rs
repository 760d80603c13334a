//! Who may share the answer of a load that someone else asked for.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use super::{
    Ask, Freshness, Horizon, Shard, Token,
    shard::{ends, is_unseen},
};
use crate::{
    session::{Handle, Live, admit},
    store::ChannelKind,
};

/// The loads of one shard that are under way, or about to be.
///
/// The answer of a load is knowledge as of when it was *sent*. Whoever came before that may have
/// it. Whoever came after may have it on a `bounded` route for as long as a lease would last
/// from then; on a `strict` one never. Nobody may have it who came after something was heard of
/// the handle: this node has shown that to others, or its client has written it here. The
/// waiting, and the waking of those who wait, is the caller's. Time is a [`Duration`] on the
/// node's boot clock.
///
/// ```
/// # use anynode_core::{ChannelKind, Handle};
/// # use anynode_core::near::{Ask, Bounds, Flights, Freshness, Horizon, Limits, Role, Shard, StoreShard};
/// # use std::time::Duration;
/// # let handle = Handle::from_bytes([1; 16]);
/// # let shard = Shard::new(Limits::new(Bounds { copies_max: 10, bytes_max: 1 << 20 }));
/// # let horizon = Horizon::new(ChannelKind::Leased, Horizon::TERM, 1);
/// # let now = Duration::ZERO;
/// # let ask = Ask {
/// #     handle, shard: StoreShard(0), secret: None, seen: None,
/// #     freshness: Freshness::Strict, arrived: now, now,
/// # };
/// let mut flights = Flights::new(Horizon::TERM);
/// let first = flights.join(&ask, &shard, &horizon);
/// let second = flights.join(&ask, &shard, &horizon);
/// assert_eq!((first.role, second.role), (Role::Leads, Role::Follows));
/// let token = flights.sent(&handle, first.flight, &horizon, now);
/// let third = flights.join(&ask, &shard, &horizon);
/// assert_eq!(third.role, Role::Leads);
/// ```
#[derive(Debug)]
pub struct Flights {
    term: Duration,
    under_way: HashMap<Handle, UnderWay>,
    newest: u64,
}

/// One load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlightId(u64);

/// How a request takes part in a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Which.
    pub flight: FlightId,
    /// Whether it sends the load or waits for it.
    pub role: Role,
    /// When the load was sent, if it was before this request joined: see [`Ticket::decides`].
    joined_after: Option<Duration>,
    term: Duration,
}

/// Who sends a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This request; others may join it.
    Leads,
    /// Another one.
    Follows,
}

/// The loads of one handle that may still be joined.
#[derive(Clone, Copy, Debug, Default)]
struct UnderWay {
    /// It waits for its turn: everyone may join.
    waiting: Option<FlightId>,
    /// The last that was sent.
    sent: Option<Sent>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    flight: FlightId,
    at: Duration,
    token: Token,
}

// === impl Flights ===

impl Flights {
    /// No load is under way. `term` is how long a lease is for, and zero where copies are
    /// validated at every read.
    pub fn new(term: Duration) -> Self {
        Self {
            term,
            under_way: HashMap::new(),
            newest: 0,
        }
    }

    /// No load is under way at a node with channels of this kind.
    pub fn of(kind: ChannelKind, term: Duration) -> Self {
        match kind {
            ChannelKind::Leased => Self::new(term),
            ChannelKind::ValidatedPerRead => Self::new(Duration::ZERO),
        }
    }

    /// Joins the load of a handle that this request may share, or leads a new one. `shard` is
    /// the one that the copy of the handle would be in.
    pub fn join(&mut self, ask: &Ask<'_>, shard: &Shard, horizon: &Horizon) -> Ticket {
        let under_way = self.under_way.entry(ask.handle).or_default();
        if let Some(sent) = under_way.sent
            && may_join(ask.freshness, sent.at, self.term, ask.now)
            && !shard.has_heard(&ask.handle, ask.shard, sent.token, horizon)
        {
            return Ticket {
                flight: sent.flight,
                role: Role::Follows,
                joined_after: Some(sent.at),
                term: self.term,
            };
        }
        if let Some(flight) = under_way.waiting {
            return Ticket {
                flight,
                role: Role::Follows,
                joined_after: None,
                term: self.term,
            };
        }
        self.newest += 1;
        let flight = FlightId(self.newest);
        under_way.waiting = Some(flight);
        Ticket {
            flight,
            role: Role::Leads,
            joined_after: None,
            term: self.term,
        }
    }

    /// Notes that a load is about to be sent: from now on not everyone may join it. Answers what
    /// its answer may be kept under.
    pub fn sent(
        &mut self,
        handle: &Handle,
        flight: FlightId,
        horizon: &Horizon,
        now: Duration,
    ) -> Token {
        let token = horizon.token();
        if let Some(under_way) = self.under_way.get_mut(handle)
            && under_way.waiting == Some(flight)
        {
            let at = now;
            under_way.waiting = None;
            under_way.sent = Some(Sent { flight, at, token });
        }
        token
    }

    /// Notes that a load was answered, failed, or was given up by whom it was led: nobody joins
    /// it any more. Those who follow one that was given up join again.
    pub fn ended(&mut self, handle: &Handle, flight: FlightId) {
        let Entry::Occupied(mut entry) = self.under_way.entry(*handle) else {
            return;
        };
        let under_way = entry.get_mut();
        under_way.waiting = under_way.waiting.filter(|waiting| *waiting != flight);
        under_way.sent = under_way.sent.filter(|sent| sent.flight != flight);
        if under_way.waiting.is_none() && under_way.sent.is_none() {
            entry.remove();
        }
    }

    /// How many handles have loads under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Ticket ===

impl Ticket {
    /// Whether a request is let in or turned away by this answer of the load; if not, it asks
    /// again.
    ///
    /// A load that was sent before the request came in may be too old for it by now, or lack
    /// what its client has seen, or have found a session that has ended since. And it turns nobody
    /// away: the session may have been created, or logged in, since.
    pub fn decides(&self, ask: &Ask<'_>, answer: Option<&Live>) -> bool {
        let Some(sent) = self.joined_after else {
            return true;
        };
        let lets_in = |live: &Live| {
            let version = live.record.version;
            let store_now = live.now + ask.now.saturating_sub(sent);
            let admits = |secret| admit(&live.record, secret, store_now).is_some();
            ask.now < ends(live, sent)
                && !ask.seen.is_some_and(|seen| is_unseen(version, seen))
                && ask.secret.is_none_or(admits)
        };
        may_join(ask.freshness, sent, self.term, ask.now) && answer.is_some_and(lets_in)
    }
}

/// Whether knowledge as of `sent` is good for a request that came in after it.
fn may_join(freshness: Freshness, sent: Duration, term: Duration, now: Duration) -> bool {
    if crate::planted("join_any_load") {
        return true;
    }
    match freshness {
        Freshness::Strict => false,
        Freshness::Bounded => now < sent.saturating_add(term),
        Freshness::StaleOk(age) => now < sent.saturating_add(age.max(term)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        near::{Bounds, Limits, StoreShard},
        session::{SecretHash, Version, WriteId, record::tests::draft},
        time::Timestamp,
    };

    const HANDLE: Handle = Handle::from_bytes([1; 16]);
    const STORE: StoreShard = StoreShard(0);
    const TERM: Duration = Duration::from_secs(1);

    struct Node {
        flights: Flights,
        shard: Shard,
        horizon: Horizon,
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn node(kind: ChannelKind) -> Node {
        let bounds = Bounds {
            copies_max: 10,
            bytes_max: 1 << 20,
        };
        Node {
            flights: Flights::of(kind, TERM),
            shard: Shard::new(Limits::new(bounds)),
            horizon: Horizon::new(kind, TERM, 1),
        }
    }

    /// A load that was sent at 100 ms and is not answered.
    fn sent() -> (Node, FlightId) {
        let mut node = node(ChannelKind::Leased);
        let flight = node.join(Freshness::Bounded, 90).flight;
        node.send(flight, 100);
        (node, flight)
    }

    fn ask(freshness: Freshness, now: u64) -> Ask<'static> {
        Ask {
            handle: HANDLE,
            shard: STORE,
            secret: None,
            seen: None,
            freshness,
            arrived: millis(now),
            now: millis(now),
        }
    }

    fn answer() -> Live {
        draft(1).live(Timestamp::from_millis(1_000), None)
    }

    impl Node {
        fn join(&mut self, freshness: Freshness, now: u64) -> Ticket {
            let ask = ask(freshness, now);
            self.flights.join(&ask, &self.shard, &self.horizon)
        }

        fn send(&mut self, flight: FlightId, now: u64) -> Token {
            let (flights, now) = (&mut self.flights, millis(now));
            flights.sent(&HANDLE, flight, &self.horizon, now)
        }
    }

    #[test]
    fn whoever_comes_before_a_load_is_sent_shares_it_whatever_the_route() {
        let mut node = node(ChannelKind::Leased);
        let first = node.join(Freshness::Strict, 1);
        let second = node.join(Freshness::Strict, 2);
        node.send(first.flight, 3);
        assert_eq!((second.flight, second.role), (first.flight, Role::Follows));
        assert!(second.decides(&ask(Freshness::Strict, 9_000), Some(&answer())));
        assert!(second.decides(&ask(Freshness::Strict, 9_000), None));
    }

    #[test]
    fn a_strict_request_joins_no_load_that_was_sent() {
        let (mut node, flight) = sent();
        let strict = node.join(Freshness::Strict, 100);
        assert_eq!(strict.role, Role::Leads);
        assert_ne!(strict.flight, flight);
        let other = node.join(Freshness::Strict, 101);
        assert_eq!((other.flight, other.role), (strict.flight, Role::Follows));
    }

    #[test]
    fn a_bounded_request_joins_a_load_and_is_decided_within_a_term_of_its_sending() {
        let (mut node, flight) = sent();
        let joined = node.join(Freshness::Bounded, 1_099);
        assert_eq!((joined.flight, joined.role), (flight, Role::Follows));
        let live = answer();
        assert!(joined.decides(&ask(Freshness::Bounded, 1_099), Some(&live)));
        assert!(!joined.decides(&ask(Freshness::Bounded, 1_100), Some(&live)));
        let late = node.join(Freshness::Bounded, 1_100);
        assert_eq!(late.role, Role::Leads, "it hangs");
    }

    /// A client wrote its session on this node and asked again, and joined a load from before.
    #[test]
    fn a_load_is_joined_by_nobody_once_something_was_heard_of_its_handle() {
        let (mut node, flight) = sent();
        node.shard.forget(&HANDLE, &node.horizon);
        let after = node.join(Freshness::Bounded, 101);
        assert_eq!(after.role, Role::Leads);
        assert_ne!(after.flight, flight);
        node.send(after.flight, 102);
        let next = node.join(Freshness::Bounded, 103);
        assert_eq!((next.flight, next.role), (after.flight, Role::Follows));
    }

    #[test]
    fn a_load_from_before_a_flush_is_joined_by_nobody() {
        let (mut node, _) = sent();
        node.horizon.flush(STORE);
        assert_eq!(node.join(Freshness::Bounded, 101).role, Role::Leads);
    }

    #[test]
    fn what_is_heard_before_a_load_is_sent_keeps_nobody_from_joining() {
        let mut node = node(ChannelKind::Leased);
        let flight = node.join(Freshness::Bounded, 90).flight;
        node.shard.forget(&HANDLE, &node.horizon);
        let token = node.send(flight, 100);
        assert_eq!(token, node.horizon.token());
        assert_eq!(node.join(Freshness::Bounded, 101).flight, flight);
    }

    #[test]
    fn a_load_from_before_a_request_turns_it_away_neither_as_absent_nor_for_its_secret() {
        let (mut node, _) = sent();
        let (joined, live) = (node.join(Freshness::Bounded, 101), answer());
        let (right, wrong) = (live.record.secret, SecretHash::from_bytes([7; 32]));
        let with = |secret| Ask {
            secret,
            ..ask(Freshness::Bounded, 102)
        };
        assert!(!joined.decides(&with(None), None));
        assert!(!joined.decides(&with(Some(&wrong)), Some(&live)));
        assert!(joined.decides(&with(Some(&right)), Some(&live)));
        let own = node.join(Freshness::Strict, 103);
        assert!(own.decides(&with(Some(&wrong)), Some(&live)));
    }

    /// A client wrote its session on another node, and joined a load from before that here.
    #[test]
    fn a_load_from_before_a_request_is_not_for_a_client_that_has_seen_more() {
        let (mut node, _) = sent();
        let (joined, live) = (node.join(Freshness::Bounded, 101), answer());
        let seen = live.record.version;
        let has_seen = |seen| Ask {
            seen: Some(seen),
            ..ask(Freshness::Bounded, 102)
        };
        assert!(joined.decides(&has_seen(seen), Some(&live)));
        let later = seen.next(WriteId::from_bytes([3; 8]));
        assert!(!joined.decides(&has_seen(later), Some(&live)));
        let write = WriteId::from_bytes([4; 8]);
        let lost = Version { write, ..seen };
        assert!(!joined.decides(&has_seen(lost), Some(&live)));
    }

    #[test]
    fn a_load_from_before_a_request_is_not_for_it_when_the_session_may_have_ended_since() {
        let (mut node, _) = sent();
        let (joined, mut live) = (node.join(Freshness::Bounded, 101), answer());
        live.idle_deadline = live.now + millis(500);
        assert!(joined.decides(&ask(Freshness::Bounded, 593), Some(&live)));
        assert!(!joined.decides(&ask(Freshness::Bounded, 594), Some(&live)));
    }

    #[test]
    fn validated_copies_have_no_term_in_which_a_load_could_be_joined() {
        let mut node = node(ChannelKind::ValidatedPerRead);
        let first = node.join(Freshness::Bounded, 1).flight;
        node.send(first, 2);
        assert_eq!(node.join(Freshness::Bounded, 2).role, Role::Leads);
    }

    #[test]
    fn a_load_that_ended_is_joined_by_nobody_and_leaves_nothing() {
        let (mut node, flight) = sent();
        let next = node.join(Freshness::Strict, 101);
        node.flights.ended(&HANDLE, flight);
        let after = node.join(Freshness::Bounded, 102);
        assert_eq!((after.flight, after.role), (next.flight, Role::Follows));
        node.flights.ended(&HANDLE, next.flight);
        node.flights.ended(&HANDLE, next.flight);
        assert!(node.flights.is_empty());
    }
}
