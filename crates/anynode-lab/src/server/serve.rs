//! A store that is started by hand and lives until it is no longer wanted.

use std::io::{self, Write};

use anyhow::Error;
use tokio::runtime::Runtime;

use super::{Kind, Server};

/// Starts a store, prints its URL, and ends it with Ctrl-C.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Serve {
    /// redis, valkey-8, valkey-9, redis-cluster, redis-sentinel, redis-tls, postgres or pgbouncer
    kind: Kind,
}

// === impl Serve ===

impl Serve {
    /// Serves until the terminal says stop.
    ///
    /// # Errors
    /// When the store cannot be started.
    pub fn serve(self) -> Result<(), Error> {
        Runtime::new()?.block_on(async {
            let server = Server::start(self.kind).await?;
            let mut stdout = io::stdout();
            writeln!(stdout, "{}", server.url())?;
            stdout.flush()?;
            tokio::signal::ctrl_c().await?;
            Ok(())
        })
    }
}
