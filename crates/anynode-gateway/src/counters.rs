//! What the gateway counts, as metrics of the `metrics` facade.
//!
//! Handles are taken once, so that counting costs a request no lookup: a recorder has to be
//! installed before the gateway starts.

use anynode_core::balance::AffinityOutcome;
use metrics::{Counter, Gauge, counter, gauge};

/// What is counted for each backend.
pub(crate) struct BackendCounters {
    /// `anynode_gateway_requests_total`: attempts of requests.
    pub(crate) requests: Counter,
    /// `anynode_gateway_retries_total`: attempts after which the request was tried again.
    pub(crate) retries: Counter,
    /// `anynode_gateway_in_flight`: requests at this moment.
    pub(crate) in_flight: Gauge,
}

/// What is counted of backends that have enough.
pub(crate) struct QueueCounters {
    /// `anynode_gateway_waiting`: requests that wait for a place at a backend, at this moment.
    pub(crate) waiting: Gauge,
    /// `anynode_gateway_waited_total`: requests that have waited.
    pub(crate) waited: Counter,
    /// `anynode_gateway_full_total`: requests answered 503 because backends were full.
    pub(crate) full: Counter,
}

/// `anynode_gateway_affinity_total`: requests by what became of their client's affinity.
pub(crate) struct AffinityCounters {
    outcomes: [Counter; AffinityOutcome::ALL.len()],
}

// === impl BackendCounters ===

impl BackendCounters {
    pub(crate) fn of(backend: &str) -> Self {
        let labels = [("backend", backend.to_owned())];
        Self {
            requests: counter!("anynode_gateway_requests_total", &labels),
            retries: counter!("anynode_gateway_retries_total", &labels),
            in_flight: gauge!("anynode_gateway_in_flight", &labels),
        }
    }
}

impl std::fmt::Debug for BackendCounters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BackendCounters")
            .finish_non_exhaustive()
    }
}

// === impl QueueCounters ===

impl QueueCounters {
    pub(crate) fn new() -> Self {
        Self {
            waiting: gauge!("anynode_gateway_waiting"),
            waited: counter!("anynode_gateway_waited_total"),
            full: counter!("anynode_gateway_full_total"),
        }
    }
}

impl std::fmt::Debug for QueueCounters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("QueueCounters")
            .finish_non_exhaustive()
    }
}

// === impl AffinityCounters ===

impl AffinityCounters {
    pub(crate) fn new() -> Self {
        let of = |outcome: AffinityOutcome| counter!("anynode_gateway_affinity_total", "outcome" => outcome.label());
        Self {
            outcomes: AffinityOutcome::ALL.map(of),
        }
    }

    pub(crate) fn count(&self, outcome: AffinityOutcome) {
        let place = AffinityOutcome::ALL.iter().position(|of| *of == outcome);
        if let Some(place) = place {
            self.outcomes[place].increment(1);
        }
    }
}

impl std::fmt::Debug for AffinityCounters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AffinityCounters")
            .finish_non_exhaustive()
    }
}
