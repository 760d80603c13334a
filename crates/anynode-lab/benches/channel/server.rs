//! The servers, and what they count themselves.

use anynode_lab::server::{Kind, Server, Setup};

use crate::relay::{Count, Relay};
use crate::wire::{Pushes, Rows};

/// A store whose channel is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Redis,
    Postgres,
}

/// A server behind a relay.
pub(crate) struct Measured {
    backend: Backend,
    server: Server,
    relay: Relay,
}

/// Polls and heartbeats, of which each is one statement.
const POLLS: &str = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
                     WHERE query LIKE '%pg_visible_in_snapshot%'";

// === impl Backend ===

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Redis, Self::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }
}

// === impl Measured ===

impl Measured {
    pub(crate) async fn start(backend: Backend) -> Self {
        let (kind, setup) = match backend {
            Backend::Redis => (Kind::Redis, Setup::default()),
            Backend::Postgres => {
                let setup = Setup::default().with("shared_preload_libraries", "pg_stat_statements");
                // Each node has some connections of its own.
                (Kind::Postgres, setup.with("max_connections", "600"))
            }
        };
        let server = Server::start_with(kind, &setup).await.unwrap();
        let upstream = server.addresses()[0];
        let relay = match backend {
            Backend::Redis => Relay::start::<Pushes>(upstream).await,
            Backend::Postgres => {
                let extend = "CREATE EXTENSION pg_stat_statements";
                server.command(&[extend]).await.unwrap();
                Relay::start::<Rows>(upstream).await
            }
        };
        Self {
            backend,
            server,
            relay,
        }
    }

    /// The URL of an empty store, led through the relay.
    pub(crate) fn url(&self) -> String {
        let upstream = self.server.addresses()[0];
        self.relay.url(&self.server.fresh_url(), upstream)
    }

    /// What the relay has seen so far.
    pub(crate) fn count(&self) -> Count {
        self.relay.count()
    }

    /// What the server itself says that it has told so far: how many bytes, or how many answers
    /// to polls.
    pub(crate) async fn says(&self) -> f64 {
        let said = match self.backend {
            Backend::Redis => {
                let info = self.server.command(&["INFO", "stats"]).await.unwrap();
                let mut lines = info.lines();
                let line = lines.find_map(|line| line.strip_prefix("total_net_output_bytes:"));
                line.expect("it counts its output").trim().to_owned()
            }
            Backend::Postgres => self.server.command(&[POLLS]).await.unwrap(),
        };
        said.parse().unwrap()
    }

    /// What of this the server counts as well.
    pub(crate) fn counted_by_both(&self, count: &Count) -> (&'static str, u64) {
        match self.backend {
            Backend::Redis => ("bytes", count.bytes),
            Backend::Postgres => ("answers to polls", count.proofs),
        }
    }
}
