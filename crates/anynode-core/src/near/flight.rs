//! Who may share the answer of a load that someone else asked for.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use super::Freshness;
use crate::{session::Handle, store::ChannelKind};

/// The loads of one shard that are under way, or about to be.
///
/// The answer of a load is knowledge as of when it was *sent*. Whoever came before that may have
/// it. Whoever came after may have it on a `bounded` route for as long as a lease would last
/// from then; on a `strict` one never. The waiting, and the waking of those who wait, is the
/// caller's. Time is a [`Duration`] on the node's boot clock.
///
/// ```
/// # use anynode_core::{Handle, near::{Flights, Freshness, Horizon, Role}};
/// # use std::time::Duration;
/// let mut flights = Flights::new(Horizon::TERM);
/// let (handle, now) = (Handle::from_bytes([1; 16]), Duration::ZERO);
/// let first = flights.join(handle, Freshness::Strict, now);
/// let second = flights.join(handle, Freshness::Strict, now);
/// assert_eq!((first.role, second.role), (Role::Leads, Role::Follows));
/// flights.sent(&handle, first.flight, now);
/// let third = flights.join(handle, Freshness::Strict, now);
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
    /// When the load was sent, if it was before this request joined: see [`Ticket::may_use`].
    joined_after: Option<Duration>,
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
    /// The last that was sent, and when.
    sent: Option<(FlightId, Duration)>,
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

    /// Joins the load of a handle that this request may share, or leads a new one.
    pub fn join(&mut self, handle: Handle, freshness: Freshness, now: Duration) -> Ticket {
        let under_way = self.under_way.entry(handle).or_default();
        if let Some((flight, sent)) = under_way.sent
            && may_join(freshness, sent, self.term, now)
        {
            return Ticket {
                flight,
                role: Role::Follows,
                joined_after: Some(sent),
            };
        }
        if let Some(flight) = under_way.waiting {
            return Ticket {
                flight,
                role: Role::Follows,
                joined_after: None,
            };
        }
        self.newest += 1;
        let flight = FlightId(self.newest);
        under_way.waiting = Some(flight);
        Ticket {
            flight,
            role: Role::Leads,
            joined_after: None,
        }
    }

    /// Notes that a load is being sent: from now on not everyone may join it.
    pub fn sent(&mut self, handle: &Handle, flight: FlightId, now: Duration) {
        if let Some(under_way) = self.under_way.get_mut(handle)
            && under_way.waiting == Some(flight)
        {
            (under_way.waiting, under_way.sent) = (None, Some((flight, now)));
        }
    }

    /// Notes that a load was answered, failed, or was given up by whom it was led: nobody joins
    /// it any more. Those who follow one that was given up join again.
    pub fn ended(&mut self, handle: &Handle, flight: FlightId) {
        let Entry::Occupied(mut entry) = self.under_way.entry(*handle) else {
            return;
        };
        let under_way = entry.get_mut();
        under_way.waiting = under_way.waiting.filter(|waiting| *waiting != flight);
        under_way.sent = under_way.sent.filter(|(sent, _)| *sent != flight);
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
    /// Whether the answer of the load may be used by a request that is decided `now`. If not, it
    /// asks again.
    pub fn may_use(&self, freshness: Freshness, term: Duration, now: Duration) -> bool {
        let joined_after = self.joined_after;
        joined_after.is_none_or(|sent| may_join(freshness, sent, term, now))
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

    const HANDLE: Handle = Handle::from_bytes([1; 16]);
    const TERM: Duration = Duration::from_secs(1);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A load that was sent at 100 ms and is not answered.
    fn sent() -> (Flights, FlightId) {
        let mut flights = Flights::new(TERM);
        let flight = flights.join(HANDLE, Freshness::Bounded, millis(90)).flight;
        flights.sent(&HANDLE, flight, millis(100));
        (flights, flight)
    }

    #[test]
    fn whoever_comes_before_a_load_is_sent_shares_it_whatever_the_route() {
        let mut flights = Flights::new(TERM);
        let first = flights.join(HANDLE, Freshness::Strict, millis(1));
        let second = flights.join(HANDLE, Freshness::Strict, millis(2));
        flights.sent(&HANDLE, first.flight, millis(3));
        assert_eq!((second.flight, second.role), (first.flight, Role::Follows));
        assert!(second.may_use(Freshness::Strict, TERM, millis(9_000)));
    }

    #[test]
    fn a_strict_request_joins_no_load_that_was_sent() {
        let (mut flights, flight) = sent();
        let strict = flights.join(HANDLE, Freshness::Strict, millis(100));
        assert_eq!(strict.role, Role::Leads);
        assert_ne!(strict.flight, flight);
        let other = flights.join(HANDLE, Freshness::Strict, millis(101));
        assert_eq!((other.flight, other.role), (strict.flight, Role::Follows));
    }

    #[test]
    fn a_bounded_request_joins_a_load_and_is_decided_within_a_term_of_its_sending() {
        let (mut flights, flight) = sent();
        let joined = flights.join(HANDLE, Freshness::Bounded, millis(1_099));
        assert_eq!((joined.flight, joined.role), (flight, Role::Follows));
        assert!(joined.may_use(Freshness::Bounded, TERM, millis(1_099)));
        assert!(!joined.may_use(Freshness::Bounded, TERM, millis(1_100)));
        let late = flights.join(HANDLE, Freshness::Bounded, millis(1_100));
        assert_eq!(late.role, Role::Leads, "it hangs");
    }

    #[test]
    fn validated_copies_have_no_term_in_which_a_load_could_be_joined() {
        let mut flights = Flights::of(ChannelKind::ValidatedPerRead, TERM);
        let first = flights.join(HANDLE, Freshness::Bounded, millis(1)).flight;
        flights.sent(&HANDLE, first, millis(2));
        assert_eq!(
            flights.join(HANDLE, Freshness::Bounded, millis(2)).role,
            Role::Leads
        );
    }

    #[test]
    fn a_load_that_ended_is_joined_by_nobody_and_leaves_nothing() {
        let (mut flights, flight) = sent();
        let next = flights.join(HANDLE, Freshness::Strict, millis(101));
        flights.ended(&HANDLE, flight);
        let after = flights.join(HANDLE, Freshness::Bounded, millis(102));
        assert_eq!((after.flight, after.role), (next.flight, Role::Follows));
        flights.ended(&HANDLE, next.flight);
        flights.ended(&HANDLE, next.flight);
        assert!(flights.is_empty());
    }
}
