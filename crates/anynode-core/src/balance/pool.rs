//! The pool: which backends there are, which of them may be chosen now, and what a failed connect changes.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use super::backend::BackendId;
use super::health::{BACKOFF_FIRST, BACKOFF_MAX, backoff};
use super::round_robin::{Turn, take_turn};

/// The most backends a pool holds.
///
/// A choice walks the whole pool, so this also bounds what a choice costs.
pub const BACKENDS_MAX: usize = 1024;

/// By what rule the next backend is chosen among those that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Balance {
    /// In turn, each as often as its weight says; the default, because it needs to know nothing.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight for its weight; those with equally few take turns.
    ///
    /// For requests that differ much in how long they take.
    LeastConnections,
}

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
                *until = now + backoff(*failures, BACKOFF_FIRST, BACKOFF_MAX);
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
            until: now + backoff(failures, BACKOFF_FIRST, BACKOFF_MAX),
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
mod tests;
