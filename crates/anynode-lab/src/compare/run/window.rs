//! The stretches of time that a row is made of.

use std::time::Duration;

use crate::compare::report::Step;

/// One step of a course. Boot clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Which step.
    pub(super) step: Step,
    /// When it began.
    pub(super) begin: Duration,
    /// When what it does to the fleet had been done.
    pub(super) done: Duration,
    /// When every user had been answered at least once after that.
    pub(super) end: Duration,
}

// === impl Window ===

impl Window {
    pub(super) fn has(&self, at: Duration) -> bool {
        (self.begin..self.end).contains(&at)
    }

    pub(super) fn has_after_it_was_done(&self, at: Duration) -> bool {
        (self.done..self.end).contains(&at)
    }
}
