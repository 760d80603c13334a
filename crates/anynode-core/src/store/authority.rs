//! Authority: until when the answers of a primary are believed, which proved that it is one.

use std::time::Duration;

/// The last proof that a primary gave: its standbys acknowledged a write, which they do for
/// nobody who was deposed.
///
/// ```
/// # use anynode_core::store::{Authority, Belief};
/// # use std::time::Duration;
/// let second = Duration::from_secs(1);
/// let mut authority = Authority::default();
/// assert_eq!(authority.judge(second), Belief::Lost);
/// authority.proved(second);
/// assert_eq!(authority.judge(second), Belief::Proved);
/// assert_eq!(authority.judge(second + Authority::LASTS), Belief::Lost);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    proved_at: Option<Duration>,
    /// A proof that was asked for before this says nothing.
    doubted_at: Duration,
}

/// What the last proof is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// The primary is believed.
    Proved,
    /// It is believed, and it is time to ask for the next proof.
    Ageing,
    /// Nobody can tell whether it is one: no answer of it is believed before another proof.
    Lost,
}

// === impl Authority ===

impl Authority {
    /// How long a proof lasts, from when it was asked for.
    pub const LASTS: Duration = Duration::from_secs(1);

    /// How long that may be on the clock of another machine: one second, divided by 1 less the
    /// rate of 0.01 by which clocks differ at most.
    pub const LASTS_ELSEWHERE: Duration = Duration::from_millis(1_011);

    /// A proof was given that had been asked for at this time on the boot clock.
    pub fn proved(&mut self, asked: Duration) {
        self.proved_at = self.proved_at.max(Some(asked));
    }

    /// At this time it was learnt that a write may have been kept without the standbys: only a
    /// proof that is asked for later says that they have what is read.
    pub fn doubted(&mut self, now: Duration) {
        self.doubted_at = self.doubted_at.max(now);
    }

    /// What the last proof is worth to who asks the primary at this time.
    pub fn judge(&self, now: Duration) -> Belief {
        let doubted_at = self.doubted_at;
        let Some(proved_at) = self.proved_at.filter(|at| *at >= doubted_at) else {
            return Belief::Lost;
        };
        if crate::planted("deposed_is_believed") {
            return Belief::Proved;
        }
        match now.saturating_sub(proved_at) {
            age if age < Self::LASTS / 4 => Belief::Proved,
            age if age < Self::LASTS => Belief::Ageing,
            _ => Belief::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Duration = Duration::from_secs(100);

    #[test]
    fn a_proof_is_renewed_before_it_ends() {
        let mut authority = Authority::default();
        authority.proved(ASKED);
        let check = |millis, expected| {
            let now = ASKED + Duration::from_millis(millis);
            assert_eq!(authority.judge(now), expected, "{millis}");
        };
        check(0, Belief::Proved);
        check(249, Belief::Proved);
        check(250, Belief::Ageing);
        check(999, Belief::Ageing);
        check(1_000, Belief::Lost);
    }

    #[test]
    fn a_proof_from_before_a_doubt_is_none_whenever_it_comes() {
        let mut authority = Authority::default();
        authority.proved(ASKED);
        authority.doubted(ASKED + Duration::from_millis(1));
        assert_eq!(authority.judge(ASKED), Belief::Lost);
        authority.proved(ASKED);
        assert_eq!(authority.judge(ASKED), Belief::Lost);
        authority.proved(ASKED + Duration::from_millis(1));
        assert_eq!(authority.judge(ASKED), Belief::Proved);
    }

    #[test]
    fn an_older_proof_that_comes_late_takes_nothing_back() {
        let mut authority = Authority::default();
        authority.proved(ASKED);
        authority.proved(ASKED - Duration::from_millis(500));
        let now = ASKED + Duration::from_millis(900);
        assert_eq!(authority.judge(now), Belief::Ageing);
    }

    #[test]
    fn nobody_is_believed_before_a_proof() {
        assert_eq!(Authority::default().judge(ASKED), Belief::Lost);
    }
}
