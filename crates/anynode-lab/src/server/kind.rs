//! The kinds of store that are started for tests and proofs.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, bail};

/// A store, and how it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One Redis 7.0.
    Redis,
    /// One Valkey 8.
    Valkey8,
    /// One Valkey 9.
    Valkey9,
    /// A cluster of three primaries, each with a replica.
    RedisCluster,
    /// A primary, a replica and three sentinels.
    RedisSentinel,
    /// One Redis that is reached under TLS by a user with few rights.
    RedisTls,
    /// One PostgreSQL 15, or two: see [`Standby`](super::Standby).
    Postgres,
    /// PostgreSQL behind pgbouncer, which shares connections by transaction.
    PgBouncer,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Redis,
        Self::Valkey8,
        Self::Valkey9,
        Self::RedisCluster,
        Self::RedisSentinel,
        Self::RedisTls,
        Self::Postgres,
        Self::PgBouncer,
    ];

    /// The name on command lines and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey8 => "valkey-8",
            Self::Valkey9 => "valkey-9",
            Self::RedisCluster => "redis-cluster",
            Self::RedisSentinel => "redis-sentinel",
            Self::RedisTls => "redis-tls",
            Self::Postgres => "postgres",
            Self::PgBouncer => "pgbouncer",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Some(kind) = Self::ALL.into_iter().find(|kind| kind.name() == text) else {
            let known = Self::ALL.map(Self::name).join(", ");
            bail!("{text:?} is no kind of store; known are {known}");
        };
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse::<Kind>().expect("a kind"), kind);
        }
        let unknown = "oracle".parse::<Kind>().expect_err("no kind").to_string();
        assert!(unknown.contains("valkey-9"), "{unknown}");
    }
}
