//! Backends that have enough: how many requests one takes at a time, and who gets a place that became free.

use std::num::NonZeroU32;
use std::time::Duration;

use super::member::Among;
use super::{Choice, Duty, Pool};
use crate::balance::backend::BackendId;
use crate::balance::queue::{Queue, Want};
use crate::balance::source::Source;

// === impl Pool ===

impl Pool {
    /// Bounds how many requests are in flight at a backend, `None` for no bound; an unknown id changes nothing.
    ///
    /// A backend that has more than that already keeps them and gets no further one until it has fewer.
    pub fn bound(&mut self, id: BackendId, in_flight_max: Option<NonZeroU32>) {
        if let Some(member) = self.member_mut(id) {
            member.in_flight_max = in_flight_max.map_or(u32::MAX, NonZeroU32::get);
        }
    }

    /// Returns for whom a request waits that [`choose`](Self::choose) found nobody for, `None` if waiting is in vain.
    #[must_use]
    pub fn full(&self, tried: &[BackendId]) -> Option<Want> {
        let mut members = self.members.iter();
        // Whoever of these had room would have been chosen.
        members
            .any(|member| member.duty == Duty::Serving && !tried.contains(&member.id))
            .then_some(Want::Anyone)
    }

    /// The same for one that [`choose_by_source`](Self::choose_by_source) found nobody for.
    #[must_use]
    pub fn full_home(&self, source: Source, tried: &[BackendId], now: Duration) -> Option<Want> {
        let slot = self.home(source, tried, now)?;
        Some(Want::Source(self.members[slot].incarnation))
    }

    /// Chooses like [`choose_by_source`](Self::choose_by_source) among those that are not full.
    pub fn spill_by_source(
        &mut self,
        source: Source,
        tried: &[BackendId],
        now: Duration,
    ) -> Option<Choice> {
        let slot = self.first_found(tried, now, |pool, among| {
            pool.best(source, |member| {
                member.is_among(among, now) && member.has_room() && !tried.contains(&member.id)
            })
        })?;
        Some(self.members[slot].chosen(now))
    }

    /// Gives a place at this backend to the first of the queue who may have it.
    ///
    /// Has to be called whenever a request is [finished](Self::finish) while somebody waits.
    /// `None` if the backend has no room, or nobody waits for it.
    pub fn hand_over<W>(
        &mut self,
        queue: &mut Queue<W>,
        id: BackendId,
        now: Duration,
    ) -> Option<(W, Choice)> {
        let is_any_sound = self.is_any(Among::Sound, &[], now);
        let member = self.member_mut(id).filter(|member| member.has_room())?;
        // As in choosing: one that is out gets somebody only if all are out.
        let is_tried = member.condition.is_sound(now) || !is_any_sound;
        let is_for_new = is_tried && member.duty == Duty::Serving;
        let waker = queue.call(|want, tried| match want {
            Want::Anyone => is_for_new && !tried.contains(&id),
            Want::Source(home) => is_for_new && home == member.incarnation,
            Want::Client(home) => is_tried && home == member.incarnation,
        })?;
        Some((waker, member.chosen(now)))
    }
}
