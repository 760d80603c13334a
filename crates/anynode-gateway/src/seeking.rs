//! The search for a backend that has one request: its client's own first, then any other.

use std::time::Duration;

use anynode_core::balance::{AffinityOutcome, BackendId, Patience, Ticket};

use crate::affinity::Claim;
use crate::backends::{Call, Chosen, Place, Target};
use crate::lazy_timer::{Elapsed, LazyTimer};
use crate::proxy::Proxy;
use crate::refusal::Refusal;

/// The search for a backend that has one request.
pub(crate) struct Seeking<'a> {
    proxy: &'a Proxy,
    claim: Claim,
    outcome: Option<AffinityOutcome>,
    unreachable: Vec<BackendId>,
    /// The one among them that is tried again if there is no other.
    silent: Option<BackendId>,
    /// To be tried once more.
    again: Option<Target>,
    patience: Patience,
    /// Where it stands in the queue and until when it waits, once it had to.
    waits: Option<(Ticket, Duration)>,
}

// === impl Seeking ===

impl<'a> Seeking<'a> {
    pub(crate) fn new(proxy: &'a Proxy, claim: Claim) -> Self {
        Self {
            proxy,
            claim,
            outcome: None,
            unreachable: Vec::new(),
            silent: None,
            again: None,
            patience: Patience::Left,
            waits: None,
        }
    }

    /// Returns the backend to try next, once one has room.
    pub(crate) async fn next(&mut self, timer: &LazyTimer) -> Result<Target, Refusal> {
        if let Some(target) = self.again.take() {
            return Ok(target);
        }
        loop {
            let mut chosen = self.choose();
            if let (Chosen::Nobody, Some(silent)) = (&chosen, self.silent.take()) {
                self.unreachable.retain(|backend| *backend != silent);
                chosen = self.choose();
            }
            match chosen {
                Chosen::Target(target) => return Ok(target),
                Chosen::Nobody => return Err(Refusal::NoBackend),
                Chosen::Wait => return Err(self.refused()),
                Chosen::Full => {
                    self.proxy.backends.counters().full.increment(1);
                    return Err(Refusal::Full);
                }
                Chosen::QueueFull => self.patience = Patience::Over,
                // In a box, so that a request that need not wait has no room for it.
                Chosen::Queued(place) => {
                    if let Some(target) = Box::pin(self.wait(place, timer)).await {
                        return Ok(target);
                    }
                }
            }
        }
    }

    fn choose(&mut self) -> Chosen {
        let backends = &self.proxy.backends;
        let (tried, patience) = (&self.unreachable, self.patience);
        let ticket = self.waits.map(|(ticket, _)| ticket);
        if self.outcome != Some(AffinityOutcome::Unreachable) {
            let (chosen, outcome) = backends.choose(self.claim, tried, patience, ticket);
            self.outcome = outcome;
            chosen
        } else if self.claim.is_strict() {
            Chosen::Wait
        } else {
            backends.choose(Claim::None, tried, patience, ticket).0
        }
    }

    /// Waits for a backend, `None` if it has to be chosen anew.
    async fn wait(&mut self, mut place: Place, timer: &LazyTimer) -> Option<Target> {
        let backends = &self.proxy.backends;
        let now = backends.now();
        let (_, until) = *self.waits.get_or_insert_with(|| {
            backends.counters().waited.increment(1);
            (place.ticket(), now + self.proxy.limits.queue_timeout)
        });
        let called = timer.timeout(until.saturating_sub(now), place.called());
        let target = match called.await {
            Ok(Call::Target(target)) => Some(target),
            Ok(Call::LookAgain) => None,
            Err(Elapsed) => {
                self.patience = Patience::Over;
                place.leave()
            }
        };
        if target.is_some() && self.outcome == Some(AffinityOutcome::Full) {
            self.outcome = Some(AffinityOutcome::Kept);
        }
        target
    }

    fn refused(&self) -> Refusal {
        if self.outcome == Some(AffinityOutcome::Full) {
            self.proxy.backends.counters().full.increment(1);
        }
        Refusal::Waiting
    }

    /// Notes that this backend closed the connection instead of answering.
    ///
    /// Any other is better: a process that is being killed may take one more connection and close that as well.
    /// A client that belongs to a backend is not sent elsewhere for it.
    pub(crate) fn silent(&mut self, target: &Target) {
        target.retried();
        let belongs = match self.claim {
            Claim::None => false,
            Claim::Source(_) => true,
            Claim::Cookie { .. } => self.outcome == Some(AffinityOutcome::Kept),
        };
        if !belongs {
            let backend = target.choice().backend();
            self.unreachable.push(backend);
            self.silent = Some(backend);
        }
    }

    /// Notes that nothing could be sent to this backend.
    ///
    /// The client's own backend is tried once more on a strict route, and where nothing else speaks against it,
    /// because its client may lose a session by going elsewhere.
    pub(crate) fn unreachable(&mut self, target: Target) {
        target.retried();
        let backend = target.choice().backend();
        let is_pinned = self.outcome == Some(AffinityOutcome::Kept);
        let is_worth_it = self.claim.is_strict() || target.is_sound();
        if is_pinned && is_worth_it && !self.unreachable.contains(&backend) {
            self.again = Some(target);
        } else if is_pinned {
            self.outcome = Some(AffinityOutcome::Unreachable);
        }
        self.unreachable.push(backend);
    }
}

impl Drop for Seeking<'_> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome {
            self.proxy.outcomes.count(outcome);
        }
    }
}
