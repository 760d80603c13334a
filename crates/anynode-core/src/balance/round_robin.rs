//! Smooth weighted round robin: every backend is chosen as often as its weight says, spread as evenly as possible.

use std::num::NonZeroU16;

/// A backend's place in the rotation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    weight: NonZeroU16,
    /// What the rotation owes this backend, in units of weight.
    ///
    /// The credits of all backends add up to zero after every choice, so a
    /// backend that was away for long comes back to its share and not to a burst.
    credit: i64,
}

/// Chooses one of `candidates` and returns its slot; `None` if there is none.
///
/// Every candidate earns its weight, the richest is chosen, and pays for all.
/// Of equally rich candidates the first is chosen.
pub(super) fn take_turn<'a>(
    candidates: impl Iterator<Item = (usize, &'a mut Turn)>,
) -> Option<usize> {
    let mut earned = 0;
    let mut richest: Option<(usize, &mut Turn)> = None;
    for (slot, turn) in candidates {
        let weight = i64::from(turn.weight.get());
        turn.credit += weight;
        earned += weight;
        match &richest {
            Some((_, best)) if best.credit >= turn.credit => {}
            _ => richest = Some((slot, turn)),
        }
    }
    let (slot, turn) = richest?;
    turn.credit -= earned;
    Some(slot)
}

// === impl Turn ===

impl Turn {
    pub(super) fn new(weight: NonZeroU16) -> Self {
        Self { weight, credit: 0 }
    }

    pub(super) fn weight(&self) -> NonZeroU16 {
        self.weight
    }

    /// Changes the weight; what the rotation owes stays.
    pub(super) fn reweigh(&mut self, weight: NonZeroU16) {
        self.weight = weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(weights: &[u16]) -> Vec<Turn> {
        weights
            .iter()
            .map(|&weight| Turn::new(NonZeroU16::new(weight).unwrap()))
            .collect()
    }

    fn sequence(turns: &mut [Turn], length: usize) -> Vec<usize> {
        (0..length)
            .map(|_| take_turn(turns.iter_mut().enumerate()).unwrap())
            .collect()
    }

    #[test]
    fn equal_backends_are_chosen_in_order() {
        assert_eq!(sequence(&mut turns(&[1, 1, 1]), 6), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_heavy_backend_is_spread_between_the_light_ones() {
        // The example of nginx, whose algorithm this is: never five times "a" in a row.
        assert_eq!(sequence(&mut turns(&[5, 1, 1]), 7), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn over_the_sum_of_weights_each_backend_is_chosen_as_often_as_its_weight() {
        for weights in [
            vec![1, 1],
            vec![3, 2, 1],
            vec![7, 7, 1, 4],
            vec![100, 1, 50],
        ] {
            let round: usize = weights.iter().map(|&weight| usize::from(weight)).sum();
            let chosen = sequence(&mut turns(&weights), 3 * round);
            for (slot, &weight) in weights.iter().enumerate() {
                let count = chosen.iter().filter(|&&other| other == slot).count();
                assert_eq!(count, 3 * usize::from(weight), "{weights:?}, slot {slot}");
            }
        }
    }

    #[test]
    fn credits_add_up_to_zero_whoever_was_a_candidate() {
        let mut turns = turns(&[3, 1, 2, 5]);
        for step in 0..1_000_usize {
            let absent = step * 7 % 5;
            let candidates = turns.iter_mut().enumerate();
            take_turn(candidates.filter(|(slot, _)| *slot != absent));
            let sum: i64 = turns.iter().map(|turn| turn.credit).sum();
            assert_eq!(sum, 0);
            assert!(turns.iter().all(|turn| turn.credit.abs() <= 22));
        }
    }

    #[test]
    fn no_candidate_is_no_choice() {
        assert_eq!(take_turn(std::iter::empty()), None);
    }
}
