//! Silence: for how long nobody has answered on a connection.

use std::time::Duration;

/// Since when something is asked on a connection and nothing at all is heard.
///
/// Whoever asked may have stopped waiting long ago: a connection whose callers are all less
/// patient than the store is found to be dead all the same.
///
/// ```
/// # use anynode_core::store::Silence;
/// # use std::time::Duration;
/// let second = Duration::from_secs(1);
/// let mut silence = Silence::default();
/// silence.asked(second);
/// assert!(silence.is_too_long(second * 3, second * 2));
/// silence.heard();
/// assert!(!silence.is_too_long(second * 3, second * 2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    since: Option<Duration>,
}

// === impl Silence ===

impl Silence {
    /// Something was asked at this time on the boot clock.
    pub fn asked(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// Something was heard, whatever it was.
    pub fn heard(&mut self) {
        self.since = None;
    }

    /// Whether nobody should ask on the connection any more, where a call may take as long as
    /// `deadline`: three quarters of it, so that a call which was the first to ask knows it
    /// before its own time is up.
    pub fn is_too_long(&self, now: Duration, deadline: Duration) -> bool {
        self.since
            .is_some_and(|since| now.saturating_sub(since) >= deadline / 4 * 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(2);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn it_begins_with_the_first_question_that_nothing_followed() {
        let mut silence = Silence::default();
        assert!(!silence.is_too_long(at(9_000), DEADLINE), "nobody asked");
        silence.asked(at(1_000));
        silence.asked(at(2_400));
        assert!(!silence.is_too_long(at(2_499), DEADLINE));
        assert!(silence.is_too_long(at(2_500), DEADLINE));
    }

    #[test]
    fn whatever_is_heard_ends_it() {
        let mut silence = Silence::default();
        silence.asked(at(1_000));
        silence.heard();
        assert!(!silence.is_too_long(at(9_000), DEADLINE));
        silence.asked(at(9_000));
        assert!(!silence.is_too_long(at(10_000), DEADLINE));
        assert!(silence.is_too_long(at(10_500), DEADLINE));
    }
}
