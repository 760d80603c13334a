//! The steps that every strategy goes through, and how they are called.

use serde::{Deserialize, Serialize};

/// What happens to a fleet while its users go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Nothing.
    Steady,
    /// One node is killed with `kill -9`, and another takes its place.
    Crash,
    /// Every node is replaced in turn, in order.
    RollingDeploy,
    /// The fleet grows from three nodes to thirteen.
    ScaleUp,
    /// The fleet shrinks back to three.
    ScaleDown,
    /// Every user goes on from another address.
    AddressChange,
    /// Users are logged out everywhere while their other session is in use.
    Revocation,
}

// === impl Step ===

impl Step {
    /// Every step, in the order in which a comparison takes them.
    pub const ALL: [Self; 7] = [
        Self::Steady,
        Self::Crash,
        Self::RollingDeploy,
        Self::ScaleUp,
        Self::ScaleDown,
        Self::AddressChange,
        Self::Revocation,
    ];

    /// Its name where there is room for one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Crash => "crash",
            Self::RollingDeploy => "deploy",
            Self::ScaleUp => "grow",
            Self::ScaleDown => "shrink",
            Self::AddressChange => "move",
            Self::Revocation => "revoke",
        }
    }

    /// Its name where there is room for a few.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Steady => "steady load",
            Self::Crash => "a node crashes",
            Self::RollingDeploy => "rolling deploy",
            Self::ScaleUp => "3 → 13 nodes",
            Self::ScaleDown => "13 → 3 nodes",
            Self::AddressChange => "users move",
            Self::Revocation => "users revoked",
        }
    }

    /// What happens in it, as the definition of its line in the table.
    #[must_use]
    pub const fn story(self) -> &'static str {
        match self {
            Self::Steady => "nothing happens to the fleet",
            Self::Crash => "one of three nodes is killed with kill -9 and replaced",
            Self::RollingDeploy => {
                "each node is drained, stopped once it is idle, and replaced, one after the other"
            }
            Self::ScaleUp => "ten nodes are added",
            Self::ScaleDown => "ten nodes are drained and stopped once they are idle",
            Self::AddressChange => "every user goes on from another address on a new connection",
            Self::Revocation => {
                "users are logged out everywhere; only the other users are counted here"
            }
        }
    }
}
