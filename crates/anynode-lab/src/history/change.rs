//! One thing that happened to one node.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One thing that happened to one node, as part of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When. Boot clock.
    #[serde(with = "super::nanos")]
    pub at: Duration,
    /// Its name.
    pub node: String,
    /// What happened to it.
    pub act: Act,
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// It was killed with SIGKILL.
    Kill,
    /// The gateway was told to give it nothing new.
    Drain,
    /// The gateway was told of it.
    Start,
}
