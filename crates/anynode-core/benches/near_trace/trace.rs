//! Requests for sessions as a web application sees them, from a seed.

/// How requests are spread over sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Some visitors are far more active than others: Zipf with exponent 0.99.
    Skewed,
    /// The same, and every fourth request is for a session that is never asked for again, in
    /// runs of a thousand: a crawler that keeps no cookie.
    Scanned,
    /// The same as the first, with other visitors at the top after every tenth of the trace.
    Drifting,
}

/// SplitMix64: enough to draw from a distribution, and the same on every machine.
struct Draws(u64);

/// How many different sessions there are, crawlers aside.
pub(crate) const SESSIONS: usize = 200_000;

const REQUESTS: usize = 2_000_000;
const EXPONENT: f64 = 0.99;
const SEED: u64 = 5;
const SCAN_RUN: usize = 1_000;

// === impl Shape ===

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::Skewed, Self::Scanned, Self::Drifting];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Skewed => "Zipf 0.99",
            Self::Scanned => "Zipf 0.99, a quarter of it a scan",
            Self::Drifting => "Zipf 0.99, drifting",
        }
    }

    /// The numbers of the sessions, in the order in which they are asked for.
    pub(crate) fn trace(self) -> Vec<u64> {
        let (mut draws, weights) = (Draws(SEED), weights());
        let mut fresh = u64::MAX;
        let mut request = |at: usize| {
            let drawn = draws.unit();
            let rank = weights.partition_point(|below| *below < drawn);
            match self {
                Self::Skewed => scattered(rank),
                Self::Scanned if at / SCAN_RUN % 4 == 3 => {
                    fresh -= 1;
                    fresh
                }
                Self::Scanned => scattered(rank),
                Self::Drifting => {
                    let moved = at / (REQUESTS / 10) * (SESSIONS / 10);
                    scattered((rank + moved) % SESSIONS)
                }
            }
        };
        (0..REQUESTS).map(&mut request).collect()
    }
}

// === impl Draws ===

impl Draws {
    fn next(&mut self) -> u64 {
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

/// What part of all requests goes to the sessions up to each rank.
fn weights() -> Vec<f64> {
    let ranks = 1..=u32::try_from(SESSIONS).expect("far fewer");
    let mut sum = 0.0;
    let sums = ranks.map(|rank| {
        sum += f64::from(rank).powf(-EXPONENT);
        sum
    });
    let sums: Vec<f64> = sums.collect();
    sums.iter().map(|below| below / sum).collect()
}

/// A number that tells nothing of the rank.
fn scattered(rank: usize) -> u64 {
    let rank = u64::try_from(rank).expect("far fewer");
    Draws(rank).next()
}
