//! What the figures must be, and how many of them are.

use std::fmt;

/// The pass marks that were judged so far.
#[derive(Default)]
pub(crate) struct Bars {
    met: usize,
    all: usize,
}

// === impl Bars ===

impl Bars {
    /// Says whether a pass mark is met.
    pub(crate) fn judge(&mut self, is_met: bool, what: impl fmt::Display) {
        self.all += 1;
        self.met += usize::from(is_met);
        println!("{} {what}", if is_met { "met   " } else { "MISSED" });
    }

    pub(crate) fn tell(&self) {
        println!("\n{} of {} pass marks are met", self.met, self.all);
    }
}
