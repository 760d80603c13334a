//! How long to wait before looking again for a lock that someone else holds.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// The pauses of one wait: random, so that those who wait are never in step, and as short for
/// who has waited long as for who has just come, so that nobody is at a disadvantage.
#[derive(Debug)]
pub(super) struct Pause {
    attempt: u32,
    random: u64,
}

/// A pause is between half of this and this: about the time of a transaction.
const MICROS: u64 = 100;

/// After so many, the lock is held by someone slow, and a pause is ten times as long.
const SHORT_MAX: u32 = 200;

// === impl Pause ===

impl Pause {
    /// Sleeps on this thread.
    pub(super) fn sleep(&mut self) {
        std::thread::sleep(self.next());
    }

    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        let most = if self.attempt < SHORT_MAX {
            MICROS
        } else {
            10 * MICROS
        };
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
