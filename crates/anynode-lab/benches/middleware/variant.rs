//! The ways of giving the application sessions.

use anynode_lab::server::Kind;

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Without,
    Untouched,
    UntouchedAround,
    Memory,
    Sqlite,
    Redis,
    NearRedis,
    NearPostgres,
    TowerMemory,
    TowerRedis,
    TowerMoka,
}

/// The program that serves a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// This one.
    Ours,
    /// The one with the stores of tower-sessions.
    Peers,
}

// === impl Variant ===

impl Variant {
    pub(crate) const ALL: [Self; 11] = [
        Self::Without,
        Self::Untouched,
        Self::UntouchedAround,
        Self::Memory,
        Self::Sqlite,
        Self::Redis,
        Self::NearRedis,
        Self::NearPostgres,
        Self::TowerMemory,
        Self::TowerRedis,
        Self::TowerMoka,
    ];

    /// Those whose sessions another node can end.
    pub(crate) const SHARED: [Self; 5] = [
        Self::NearRedis,
        Self::NearPostgres,
        Self::Redis,
        Self::TowerRedis,
        Self::TowerMoka,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::Untouched => "untouched",
            Self::UntouchedAround => "untouched-around",
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::NearRedis => "near-redis",
            Self::NearPostgres => "near-postgres",
            Self::TowerMemory => "tower-memory",
            Self::TowerRedis => "tower-redis",
            Self::TowerMoka => "tower-moka",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Without => "without sessions (against itself)",
            Self::Untouched => "untouched session",
            Self::UntouchedAround => "untouched, layer around the router",
            Self::Memory => "read, memory store",
            Self::Sqlite => "read, SQLite store",
            Self::Redis => "read, Redis store",
            Self::NearRedis => "read, near cache over Redis",
            Self::NearPostgres => "read, near cache over PostgreSQL",
            Self::TowerMemory => "read, tower-sessions memory store",
            Self::TowerRedis => "read, tower-sessions Redis store",
            Self::TowerMoka => "read, tower-sessions Moka over Redis",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|variant| variant.name() == name);
        found.expect("the name of a variant")
    }

    pub(crate) fn program(self) -> Program {
        match self {
            Self::TowerMemory | Self::TowerRedis | Self::TowerMoka => Program::Peers,
            _ => Program::Ours,
        }
    }

    /// The server that keeps the sessions, if there is one.
    pub(crate) fn server(self) -> Option<Kind> {
        match self {
            Self::Redis | Self::NearRedis | Self::TowerRedis | Self::TowerMoka => Some(Kind::Redis),
            Self::NearPostgres => Some(Kind::Postgres),
            _ => None,
        }
    }

    pub(crate) fn is_near_cache(self) -> bool {
        matches!(self, Self::NearRedis | Self::NearPostgres)
    }
}
