//! The faults of the matrix, and what is promised of each store under each of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::prove::home::Store;
use crate::server::{Kind, Persistence, Setup, Standby, Whom};

/// Something that is done to a store, to the way there, or to a node.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The store is killed amid writes and started again
    Killed,
    /// The store stands still for 10 s
    Paused,
    /// Every connection to the store is closed or reset, again and again
    Cut,
    /// The store's ends of connections are closed and the nodes not told
    HalfOpen,
    /// What is sent to the store is swallowed, then what it sends
    BlackHole,
    /// Every answer of the store comes 500 ms later
    Slow,
    /// Now and then an answer of the store is garbage
    Malformed,
    /// The primary is killed and another takes its place
    FailOver,
    /// The store or its disk is full
    Full,
    /// Everything is removed by hand
    Flush,
    /// A node stands still
    NodePaused,
    /// The clock of a node goes one hour forward and back
    ClockMoved,
}

/// What is promised of a store under a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Promise {
    /// Nothing that was acknowledged is lost.
    Nothing,
    /// What was acknowledged just before may be lost, but no revocation.
    LastWrites,
    /// All sessions end.
    Everything,
}

/// Disks on which there is room for the store before they are filled.
const SQLITE_DISK_BYTES: u64 = 32 * 1024 * 1024;
const POSTGRES_DISK_BYTES: u64 = 160 * 1024 * 1024;

// === impl Fault ===

impl Fault {
    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Self; 12] = [
        Self::Killed,
        Self::Paused,
        Self::Cut,
        Self::HalfOpen,
        Self::BlackHole,
        Self::Slow,
        Self::Malformed,
        Self::FailOver,
        Self::Full,
        Self::Flush,
        Self::NodePaused,
        Self::ClockMoved,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Paused => "paused",
            Self::Cut => "cut",
            Self::HalfOpen => "half-open",
            Self::BlackHole => "black-hole",
            Self::Slow => "slow",
            Self::Malformed => "malformed",
            Self::FailOver => "fail-over",
            Self::Full => "full",
            Self::Flush => "flush",
            Self::NodePaused => "node-paused",
            Self::ClockMoved => "clock-moved",
        }
    }

    /// Whether it is done to the connections between nodes and store.
    pub(super) fn is_of_the_network(self) -> bool {
        matches!(
            self,
            Self::Cut | Self::HalfOpen | Self::BlackHole | Self::Slow | Self::Malformed
        )
    }

    /// Whose connections a fault of the network is done to. What sentinels and replicas hear is
    /// not garbled: no network garbles what replicas are sent, and they would keep it.
    pub(super) fn whom(self, store: Store) -> Whom {
        match (self, store) {
            (Self::Malformed, _) => Whom::Clients,
            (_, Store::Servers(Kind::RedisSentinel)) => Whom::Everybody,
            _ => Whom::Clients,
        }
    }

    /// Whether it is done to nodes, whose requests the gateway then answers for.
    pub(super) fn is_of_the_nodes(self, store: Store) -> bool {
        self == Self::NodePaused || (self == Self::Killed && store == Store::Sqlite)
    }

    /// What is promised, or why the fault makes no sense for this store.
    pub(super) fn promise(self, store: Store) -> Result<Promise, &'static str> {
        match (self, store) {
            (_, Store::Sqlite) if self.is_of_the_network() => {
                Err("a file is not reached over connections")
            }
            (Self::ClockMoved, Store::Sqlite) => {
                Err("lifetimes in SQLite are judged by this machine's clock, and it is everybody's")
            }
            (Self::FailOver, Store::Sqlite) => Err("a file has no other to take its place"),
            (
                Self::FailOver,
                Store::Servers(Kind::Redis | Kind::Valkey8 | Kind::Valkey9 | Kind::RedisTls),
            ) => Err("a single server has no other to take its place"),
            (Self::FailOver, Store::Servers(Kind::RedisCluster | Kind::RedisSentinel)) => {
                Ok(Promise::LastWrites)
            }
            // Sentinels and replicas lose sight of the primary as nodes do, and another takes over.
            (Self::Cut | Self::HalfOpen | Self::BlackHole, Store::Servers(Kind::RedisSentinel)) => {
                Ok(Promise::LastWrites)
            }
            (
                Self::Paused | Self::Killed,
                Store::Servers(Kind::RedisCluster | Kind::RedisSentinel),
            ) => Ok(Promise::LastWrites),
            (Self::Flush, _) => Ok(Promise::Everything),
            _ => Ok(Promise::Nothing),
        }
    }

    /// How the servers are set up for it.
    pub(super) fn setup(self, store: Store) -> Setup {
        let persistence = match store {
            Store::Sqlite => Persistence::None,
            Store::Servers(_) => Persistence::Always,
        };
        let standby = match (self, store) {
            (Self::FailOver, Store::Servers(Kind::Postgres | Kind::PgBouncer)) => {
                Standby::Synchronous
            }
            _ => Standby::None,
        };
        let disk_bytes = match (self, store) {
            (Self::Full, Store::Sqlite) => Some(SQLITE_DISK_BYTES),
            (Self::Full, Store::Servers(Kind::Postgres | Kind::PgBouncer)) => {
                Some(POSTGRES_DISK_BYTES)
            }
            _ => None,
        };
        let replicas = match (self, store) {
            // With one, a primary that took over has none, and acknowledges no revocation.
            (Self::FailOver, Store::Servers(Kind::RedisCluster)) => Some(2),
            _ => None,
        };
        Setup {
            persistence,
            standby,
            disk_bytes,
            replicas,
            ..Setup::default()
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

// === impl Promise ===

impl Promise {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Nothing => "may lose nothing",
            Self::LastWrites => "may lose last writes, no revocation",
            Self::Everything => "loses everything",
        }
    }
}
