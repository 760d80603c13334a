//! Requests for sessions as a web application sees them, from a seed.

use crate::zipf::{Draws, Zipf};

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

/// How many different sessions there are, crawlers aside.
pub(crate) const SESSIONS: usize = 200_000;

const REQUESTS: usize = 2_000_000;
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
        let (mut draws, zipf) = (Draws::new(SEED), Zipf::over(SESSIONS));
        let mut fresh = u64::MAX;
        let mut request = |at: usize| {
            let rank = zipf.rank(&mut draws);
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

/// A number that tells nothing of the rank.
fn scattered(rank: usize) -> u64 {
    let rank = u64::try_from(rank).expect("far fewer");
    Draws::new(rank).next()
}
