//! On which kinds of store bugs were caught, read from the output of the tests.

use std::collections::BTreeMap;
use std::fmt;

use crate::test::laws::{KINDS, on_server};

/// How many bugs were tried on each kind of store, and how many were caught there.
#[derive(Debug, Default)]
pub(crate) struct Kinds(BTreeMap<&'static str, Tried>);

#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    /// Bugs in front of the store: a test that passed saw a law fail.
    in_front: Score,
    /// Bugs in what runs on the server: a law that failed has caught one.
    inside: Score,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Score {
    caught: usize,
    of: usize,
}

// === impl Kinds ===

impl Kinds {
    /// Takes the output of the tests that see a law fail on a store with a bug in front of it.
    pub(crate) fn read_in_front(&mut self, said: &str) {
        for (kind, test, outcome) in said.lines().filter_map(on_server) {
            if test.starts_with("bugs::") {
                self.0
                    .entry(kind)
                    .or_default()
                    .in_front
                    .add(outcome == "ok");
            }
        }
    }

    /// Takes the output of laws with a bug in what runs on the servers.
    pub(crate) fn read_inside(&mut self, said: &str) {
        for (kind, _, outcome) in said.lines().filter_map(on_server) {
            self.0
                .entry(kind)
                .or_default()
                .inside
                .add(outcome == "FAILED");
        }
    }

    /// Whether both sorts of bugs were tried on every kind, and all were caught.
    pub(crate) fn is_whole(&self) -> bool {
        let scores = KINDS.iter().map(|kind| self.0.get(kind));
        scores.into_iter().all(|tried| {
            tried.is_some_and(|tried| tried.in_front.is_full() && tried.inside.is_full())
        })
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "bugs of a store that were caught, none skipped:")?;
        writeln!(f, "{:<15} {:>12} {:>14}", "", "in front", "on the server")?;
        for kind in KINDS {
            let tried = self.0.get(kind).copied().unwrap_or_default();
            let name = kind.replace('_', "-");
            let (in_front, inside) = (tried.in_front.to_string(), tried.inside.to_string());
            writeln!(f, "{name:<15} {in_front:>12} {inside:>14}")?;
        }
        Ok(())
    }
}

// === impl Score ===

impl Score {
    fn add(&mut self, is_caught: bool) {
        self.of += 1;
        self.caught += usize::from(is_caught);
    }

    fn is_full(self) -> bool {
        self.caught == self.of && self.of > 0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.caught, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(test: &str, outcome: &str) -> String {
        let lines = KINDS
            .iter()
            .map(|kind| format!("test on_server::{kind}::{test} ... {outcome}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn it_is_whole_when_both_sorts_were_caught_on_every_kind() {
        let mut kinds = Kinds::default();
        kinds.read_in_front(&said("bugs::a", "ok"));
        assert!(!kinds.is_whole());
        kinds.read_inside(&said("l03_replace::a", "FAILED"));
        assert!(kinds.is_whole());
        assert!(
            kinds
                .to_string()
                .contains("redis-cluster         1 of 1         1 of 1"),
            "{kinds}"
        );
    }

    #[test]
    fn one_that_survives_on_one_kind_is_told() {
        let mut kinds = Kinds::default();
        kinds.read_in_front(&said("bugs::a", "ok"));
        kinds.read_inside(&said("l03_replace::a", "FAILED"));
        kinds.read_inside("test on_server::valkey_9::l03_replace::b ... ok");
        assert!(!kinds.is_whole());
        assert!(kinds.to_string().contains("1 of 2"), "{kinds}");
    }

    #[test]
    fn a_law_that_holds_is_no_bug_in_front_that_was_caught() {
        let mut kinds = Kinds::default();
        kinds.read_in_front(&said("l03_replace::a", "ok"));
        assert!(!kinds.is_whole());
    }
}
