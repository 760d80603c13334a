//! The bound of a store: how long after its acknowledgement a revocation may be unknown to a
//! node.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use anynode_core::Deposed;
use anynode_core::near::Horizon;
use serde::Serialize;

/// How long after its acknowledgement a revocation may be unknown to a node: `L + D`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// L: the lease, on a clock that goes one in a hundred too slowly.
    pub lease: Duration,
    /// D: how long a primary that was deposed may still answer.
    pub deposed: Duration,
}

/// A lease counts on a clock that may lose so much of a second.
const CLOCK_ERROR: f64 = 0.01;

// === impl Bound ===

impl Bound {
    /// What is promised of the store with this URL, as it is set up.
    ///
    /// # Errors
    /// When it cannot be asked, or nothing bounds it.
    pub(super) async fn of(url: &str) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            // Each copy is validated when it is read.
            return Ok(Self::default());
        }
        let store = anynode::store::open(url).await?;
        let facts = store.inspect().await.context("the store is not known")?;
        let deposed = match facts.deposed {
            Deposed::Never => Duration::ZERO,
            Deposed::Within(time) => time,
            Deposed::Unbounded => bail!("a deposed primary of this store answers for ever"),
        };
        Ok(Self {
            lease: Horizon::TERM.div_f64(1.0 - CLOCK_ERROR),
            deposed,
        })
    }

    /// L + D.
    #[must_use]
    pub fn total(self) -> Duration {
        self.lease + self.deposed
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lease, deposed) = (self.lease.as_secs_f64(), self.deposed.as_secs_f64());
        write!(f, "L {lease:.2} s, D {deposed:.2} s")
    }
}
