//! Copies that may stand in while the store cannot be reached.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anynode_core::{Handle, Live, UserId};

/// The sessions that this node read lately, for [`FailurePolicy::ReadOnlyStale`].
///
/// Two generations: reading moves a copy into the young one, and when that is full or old the
/// elder one is dropped. Memory is bounded by twice the capacity.
///
/// [`FailurePolicy::ReadOnlyStale`]: crate::FailurePolicy::ReadOnlyStale
#[derive(Debug)]
pub(crate) struct StaleCopies {
    age_max: Duration,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Handle, Copy>,
    elder: HashMap<Handle, Copy>,
    begun: Duration,
}

#[derive(Clone, Debug)]
struct Copy {
    live: Live,
    read_at: Duration,
}

const CAPACITY: usize = 10_000;

// === impl StaleCopies ===

impl StaleCopies {
    pub(crate) fn new(age_max: Duration) -> Self {
        Self {
            age_max,
            generations: Mutex::default(),
        }
    }

    /// Keeps what the store answered; `read_at` is when it was asked.
    pub(crate) fn keep(&self, live: &Live, read_at: Duration) {
        let mut generations = self.generations();
        let old = read_at.saturating_sub(generations.begun) > self.age_max;
        if old || generations.young.len() >= CAPACITY {
            generations.elder = std::mem::take(&mut generations.young);
            generations.begun = read_at;
        }
        let copy = Copy {
            live: live.clone(),
            read_at,
        };
        generations.young.insert(live.record.handle, copy);
    }

    /// Forgets a session that ended or changed here.
    pub(crate) fn forget(&self, handle: &Handle) {
        let mut generations = self.generations();
        generations.young.remove(handle);
        generations.elder.remove(handle);
    }

    /// Forgets all sessions of a user but one, which were ended here.
    pub(crate) fn forget_user(&self, user: &UserId, spared: Option<&Handle>) {
        let mut generations = self.generations();
        let keep = |handle: &Handle, copy: &mut Copy| {
            copy.live.record.user() != Some(user) || spared == Some(handle)
        };
        generations.young.retain(keep);
        generations.elder.retain(keep);
    }

    /// The copy of a session and when it was read, if it is young enough and the session has
    /// not expired since. Its `now` is moved on to what the store's clock must say by now.
    pub(crate) fn copy(&self, handle: &Handle, now: Duration) -> Option<(Live, Duration)> {
        let generations = self.generations();
        let copy = generations
            .young
            .get(handle)
            .or_else(|| generations.elder.get(handle))?;
        let age = now.saturating_sub(copy.read_at);
        let mut live = copy.live.clone();
        live.now = live.now + age;
        let expired = live.idle_deadline <= live.now || live.record.deadline <= live.now;
        (age <= self.age_max && !expired).then_some((live, copy.read_at))
    }

    fn generations(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
