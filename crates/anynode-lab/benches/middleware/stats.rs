//! Medians, and how far they can be trusted.

/// A median with its 95 % interval.
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The median of some samples.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    if samples.len() % 2 == 1 {
        return samples[middle];
    }
    f64::midpoint(samples[middle - 1], samples[middle])
}

/// The median and its 95 % interval by order statistics, which assumes nothing of how the
/// samples are spread: the rank below which at most 2.5 % of a fair coin's sequences fall.
pub(crate) fn estimate(mut samples: Vec<f64>) -> Estimate {
    samples.sort_by(f64::total_cmp);
    let rank = low_rank(samples.len());
    Estimate {
        median: median(samples.clone()),
        low: samples[rank],
        high: samples[samples.len() - 1 - rank],
    }
}

fn low_rank(samples: usize) -> usize {
    let mut probability = 0.5_f64.powi(i32::try_from(samples).unwrap_or(i32::MAX));
    let (mut total, mut rank) = (probability, 0);
    while total <= 0.025 {
        rank += 1;
        #[allow(clippy::cast_precision_loss, reason = "a handful of samples")]
        let factor = (samples - rank + 1) as f64 / rank as f64;
        probability *= factor;
        total += probability;
    }
    rank.saturating_sub(1)
}
