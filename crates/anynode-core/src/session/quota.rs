//! How many anonymous sessions one node creates: they cost a stranger nothing to ask for.

use std::time::Duration;

/// A quota of anonymous sessions: a token bucket.
///
/// The default lets a node create 1,000 at once and 100 a second, far above what people who
/// put things into carts ask for and far below what fills a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many may be created at once.
    pub burst: u32,
    /// How many a second may be created for ever.
    pub per_second: u32,
}

/// What is left of a quota. Time is a [`Duration`] on the node's boot clock.
///
/// ```
/// # use anynode_core::{Quota, session::QuotaLeft};
/// # use std::time::Duration;
/// let mut left = QuotaLeft::new(Quota { burst: 1, per_second: 2 });
/// assert!(left.take(Duration::ZERO));
/// assert!(!left.take(Duration::from_millis(499)));
/// assert!(left.take(Duration::from_millis(500)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct QuotaLeft {
    quota: Quota,
    /// Thousandths of a session, so that slow refill is exact in whole milliseconds.
    left: u64,
    at: Duration,
}

// === impl Quota ===

impl Default for Quota {
    fn default() -> Self {
        Self {
            burst: 1_000,
            per_second: 100,
        }
    }
}

// === impl QuotaLeft ===

impl QuotaLeft {
    /// A quota of which nothing is used.
    pub fn new(quota: Quota) -> Self {
        Self {
            quota,
            left: u64::from(quota.burst) * 1_000,
            at: Duration::ZERO,
        }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Duration) -> bool {
        let elapsed = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        let refill = elapsed.saturating_mul(u64::from(self.quota.per_second));
        self.at += Duration::from_millis(elapsed);
        self.left = self
            .left
            .saturating_add(refill)
            .min(u64::from(self.quota.burst) * 1_000);
        let Some(left) = self.left.checked_sub(1_000) else {
            return false;
        };
        self.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_refills_up_to_its_burst() {
        let mut left = QuotaLeft::new(Quota {
            burst: 3,
            per_second: 1,
        });
        let taken = |left: &mut QuotaLeft, at| {
            let now = Duration::from_secs(at);
            (0..10).filter(|_| left.take(now)).count()
        };
        assert_eq!(taken(&mut left, 0), 3);
        assert_eq!(taken(&mut left, 2), 2);
        assert_eq!(taken(&mut left, 1_000), 3);
    }
}
