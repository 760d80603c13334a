//! How many replicas have to acknowledge a revocation.

/// The most replicas that each primary was seen with: one that is cut off does not count for
/// less, nor does a fail-over make them fewer.
///
/// ```
/// # use anynode_core::store::Replicas;
/// let mut replicas = Replicas::default();
/// replicas.see(&[("first", 4)]);
/// assert_eq!(replicas.quorum(&"first"), 2);
/// replicas.see(&[("second", 1)]);
/// assert_eq!(replicas.quorum(&"second"), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Replicas<P> {
    most: Vec<(P, usize)>,
}

// === impl Replicas ===

impl<P: Clone + PartialEq> Replicas<P> {
    /// Notes the primaries there are now, each with the replicas that are connected to it.
    ///
    /// A primary that was none before took over from one that is none any more, so it begins
    /// with as many as the largest of those had: its replicas come to it one after the other.
    pub fn see(&mut self, now: &[(P, usize)]) {
        let is_now = |primary: &P| now.iter().any(|(one, _)| one == primary);
        let gone = self.most.iter().filter(|(primary, _)| !is_now(primary));
        let inherited = gone.map(|(_, most)| *most).max().unwrap_or(0);
        let seen = now.iter().map(|(primary, connected)| {
            let before = self.known(primary).unwrap_or(inherited);
            (primary.clone(), before.max(*connected))
        });
        self.most = seen.collect();
    }

    /// How many replicas of this primary have to acknowledge a revocation, so that they and it
    /// are more than half of all: one at least. Of one that was not seen, as many as of any.
    pub fn quorum(&self, primary: &P) -> usize {
        let largest = || self.most.iter().map(|(_, most)| *most).max();
        let replicas = self.known(primary).or_else(largest).unwrap_or(0);
        replicas.div_ceil(2).max(1)
    }

    /// Whether no primary has replicas.
    pub fn is_empty(&self) -> bool {
        self.most.iter().all(|(_, most)| *most == 0)
    }

    fn known(&self, primary: &P) -> Option<usize> {
        let mut most = self.most.iter();
        most.find(|(one, _)| one == primary).map(|(_, most)| *most)
    }
}

impl<P> Default for Replicas<P> {
    fn default() -> Self {
        Self { most: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(looks: &[&[(&'static str, usize)]]) -> Replicas<&'static str> {
        let mut replicas = Replicas::default();
        looks.iter().for_each(|look| replicas.see(look));
        replicas
    }

    #[test]
    fn a_primary_and_its_quorum_are_more_than_half() {
        for (replicas, quorum) in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
            assert_eq!(seen(&[&[("a", replicas)]]).quorum(&"a"), quorum);
            assert!(2 * (quorum + 1) > replicas + 1);
        }
    }

    #[test]
    fn a_replica_that_is_cut_off_still_counts() {
        assert_eq!(seen(&[&[("a", 4)], &[("a", 0)]]).quorum(&"a"), 2);
    }

    /// Four replicas, and just after a fail-over the one that took over was seen with none: one
    /// of them then passed for a quorum.
    #[test]
    fn who_takes_over_begins_with_the_replicas_of_who_is_gone() {
        let replicas = seen(&[&[("a", 4)], &[("b", 0)]]);
        assert_eq!(replicas.quorum(&"b"), 2);
        assert!(!replicas.is_empty());
        assert_eq!(seen(&[&[("a", 4)]]).quorum(&"b"), 2, "not seen yet");
    }

    #[test]
    fn a_primary_that_stays_leaves_its_replicas_to_nobody() {
        let replicas = seen(&[&[("a", 4), ("b", 1)], &[("a", 4), ("c", 1)]]);
        assert_eq!((replicas.quorum(&"a"), replicas.quorum(&"c")), (2, 1));
    }

    #[test]
    fn a_store_without_replicas_is_alone() {
        assert!(seen(&[&[("a", 0)]]).is_empty());
        assert!(!seen(&[&[("a", 0), ("b", 1)]]).is_empty());
    }
}
