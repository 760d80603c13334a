//! How durations are spread, counted in buckets of equal width on a scale by powers of ten.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Counts of durations: those of zero, and those of each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Those below [`Spread::LOW`].
    pub none: u64,
    /// The others; what is longer than the last bucket is in it.
    pub buckets: Vec<u64>,
}

// === impl Spread ===

impl Spread {
    /// Where the first bucket begins.
    pub const LOW: Duration = Duration::from_micros(10);

    /// Buckets of each power of ten.
    pub const PER_DECADE: usize = 8;

    /// Powers of ten, from [`Spread::LOW`] to a hundred seconds.
    pub const DECADES: usize = 7;

    /// How many buckets there are.
    pub const COUNT: usize = Self::PER_DECADE * Self::DECADES;

    /// Counts one more.
    pub fn add(&mut self, duration: Duration) {
        if duration < Self::LOW {
            self.none += 1;
            return;
        }
        self.buckets.resize(Self::COUNT, 0);
        let ends = (1..Self::COUNT).map(Self::begin_of);
        let at = ends.take_while(|end| *end <= duration).count();
        self.buckets[at] += 1;
    }

    /// Adds what others counted.
    pub fn extend(&mut self, other: &Self) {
        self.none += other.none;
        if !other.buckets.is_empty() {
            self.buckets.resize(Self::COUNT, 0);
        }
        for (own, others) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += others;
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.none + self.buckets.iter().sum::<u64>()
    }

    /// What is in this bucket.
    #[must_use]
    pub fn at(&self, bucket: usize) -> u64 {
        self.buckets.get(bucket).copied().unwrap_or_default()
    }

    /// Where this bucket begins.
    #[must_use]
    pub fn begin_of(bucket: usize) -> Duration {
        /// The powers of ten, and what lies between them.
        const STEPS: [f64; Spread::PER_DECADE] = [
            1.0,
            1.333_521_432_163_324,
            1.778_279_410_038_922_8,
            2.371_373_705_661_655,
            3.162_277_660_168_379_5,
            4.216_965_034_285_822,
            5.623_413_251_903_491,
            7.498_942_093_324_558,
        ];
        let decade = bucket / Self::PER_DECADE;
        let low = (0..decade).fold(Self::LOW, |low, _| low * 10);
        low.mul_f64(STEPS[bucket % Self::PER_DECADE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_bucket_that_it_falls_into() {
        let bucket_of = |duration| {
            let mut spread = Spread::default();
            spread.add(duration);
            assert_eq!(spread.total(), 1);
            spread.buckets.iter().position(|count| *count == 1)
        };
        assert_eq!(bucket_of(Duration::ZERO), None);
        assert_eq!(bucket_of(Spread::LOW), Some(0));
        assert_eq!(bucket_of(Duration::from_micros(99)), Some(7));
        assert_eq!(bucket_of(Duration::from_micros(100)), Some(8));
        assert_eq!(bucket_of(Duration::from_secs(1)), Some(40));
        assert_eq!(bucket_of(Duration::from_secs(900)), Some(Spread::COUNT - 1));
        for bucket in 0..Spread::COUNT {
            assert_eq!(bucket_of(Spread::begin_of(bucket)), Some(bucket));
        }
    }
}
