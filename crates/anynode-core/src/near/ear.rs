//! Whether a node hears of the revocations of the others.

use std::time::Duration;

/// Whether a node that remembers revocations hears of them.
///
/// A short silence is made up for: what was revoked meanwhile is read as soon as the channel is
/// open again. A node that stays deaf remembers nothing that others revoke, so that it may not
/// promise to write it again after a fail-over.
///
/// ```
/// # use anynode_core::near::{Ear, Missed};
/// # use std::time::Duration;
/// let mut ear = Ear::Hears;
/// ear.miss(Missed::ForNow, Duration::ZERO);
/// assert!(!ear.is_deaf());
/// ear.miss(Missed::ForNow, Ear::PATIENCE);
/// assert!(ear.is_deaf());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ear {
    /// Its channel is open, and what was revoked before is known.
    Hears,
    /// Its channel was lost then, on the boot clock.
    Silent {
        /// Since when.
        since: Duration,
    },
    /// Its channel cannot be opened.
    Deaf,
}

/// Why nothing is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// A server is away, and another try may succeed.
    ForNow,
    /// Nothing but another configuration helps.
    ForGood,
}

/// What a miss changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// It was deaf already, or may still hear again soon.
    Nothing,
    /// It is deaf from now on, which is to be told.
    Deaf,
}

// === impl Ear ===

impl Ear {
    /// How long nothing may be heard before the node counts as deaf: a fail-over takes less.
    pub const PATIENCE: Duration = Duration::from_secs(5);

    /// Notes that the channel was lost or could not be opened.
    pub fn miss(&mut self, missed: Missed, now: Duration) -> Turned {
        let since = match *self {
            Self::Deaf => return Turned::Nothing,
            Self::Silent { since } => since,
            Self::Hears => now,
        };
        if missed == Missed::ForGood || now >= since + Self::PATIENCE {
            *self = Self::Deaf;
            return Turned::Deaf;
        }
        *self = Self::Silent { since };
        Turned::Nothing
    }

    /// Notes that the channel is open and that what it missed was read.
    pub fn hear(&mut self) {
        *self = Self::Hears;
    }

    /// Whether it may not promise to remember what others revoke.
    pub fn is_deaf(&self) -> bool {
        *self == Self::Deaf
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn a_channel_that_stays_lost_makes_deaf_once() {
        let mut ear = Ear::Hears;
        let late = NOW + Ear::PATIENCE;
        assert_eq!(ear.miss(Missed::ForNow, NOW), Turned::Nothing);
        assert!(!ear.is_deaf());
        assert_eq!(ear.miss(Missed::ForNow, late), Turned::Deaf);
        assert_eq!(ear.miss(Missed::ForNow, late), Turned::Nothing);
        assert!(ear.is_deaf());
        ear.hear();
        assert!(!ear.is_deaf());
        assert_eq!(ear.miss(Missed::ForNow, late), Turned::Nothing, "anew");
    }

    #[test]
    fn what_only_another_configuration_helps_makes_deaf_at_once() {
        let mut ear = Ear::Hears;
        assert_eq!(ear.miss(Missed::ForGood, NOW), Turned::Deaf);
        assert!(ear.is_deaf());
    }
}
