//! The pool: which backends there are, which of them may be chosen now, and what a failed connect changes.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use super::round_robin::{Turn, take_turn};

/// The most backends a pool holds.
///
/// A choice walks the whole pool, so this also bounds what a choice costs.
pub const BACKENDS_MAX: usize = 1024;

/// How long a backend is left alone after its first failed connect.
///
/// Short, because a node that restarts is back in well under a second.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// The longest a backend is left alone, however often its connects failed.
///
/// It bounds how late a backend that came back gets its first request.
pub const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// The name of a backend in its pool.
///
/// It outlives restarts: a node that comes back on another port is the same
/// backend with a new address, see [`Pool::insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(u64);

/// What a backend may be chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendState {
    /// It takes its turn.
    Ready,
    /// It finishes what it has and gets nothing new.
    ///
    /// Only the operator begins and ends draining; health does not.
    Draining,
    /// Its last connect failed.
    ///
    /// Until `until` it is chosen only when no other backend is left.
    /// From then on one request at a time tries it.
    Down {
        /// How many connects failed in a row, those begun together counted once; at least 1.
        failures: u32,
        /// When the last failure was noticed.
        failed_at: Duration,
        /// Before this time it is not tried again while others are ready.
        until: Duration,
    },
}

/// A backend chosen for one attempt, to be given back with the attempt's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    backend: BackendId,
    incarnation: u64,
    chosen_at: Duration,
    chosen_as: ChosenAs,
}

/// Why a backend was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenAs {
    /// It was [`Ready`](BackendState::Ready); its success is no news.
    Ready,
    /// It was [`Down`](BackendState::Down); [`Pool::answered`] must be told of a success.
    Trial,
}

/// What an outcome changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The backend was ready and is down now.
    WentDown,
    /// The backend was down and is ready now.
    CameBack,
    /// It is as it was, or the outcome was about a backend that is no longer in the pool.
    Unchanged,
}

/// The pool holds [`BACKENDS_MAX`] backends already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFull;

/// The set of backends.
///
/// Unhealthy backends are found passively: a failed connect takes a backend out
/// of the rotation for a while that doubles with every further failure, from
/// [`BACKOFF_FIRST`] to [`BACKOFF_MAX`].
/// When every backend is down they are tried all the same, because a request
/// that may succeed is better than a refusal that cannot.
#[derive(Debug, Default)]
pub struct Pool {
    members: Vec<Member>,
    incarnations: u64,
}

#[derive(Debug)]
struct Member {
    id: BackendId,
    incarnation: u64,
    state: BackendState,
    turn: Turn,
}

/// Who is a candidate in one walk over the pool.
#[derive(Clone, Copy)]
enum Among {
    ReadyOrDue,
    Down,
}

// === impl Pool ===

impl Pool {
    /// Returns a pool without backends.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a backend, ready from now on, or replaces the one of the same id.
    ///
    /// `weight` is its share of the requests relative to the others' weights; 1 for equal nodes.
    /// A replaced backend is a new incarnation: it starts ready, and outcomes
    /// of attempts on the old one no longer count.
    ///
    /// # Errors
    ///
    /// [`PoolFull`] if there are [`BACKENDS_MAX`] others.
    pub fn insert(&mut self, id: BackendId, weight: NonZeroU16) -> Result<(), PoolFull> {
        self.incarnations += 1;
        let member = Member {
            id,
            incarnation: self.incarnations,
            state: BackendState::Ready,
            turn: Turn::new(weight),
        };
        if let Some(old) = self.member_mut(id) {
            *old = member;
            return Ok(());
        }
        if self.members.len() >= BACKENDS_MAX {
            return Err(PoolFull);
        }
        self.members.push(member);
        Ok(())
    }

    /// Takes a backend out; an unknown id changes nothing.
    pub fn remove(&mut self, id: BackendId) {
        self.members.retain(|member| member.id != id);
    }

    /// Begins draining: the backend gets no new requests until it is inserted again.
    ///
    /// An unknown id changes nothing.
    pub fn drain(&mut self, id: BackendId) {
        if let Some(member) = self.member_mut(id) {
            member.state = BackendState::Draining;
        }
    }

    /// Returns every backend with its state, in the order of their insertion.
    pub fn states(&self) -> impl Iterator<Item = (BackendId, BackendState)> {
        self.members.iter().map(|member| (member.id, member.state))
    }

    /// Chooses the backend for the next attempt of a request.
    ///
    /// `tried` are the backends this request could not reach; none of them is chosen again.
    /// Ready backends and those whose back-off is over take turns; if there is none, a
    /// backend that is down is chosen before its time.
    /// `None` means that every backend was tried, is draining, or that the pool is empty.
    pub fn choose(&mut self, tried: &[BackendId], now: Duration) -> Option<Choice> {
        let slot = self
            .take_turn(Among::ReadyOrDue, tried, now)
            .or_else(|| self.take_turn(Among::Down, tried, now))?;
        let member = &mut self.members[slot];
        let chosen_as = match &mut member.state {
            BackendState::Ready | BackendState::Draining => ChosenAs::Ready,
            // The next trial waits, so that a backend that swallows connects
            // costs one request its connect timeout, not all of them.
            BackendState::Down {
                failures, until, ..
            } => {
                *until = now + backoff(*failures);
                ChosenAs::Trial
            }
        };
        Some(Choice {
            backend: member.id,
            incarnation: member.incarnation,
            chosen_at: now,
            chosen_as,
        })
    }

    /// Reports that the chosen backend could not be connected to.
    ///
    /// It is down for a while, unless it is draining: then it stays so.
    /// Attempts begun before the last failure was noticed belong to it and do not count again.
    pub fn connect_failed(&mut self, choice: Choice, now: Duration) -> Health {
        let Some(member) = self.chosen_mut(choice) else {
            return Health::Unchanged;
        };
        let (failures, health) = match member.state {
            BackendState::Draining => return Health::Unchanged,
            BackendState::Down { failed_at, .. } if choice.chosen_at < failed_at => {
                return Health::Unchanged;
            }
            BackendState::Down { failures, .. } => (failures.saturating_add(1), Health::Unchanged),
            BackendState::Ready => (1, Health::WentDown),
        };
        member.state = BackendState::Down {
            failures,
            failed_at: now,
            until: now + backoff(failures),
        };
        health
    }

    /// Reports that the chosen backend answered.
    ///
    /// An accepted connection is not enough: the kernel accepts for a process that hangs.
    /// A backend that was down is ready again, and its next back-off starts short.
    /// Needed only for a choice made as a [trial](ChosenAs::Trial).
    pub fn answered(&mut self, choice: Choice) -> Health {
        let Some(member) = self.chosen_mut(choice) else {
            return Health::Unchanged;
        };
        match member.state {
            BackendState::Ready | BackendState::Draining => Health::Unchanged,
            BackendState::Down { .. } => {
                member.state = BackendState::Ready;
                Health::CameBack
            }
        }
    }

    /// Tells whether the chosen backend is still in the pool, not removed and not replaced.
    #[must_use]
    pub fn holds(&self, choice: Choice) -> bool {
        self.members
            .iter()
            .any(|member| member.id == choice.backend && member.incarnation == choice.incarnation)
    }

    fn take_turn(&mut self, among: Among, tried: &[BackendId], now: Duration) -> Option<usize> {
        let members = self.members.iter_mut().enumerate();
        take_turn(members.filter_map(|(slot, member)| {
            let candidate = member.is_among(among, now) && !tried.contains(&member.id);
            candidate.then_some((slot, &mut member.turn))
        }))
    }

    fn member_mut(&mut self, id: BackendId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    /// The member a choice was about, unless it was replaced or removed since.
    fn chosen_mut(&mut self, choice: Choice) -> Option<&mut Member> {
        self.member_mut(choice.backend)
            .filter(|member| member.incarnation == choice.incarnation)
    }
}

// === impl Member ===

impl Member {
    fn is_among(&self, among: Among, now: Duration) -> bool {
        match (among, self.state) {
            (_, BackendState::Draining) | (Among::Down, BackendState::Ready) => false,
            (Among::ReadyOrDue, BackendState::Ready) | (Among::Down, BackendState::Down { .. }) => {
                true
            }
            (Among::ReadyOrDue, BackendState::Down { until, .. }) => until <= now,
        }
    }
}

/// How long a backend is left alone after `failures` failures in a row.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (BACKOFF_FIRST * 2_u32.pow(doublings)).min(BACKOFF_MAX)
}

// === impl BackendId ===

impl BackendId {
    /// Returns the id with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number of this id.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

// === impl Choice ===

impl Choice {
    /// Returns the backend that was chosen.
    #[must_use]
    pub const fn backend(&self) -> BackendId {
        self.backend
    }

    /// Returns which of the backends that had this id in turn was chosen; unique in the pool.
    ///
    /// Connections kept for one incarnation are worthless to the next.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Returns why it was chosen.
    #[must_use]
    pub const fn chosen_as(&self) -> ChosenAs {
        self.chosen_as
    }
}

// === impl PoolFull ===

impl fmt::Display for PoolFull {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the pool holds {BACKENDS_MAX} backends already")
    }
}

impl Error for PoolFull {}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_of(backends: u64) -> Pool {
        let mut pool = Pool::new();
        for id in 1..=backends {
            pool.insert(BackendId::new(id), NonZeroU16::MIN).unwrap();
        }
        pool
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn chosen(pool: &mut Pool, tried: &[BackendId], now: Duration) -> Option<u64> {
        let choice = pool.choose(tried, now)?;
        Some(choice.backend().number())
    }

    fn state(pool: &Pool, id: u64) -> BackendState {
        let mut states = pool.states();
        states.find(|(other, _)| other.number() == id).unwrap().1
    }

    /// Fails one connect of the only backend of `pool` and returns its next due time.
    fn fail(pool: &mut Pool, now: Duration) -> Duration {
        let choice = pool.choose(&[], now).unwrap();
        pool.connect_failed(choice, now);
        match state(pool, 1) {
            BackendState::Down { until, .. } => until,
            other => panic!("the backend is {other:?}"),
        }
    }

    #[test]
    fn over_k_rounds_every_ready_backend_is_chosen_k_times() {
        for backends in 1..=13 {
            for rounds in 1..=20_u64 {
                let mut pool = pool_of(backends);
                let mut counts = vec![0_u64; usize::try_from(backends).unwrap()];
                for _ in 0..backends * rounds {
                    let id = chosen(&mut pool, &[], at(0)).unwrap();
                    counts[usize::try_from(id - 1).unwrap()] += 1;
                }
                assert!(counts.iter().all(|&count| count == rounds), "{counts:?}");
            }
        }
    }

    #[test]
    fn a_backend_that_was_tried_is_not_chosen_again_for_that_request() {
        let mut pool = pool_of(3);
        let mut tried = Vec::new();
        while let Some(choice) = pool.choose(&tried, at(0)) {
            assert!(!tried.contains(&choice.backend()));
            tried.push(choice.backend());
        }
        assert_eq!(tried.len(), 3);
    }

    #[test]
    fn a_backend_whose_connect_failed_is_left_alone_until_its_back_off_is_over() {
        let mut pool = pool_of(2);
        let first = pool.choose(&[], at(0)).unwrap();
        assert_eq!(pool.connect_failed(first, at(0)), Health::WentDown);
        for _ in 0..10 {
            assert_eq!(chosen(&mut pool, &[], at(99)), Some(2));
        }
        let later: Vec<_> = (0..2).map(|_| chosen(&mut pool, &[], at(100))).collect();
        assert!(later.contains(&Some(1)), "{later:?}");
    }

    #[test]
    fn one_request_at_a_time_tries_a_backend_that_is_down() {
        let mut pool = pool_of(2);
        let first = pool.choose(&[], at(0)).unwrap();
        pool.connect_failed(first, at(0));
        let trials = (0..100)
            .filter_map(|_| pool.choose(&[], at(150)))
            .filter(|choice| choice.chosen_as() == ChosenAs::Trial)
            .count();
        assert_eq!(trials, 1);
    }

    #[test]
    fn the_back_off_doubles_from_its_first_to_its_longest() {
        let mut pool = pool_of(1);
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let until = fail(&mut pool, now);
            waits.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    }

    #[test]
    fn a_success_makes_a_backend_ready_and_its_next_back_off_short() {
        let mut pool = pool_of(1);
        for millis in [0, 1_000, 2_000] {
            fail(&mut pool, at(millis));
        }
        let trial = pool.choose(&[], at(5_000)).unwrap();
        assert_eq!(trial.chosen_as(), ChosenAs::Trial);
        assert_eq!(pool.answered(trial), Health::CameBack);
        assert_eq!(state(&pool, 1), BackendState::Ready);
        assert_eq!(fail(&mut pool, at(6_000)), at(6_100));
    }

    #[test]
    fn connects_begun_together_and_failed_together_count_once() {
        let mut pool = pool_of(1);
        let burst: Vec<_> = (0..50).filter_map(|_| pool.choose(&[], at(0))).collect();
        for choice in burst {
            pool.connect_failed(choice, at(10));
        }
        let down = BackendState::Down {
            failures: 1,
            failed_at: at(10),
            until: at(110),
        };
        assert_eq!(state(&pool, 1), down);
    }

    #[test]
    fn when_all_are_down_each_is_tried_once_rather_than_refusing() {
        let mut pool = pool_of(3);
        for _ in 0..3 {
            let choice = pool.choose(&[], at(0)).unwrap();
            pool.connect_failed(choice, at(0));
        }
        let mut tried = Vec::new();
        for _ in 0..3 {
            let choice = pool.choose(&tried, at(1)).unwrap();
            assert_eq!(choice.chosen_as(), ChosenAs::Trial);
            tried.push(choice.backend());
        }
        assert_eq!(pool.choose(&tried, at(1)), None);
        tried.sort();
        assert_eq!(tried, [1, 2, 3].map(BackendId::new));
    }

    #[test]
    fn a_draining_backend_gets_nothing_new_and_no_outcome_ends_its_draining() {
        let mut pool = pool_of(2);
        let before = pool.choose(&[], at(0)).unwrap();
        pool.drain(before.backend());
        assert_eq!(pool.connect_failed(before, at(0)), Health::Unchanged);
        assert_eq!(pool.answered(before), Health::Unchanged);
        assert_eq!(state(&pool, 1), BackendState::Draining);
        for _ in 0..10 {
            assert_eq!(chosen(&mut pool, &[], at(0)), Some(2));
        }
        assert_eq!(chosen(&mut pool, &[BackendId::new(2)], at(0)), None);
    }

    #[test]
    fn an_outcome_of_the_replaced_incarnation_does_not_touch_the_new_one() {
        let mut pool = pool_of(1);
        let old = pool.choose(&[], at(0)).unwrap();
        pool.insert(BackendId::new(1), NonZeroU16::MIN).unwrap();
        assert!(!pool.holds(old));
        assert_eq!(pool.connect_failed(old, at(1)), Health::Unchanged);
        assert_eq!(state(&pool, 1), BackendState::Ready);
    }

    #[test]
    fn a_removed_backend_is_not_chosen_and_removing_it_again_is_nothing() {
        let mut pool = pool_of(1);
        pool.remove(BackendId::new(1));
        pool.remove(BackendId::new(1));
        assert_eq!(pool.choose(&[], at(0)), None);
    }

    #[test]
    fn a_full_pool_takes_no_more_but_still_replaces() {
        let mut pool = pool_of(u64::try_from(BACKENDS_MAX).unwrap());
        let beyond = BackendId::new(u64::MAX);
        assert_eq!(pool.insert(beyond, NonZeroU16::MIN), Err(PoolFull));
        assert_eq!(pool.insert(BackendId::new(7), NonZeroU16::MIN), Ok(()));
    }
}
