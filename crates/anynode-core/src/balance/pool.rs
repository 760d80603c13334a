//! The pool: which backends there are, who is chosen next, and what an outcome changes.

mod full;
mod member;
mod outcome;

use std::error::Error;
use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use self::member::{Among, Load, Member};
pub use self::outcome::Health;
use super::backend::{BackendId, Incarnation};
use super::condition::Room;
use super::health::{EJECTED_PERCENT_MAX, Ejection, Thresholds};
use super::round_robin::take_turn;
use super::source::Source;

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

/// The rules of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "written with struct update syntax"
)]
pub struct Rules {
    /// By what rule a backend is chosen; round robin by default.
    pub balance: Balance,
    /// How many checks in a row change what is believed.
    pub thresholds: Thresholds,
    /// When a backend is left alone for what it answers; by default never.
    pub ejection: Option<Ejection>,
}

/// Whether a backend gets new clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Duty {
    /// It takes its turn.
    #[default]
    Serving,
    /// It finishes what it has, keeps the clients whose cookie names it, and gets nobody new.
    Draining,
}

/// What a backend may be chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendState {
    /// It takes its turn.
    Ready,
    /// It finishes what it has and gets nobody new.
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
    /// It can be reached, and its last answers were bad; otherwise as [`Down`](Self::Down).
    Ejected {
        /// How often in a row it was ejected; at least 1.
        failures: u32,
        /// When the last bad answer was noticed.
        failed_at: Duration,
        /// Before this time it is not tried again while others are ready.
        until: Duration,
    },
    /// Its checks fail: until they pass again it is chosen only when no other backend is left.
    Failing,
    /// Nothing is held against it, but it has as many requests in flight as it [may](Pool::bound).
    Full,
}

/// A backend chosen for one attempt, to be given back with the attempt's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    backend: BackendId,
    incarnation: Incarnation,
    duty: Duty,
    chosen_at: Duration,
    chosen_as: ChosenAs,
    tenure: Tenure,
}

/// Whether a client is to stay on the backend that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    /// It is, if there is any affinity.
    Lasting,
    /// It is not: its own backend was full, and the next request goes there again.
    Once,
}

/// Why a backend was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenAs {
    /// Nothing is held against it; its success is no news.
    Ready,
    /// Its last answers were bad; [`Pool::answered`] must be told of a success.
    Suspect,
    /// It was [`Down`](BackendState::Down) or [`Ejected`](BackendState::Ejected);
    /// [`Pool::answered`] must be told of a success.
    Trial,
}

/// Why a client's backend does not serve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The pool holds no such incarnation: it was restarted, replaced or removed.
    Unknown,
    /// Its last connect failed, and it is left alone for a while.
    Down,
    /// Its last answers were bad, and it is left alone for a while.
    Ejected,
    /// Its checks fail.
    Failing,
    /// It has as many requests in flight as it may.
    Full,
}

/// The pool holds [`BACKENDS_MAX`] backends already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFull;

/// The set of backends.
///
/// A backend is found to be unhealthy in three ways:
/// a failed connect takes it out for a while that doubles with every further failure, from
/// [`BACKOFF_FIRST`](super::BACKOFF_FIRST) to [`BACKOFF_MAX`](super::BACKOFF_MAX);
/// bad answers in a row do the same within the bounds of [`Ejection`];
/// and failed checks take it out until they pass again.
/// When every backend is out they are tried all the same, because a request
/// that may succeed is better than a refusal that cannot.
///
/// A backend that has as many requests as it [may](Self::bound) is full: it is passed over, and
/// where all that are well are full a request waits for them, see [`Queue`](super::Queue).
#[derive(Debug, Default)]
pub struct Pool {
    rules: Rules,
    members: Vec<Member>,
}

// === impl Pool ===

impl Pool {
    /// Returns a pool without backends.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            members: Vec::new(),
        }
    }

    /// Adds a backend, ready, serving and without a bound from now on, or replaces the one of the same id.
    ///
    /// `weight` is its share of the requests relative to the others' weights; 1 for equal nodes.
    /// A backend that is replaced by another incarnation is forgotten: outcomes of attempts on it
    /// no longer count, and its requests in flight are not the new one's.
    ///
    /// # Errors
    ///
    /// [`PoolFull`] if there are [`BACKENDS_MAX`] others.
    pub fn insert(
        &mut self,
        id: BackendId,
        incarnation: Incarnation,
        weight: NonZeroU16,
    ) -> Result<(), PoolFull> {
        let mut member = Member::new(id, incarnation, weight);
        if let Some(old) = self.member_mut(id) {
            if old.incarnation == incarnation {
                member.in_flight = old.in_flight;
            }
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

    /// Begins draining: the backend keeps its clients and gets no new ones until it [serves](Self::serve) again.
    ///
    /// An unknown id changes nothing.
    pub fn drain(&mut self, id: BackendId) {
        if let Some(member) = self.member_mut(id) {
            member.duty = Duty::Draining;
        }
    }

    /// Ends draining; an unknown id changes nothing.
    pub fn serve(&mut self, id: BackendId) {
        if let Some(member) = self.member_mut(id) {
            member.duty = Duty::Serving;
        }
    }

    /// Changes a backend's share of the requests; an unknown id changes nothing.
    pub fn reweigh(&mut self, id: BackendId, weight: NonZeroU16) {
        if let Some(member) = self.member_mut(id) {
            member.turn.reweigh(weight);
        }
    }

    /// Returns every backend with its state, in the order of their insertion.
    pub fn states(&self) -> impl Iterator<Item = (BackendId, BackendState)> {
        self.members
            .iter()
            .map(|member| (member.id, member.state()))
    }

    /// Returns how many requests are in flight at this backend; none at an unknown one.
    #[must_use]
    pub fn in_flight(&self, id: BackendId) -> u32 {
        let member = self.members.iter().find(|member| member.id == id);
        member.map_or(0, |member| member.in_flight)
    }

    /// Chooses the backend for the next attempt of a request of no particular client.
    ///
    /// `tried` are the backends this request could not reach; none of them is chosen again.
    /// Ready backends and those whose back-off is over are candidates; if there is none, a
    /// backend that is out is chosen before its time.
    /// `None` means that every backend was tried, is draining or [full](Self::full), or that the pool is empty.
    ///
    /// Every choice has to be [finished](Self::finish).
    pub fn choose(&mut self, tried: &[BackendId], now: Duration) -> Option<Choice> {
        let balance = self.rules.balance;
        let slot = self.first_found(tried, now, |pool, among| {
            let least = match balance {
                Balance::RoundRobin => None,
                Balance::LeastConnections => Some(pool.least(among, tried, now)?),
            };
            let members = pool.members.iter_mut().enumerate();
            take_turn(members.filter_map(|(slot, member)| {
                let may = member.is_among(among, now) && !tried.contains(&member.id);
                let may = may && member.has_room();
                let may = may && least.is_none_or(|least| member.load() == least);
                may.then_some((slot, &mut member.turn))
            }))
        })?;
        Some(self.members[slot].chosen(now))
    }

    /// Chooses the backend that this client's address belongs to, otherwise like [`choose`](Self::choose).
    ///
    /// While a backend is out, its clients are spread over the others; afterwards they are its clients again.
    /// While it is full they are to [wait](Self::full_home) for it: `None` is returned for them.
    pub fn choose_by_source(
        &mut self,
        source: Source,
        tried: &[BackendId],
        now: Duration,
    ) -> Option<Choice> {
        let slot = self.home(source, tried, now)?;
        let member = &mut self.members[slot];
        member.has_room().then(|| member.chosen(now))
    }

    /// Chooses the backend that a client belongs to, draining or not.
    ///
    /// When every backend is out its own is tried before its time as any other would be.
    ///
    /// # Errors
    ///
    /// [`Gone`] if there is no such incarnation, it is left alone at the moment, or it is full.
    pub fn choose_pinned(
        &mut self,
        incarnation: Incarnation,
        now: Duration,
    ) -> Result<Choice, Gone> {
        let mut members = self.members.iter();
        let slot = members
            .position(|member| member.incarnation == incarnation)
            .ok_or(Gone::Unknown)?;
        let is_sound = |member: &Member| member.is_among(Among::Sound, now);
        let member = &self.members[slot];
        if let Some(gone) = member.gone(now)
            && self.members.iter().any(is_sound)
        {
            return Err(gone);
        }
        if !member.has_room() {
            return Err(Gone::Full);
        }
        Ok(self.members[slot].chosen(now))
    }

    /// The lightest load among the candidates.
    fn least(&self, among: Among, tried: &[BackendId], now: Duration) -> Option<Load> {
        let members = self.members.iter();
        members
            .filter(|member| member.is_among(among, now) && !tried.contains(&member.id))
            .filter(|member| member.has_room())
            .map(Member::load)
            .min()
    }

    /// Where a client of this address belongs, full or not.
    fn home(&self, source: Source, tried: &[BackendId], now: Duration) -> Option<usize> {
        [Among::Sound, Among::Out].into_iter().find_map(|among| {
            self.best(source, |member| {
                member.is_among(among, now) && !tried.contains(&member.id)
            })
        })
    }

    fn best(&self, source: Source, may: impl Fn(&Member) -> bool) -> Option<usize> {
        let members = self.members.iter().enumerate();
        members
            .filter(|(_, member)| may(member))
            .map(|(slot, member)| (slot, source.score(member.id, member.turn.weight())))
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(slot, _)| slot)
    }

    /// The slot that `find` finds among those that are well, or else among those that are out.
    ///
    /// One that is well and full is worth waiting for, so none that is out is tried instead of it.
    fn first_found(
        &mut self,
        tried: &[BackendId],
        now: Duration,
        mut find: impl FnMut(&mut Self, Among) -> Option<usize>,
    ) -> Option<usize> {
        for among in [Among::Sound, Among::Out] {
            let slot = find(self, among);
            if slot.is_some() || self.is_any(among, tried, now) {
                return slot;
            }
        }
        None
    }

    fn is_any(&self, among: Among, tried: &[BackendId], now: Duration) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.is_among(among, now) && !tried.contains(&member.id))
    }

    /// Tells whether one more backend may be ejected.
    fn room(&self) -> Room {
        let serving = self.members.iter().filter(|m| m.duty == Duty::Serving);
        let (mut all, mut away) = (0, 0);
        for member in serving {
            all += 1;
            away += usize::from(member.condition.is_away());
        }
        if (away + 1) * 100 <= all * EJECTED_PERCENT_MAX || crate::planted("ejection_without_cap") {
            return Room::Free;
        }
        Room::Full
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

// === impl Choice ===

impl Choice {
    /// Returns the backend that was chosen.
    #[must_use]
    pub const fn backend(&self) -> BackendId {
        self.backend
    }

    /// Returns which of the lives of this backend was chosen.
    ///
    /// Connections kept for one incarnation are worthless to the next.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Returns whether it was draining.
    #[must_use]
    pub const fn duty(&self) -> Duty {
        self.duty
    }

    /// Returns why it was chosen.
    #[must_use]
    pub const fn chosen_as(&self) -> ChosenAs {
        self.chosen_as
    }

    /// Returns whether a client is to stay there.
    #[must_use]
    pub const fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// Returns the same choice for this request alone.
    #[must_use]
    pub const fn once(mut self) -> Self {
        self.tenure = Tenure::Once;
        self
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
