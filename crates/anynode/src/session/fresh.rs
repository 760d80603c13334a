//! How old the knowledge may be that a request is answered by.

use std::{sync::PoisonError, time::Duration};

use anynode_core::{Freshness, Handle, SecretHash, Wanted};
use http::Request;

use super::{
    Session,
    state::{Base, State},
};
use crate::config::Config;

/// What a request demands of the store, and under which demand it was answered last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    asked: Freshness,
    answered: Option<Freshness>,
}

impl Session {
    /// Says how old the knowledge may be that this request is answered by, in place of what its
    /// route or layer says. What was read under a weaker demand is read again by the next use.
    ///
    /// Without a near cache every request is answered by the store itself.
    pub fn require(&self, freshness: Freshness) {
        if !anynode_core::planted("route_demands_nothing") {
            self.demand(|demand| demand.asked = freshness);
        }
    }

    /// What is to be asked of the store.
    pub(super) fn wanted(&self, handle: Handle, secret: SecretHash, asked_at: Duration) -> Wanted {
        let freshness = self.demand(|demand| {
            demand.answered = Some(demand.asked);
            demand.asked
        });
        let mut wanted = Wanted::new(handle, freshness, asked_at);
        wanted.secret = Some(secret);
        if !anynode_core::planted("companion_not_believed") {
            wanted.seen = self.inner.arrival.seen;
        }
        wanted
    }

    /// Whether what is known came from a copy that is good enough for a weaker demand only.
    pub(super) fn is_behind(&self, state: &State) -> bool {
        let is_weaker = |demand: &mut Demand| demand.answered > Some(demand.asked);
        matches!(state.base, Base::Loaded(_))
            && self.tally().is_from_copy()
            && self.demand(is_weaker)
    }

    fn demand<T>(&self, act: impl FnOnce(&mut Demand) -> T) -> T {
        let demand = self.inner.demand.lock();
        act(&mut demand.unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Demand ===

impl Demand {
    /// What the route of a request says, or else its layer.
    pub(super) fn of<R>(config: &Config, request: &Request<R>) -> Self {
        let route = request.extensions().get::<Freshness>().copied();
        Self {
            asked: route.unwrap_or(config.freshness),
            answered: None,
        }
    }
}
