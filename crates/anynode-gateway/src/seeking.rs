//! The search for a backend that has one request: its client's own first, then any other.

use anynode_core::balance::{AffinityOutcome, BackendId};

use crate::affinity::Claim;
use crate::backends::{Chosen, Target};
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
        }
    }

    /// Returns the backend to try next.
    pub(crate) fn next(&mut self) -> Result<Target, Refusal> {
        if let Some(target) = self.again.take() {
            return Ok(target);
        }
        let mut chosen = self.choose();
        if let (Chosen::Nobody, Some(silent)) = (&chosen, self.silent.take()) {
            self.unreachable.retain(|backend| *backend != silent);
            chosen = self.choose();
        }
        match chosen {
            Chosen::Target(target) => Ok(target),
            Chosen::Nobody => Err(Refusal::NoBackend),
            Chosen::Wait => Err(Refusal::Waiting),
        }
    }

    fn choose(&mut self) -> Chosen {
        let backends = &self.proxy.backends;
        if self.outcome != Some(AffinityOutcome::Unreachable) {
            let (chosen, outcome) = backends.choose(self.claim, &self.unreachable);
            self.outcome = outcome;
            chosen
        } else if self.claim.is_strict() {
            Chosen::Wait
        } else {
            backends.choose_another(&self.unreachable)
        }
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
