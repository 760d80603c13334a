//! One thing that was done to the fleet.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One thing that was done to the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it was begun. Boot clock.
    #[serde(with = "super::nanos")]
    pub begun: Duration,
    /// When the fleet was whole again. Boot clock.
    #[serde(with = "super::nanos")]
    pub ended: Duration,
    /// What was done.
    pub what: What,
}

/// What was done to the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// Nothing: load alone.
    Steady,
    /// A node was killed with SIGKILL and replaced.
    Crash {
        /// Its name.
        node: String,
    },
    /// A node was stopped with SIGSTOP and continued.
    Pause {
        /// Its name.
        node: String,
    },
    /// Every node was drained, stopped and replaced, one after the other.
    Deploy,
    /// Nodes were added or taken away.
    Scale {
        /// How many there were.
        from: usize,
        /// How many there are.
        to: usize,
    },
    /// Something was done to the store, or to the way there.
    Fault {
        /// What it is called.
        name: String,
        /// Whether the store may go on without the last writes that it acknowledged, as one does
        /// whose primary does not wait for the server that takes its place.
        #[serde(default)]
        takes_back: bool,
    },
    /// Every user went on from another address.
    ChangeAddresses,
    /// Users ended all their sessions from another device.
    Revoke {
        /// How many.
        users: usize,
    },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steady => f.write_str("steady load"),
            Self::Crash { node } => write!(f, "crash of {node}"),
            Self::Pause { node } => write!(f, "pause of {node}"),
            Self::Deploy => f.write_str("rolling deploy"),
            Self::Scale { from, to } => write!(f, "{from} to {to} nodes"),
            Self::Fault { name, .. } => f.write_str(name),
            Self::ChangeAddresses => f.write_str("clients change address"),
            Self::Revoke { users } => write!(f, "revocation of {users} users"),
        }
    }
}
