//! How backends are asked whether they are well.

use std::time::Duration;

use anynode_core::balance::Thresholds;

/// How, and how often, each backend is asked whether it is well.
///
/// A new backend is ready at once and asked soon: it was announced because it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "written with struct update syntax"
)]
pub struct HealthCheck {
    /// What is asked; a TCP connect by default.
    pub probe: Probe,
    /// How long it is from one check of a backend to the next; 1 s by default.
    ///
    /// Each wait is up to a tenth shorter, so that gateways and backends do not fall into step.
    pub period: Duration,
    /// How long a check may take, its connect included; 500 ms by default.
    pub timeout: Duration,
    /// How many checks in a row change what is believed.
    pub thresholds: Thresholds,
}

/// What a backend is asked in a check.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Probe {
    /// To accept a connection.
    ///
    /// It finds a machine that is gone, not a process that hangs: the kernel accepts for that.
    #[default]
    Tcp,
    /// To answer a GET with a status of 2xx, on a connection of its own.
    Http {
        /// The path, and the query if there is one: it begins with `/`.
        path: String,
    },
}

// === impl HealthCheck ===

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            probe: Probe::default(),
            period: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            thresholds: Thresholds::default(),
        }
    }
}
