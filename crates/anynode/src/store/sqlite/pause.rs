//! How long to wait for a lock that someone else holds: short, growing, and never in step.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// The pauses of one wait.
#[derive(Debug)]
pub(super) struct Pause {
    attempt: u32,
    random: u64,
}

/// The first pause is at most this; each doubles it.
const FIRST_MICROS: u64 = 50;

/// No pause is longer than 50 µs doubled this often, 0.8 ms: a writer that commits batch after
/// batch leaves gaps of some microseconds only, and whoever waits has to look often to meet one.
const DOUBLINGS_MAX: u32 = 4;

// === impl Pause ===

impl Pause {
    /// Sleeps on this thread.
    pub(super) fn sleep(&mut self) {
        std::thread::sleep(self.next());
    }

    /// The next pause: a random part of its bound, and at least half.
    pub(super) fn next(&mut self) -> Duration {
        let most = FIRST_MICROS << self.attempt.min(DOUBLINGS_MAX);
        self.attempt = self.attempt.saturating_add(1);
        // Xorshift: pauses need to differ, not to be secret.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        Duration::from_micros(most / 2 + self.random % (most / 2))
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self {
            attempt: 0,
            random: RandomState::new().build_hasher().finish() | 1,
        }
    }
}
