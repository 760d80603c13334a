//! The ways to keep a user logged in that are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way to keep a user logged in: where sessions are, and how the gateway chooses a node.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Sessions in each node's memory, requests in turn: what happens if nothing is done.
    Memory,
    /// Sessions in each node's memory, the client pinned to a node by a cookie.
    StickyCookie,
    /// Sessions in each node's memory, the client pinned to a node by its address.
    StickyIp,
    /// Sessions in a store that all nodes share, requests in turn.
    #[default]
    Central,
    /// As [`Self::Central`], with copies on each node for as long as they may be trusted.
    NearCache,
}

// === impl Strategy ===

impl Strategy {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [
        Self::Memory,
        Self::StickyCookie,
        Self::StickyIp,
        Self::Central,
        Self::NearCache,
    ];

    /// Its name, the same everywhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::StickyCookie => "sticky-cookie",
            Self::StickyIp => "sticky-ip",
            Self::Central => "central",
            Self::NearCache => "near-cache",
        }
    }

    /// Whether sessions are in a store that all nodes share.
    #[must_use]
    pub const fn has_store(self) -> bool {
        match self {
            Self::Memory | Self::StickyCookie | Self::StickyIp => false,
            Self::Central | Self::NearCache => true,
        }
    }

    /// What `anynode node --strategy` is told.
    pub(super) const fn of_node(self) -> &'static str {
        match self {
            Self::Memory | Self::StickyCookie | Self::StickyIp => "memory",
            Self::Central => "central",
            Self::NearCache => "near-cache",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
