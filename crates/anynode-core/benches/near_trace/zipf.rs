//! Numbers drawn from a seed, evenly or as the sessions of a web application are asked for.

/// SplitMix64: enough to draw from a distribution, and the same on every machine.
pub(crate) struct Draws(u64);

/// Some visitors are far more active than others: Zipf with exponent 0.99.
pub(crate) struct Zipf {
    /// What part of all requests goes to the sessions up to each rank.
    below: Vec<f64>,
}

const EXPONENT: f64 = 0.99;

// === impl Draws ===

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        let high = u32::try_from(self.next() >> 32).expect("32 bits");
        f64::from(high) / f64::from(u32::MAX)
    }
}

// === impl Zipf ===

impl Zipf {
    pub(crate) fn over(sessions: usize) -> Self {
        let ranks = 1..=u32::try_from(sessions).expect("far fewer");
        let mut sum = 0.0;
        let sums = ranks.map(|rank| {
            sum += f64::from(rank).powf(-EXPONENT);
            sum
        });
        let sums: Vec<f64> = sums.collect();
        let below = sums.iter().map(|below| below / sum).collect();
        Self { below }
    }

    /// The rank of the next session that is asked for, from 0.
    pub(crate) fn rank(&self, draws: &mut Draws) -> usize {
        let drawn = draws.unit();
        self.below.partition_point(|below| *below < drawn)
    }
}
