//! The laws of a store, on the real servers of every kind: `on_server::redis_cluster::l04_…::…`
//! is a law of a store in a Redis cluster.
//! `on_server::redis_cluster::bugs::…` sees a law fail on such a store with a bug in front of it.
//!
//! All laws of a kind share one server, each in a namespace of its own. The servers end with
//! this process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authority;
mod bugs;
#[path = "../../../anynode/tests/near_contract/compared.rs"]
mod compared;
mod world;

/// Tries the laws on a kind, in a module that is named after it.
macro_rules! laws_on {
    ($($module:ident: $kind:ident)*) => {$(
        mod $module {
            use anynode_lab::server::Kind;

            use crate::world::{Laboratory, run};

            anynode_core::contract_tests! {
                world: Laboratory::of(Kind::$kind),
                run: run,
                clock: real,
            }

            mod bugs {
                crate::bugs::all_bugs_on!($kind);
            }
        }
    )*};
}

/// Tries the laws on a kind with a near cache in front of each node's handle.
macro_rules! laws_with_copies_on {
    ($($module:ident: $kind:ident)*) => {$(
        mod $module {
            use anynode_lab::server::Kind;

            use crate::world::{Laboratory, run};

            anynode_core::contract_tests! {
                world: Laboratory::of(Kind::$kind).with_near_caches(),
                run: run,
                clock: real,
            }
        }
    )*};
}

/// `cargo xtask test` runs these apart from the others: they wait more than they work, so many
/// run at once.
mod on_server {
    laws_on! {
        redis: Redis
        valkey_8: Valkey8
        valkey_9: Valkey9
        redis_cluster: RedisCluster
        redis_sentinel: RedisSentinel
        redis_tls: RedisTls
        postgres: Postgres
        pgbouncer: PgBouncer
    }

    laws_with_copies_on! {
        near_redis: Redis
        near_postgres: Postgres
    }
}
