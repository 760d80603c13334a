//! Says on stderr how far a comparison is, one line for each step.

use std::time::Duration;

use crate::clock::boot_time;

/// Says how far a comparison is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    begun: Duration,
}

// === impl Progress ===

impl Progress {
    pub(super) fn begin() -> Self {
        Self { begun: boot_time() }
    }

    /// How long it has gone on.
    pub(super) fn passed(&self) -> Duration {
        boot_time().saturating_sub(self.begun)
    }

    pub(super) fn say(&self, who: &str, what: &str) {
        eprintln!("{:>4} s  {who}: {what}", self.passed().as_secs());
    }
}
