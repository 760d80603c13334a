//! Which laws of a store held on which kind of store, read from the output of the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::libtest::without_colour;

/// The kinds that every run has to try, as the modules of `anynode-lab`'s tests of stores are
/// called.
pub(crate) const KINDS: &[&str] = &[
    "redis",
    "valkey_8",
    "valkey_9",
    "redis_cluster",
    "redis_sentinel",
    "redis_tls",
    "postgres",
    "pgbouncer",
];

/// What became of the laws so far.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    /// Every law that was tried on any kind.
    known: BTreeSet<String>,
    /// Those that held, of each kind.
    held: BTreeMap<&'static str, BTreeSet<String>>,
}

// === impl Laws ===

impl Laws {
    /// Takes a line such as `test on_server::redis::l01_create::a_free_handle_is_created ... ok`;
    /// most lines are of something else.
    pub(crate) fn read_line(&mut self, line: &str) {
        let line = without_colour(line);
        let Some((kind, law, outcome)) = on_server(line.trim()).filter(|it| is_law(it.1)) else {
            return;
        };
        self.known.insert(law.to_owned());
        let held = self.held.entry(kind).or_default();
        if outcome == "ok" {
            held.insert(law.to_owned());
        }
    }

    /// The kinds on which not every law was tried and held.
    pub(crate) fn short(&self) -> usize {
        let is_short = |kind: &&&str| self.held_by(kind) < self.known.len().max(1);
        KINDS.iter().filter(is_short).count()
    }

    fn held_by(&self, kind: &str) -> usize {
        self.held.get(kind).map_or(0, BTreeSet::len)
    }
}

impl fmt::Display for Laws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "laws of a store that held, none skipped:")?;
        for kind in KINDS {
            let name = kind.replace('_', "-");
            let (held, known) = (self.held_by(kind), self.known.len());
            writeln!(f, "{name:<15} {held:>4} of {known}")?;
        }
        Ok(())
    }
}

/// Kind, test and outcome of a line about a test on a kind of store.
pub(crate) fn on_server(line: &str) -> Option<(&'static str, &str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (kind, test) = name.strip_prefix("on_server::")?.split_once("::")?;
    let kind = KINDS.iter().find(|of| **of == kind)?;
    Some((*kind, test, outcome))
}

fn is_law(test: &str) -> bool {
    test.starts_with('l') && test.contains("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laws(lines: &[String]) -> Laws {
        let mut laws = Laws::default();
        lines.iter().for_each(|line| laws.read_line(line));
        laws
    }

    fn line(kind: &str, law: &str, outcome: &str) -> String {
        format!("test on_server::{kind}::l01_create::{law} ... {outcome}\n")
    }

    fn on_all_kinds(outcome_on_the_last: &str) -> Vec<String> {
        let (last, others) = KINDS.split_last().expect("there are kinds");
        let mut lines: Vec<_> = others.iter().map(|kind| line(kind, "a", "ok")).collect();
        lines.push(line(last, "a", outcome_on_the_last));
        lines
    }

    #[test]
    fn all_is_well_when_every_law_held_on_every_kind() {
        let laws = laws(&on_all_kinds("ok"));
        assert_eq!(laws.short(), 0);
        assert!(
            laws.to_string().contains("redis-cluster      1 of 1"),
            "{laws}"
        );
    }

    #[test]
    fn a_law_that_failed_was_skipped_or_was_not_tried_leaves_its_kind_short() {
        assert_eq!(laws(&on_all_kinds("FAILED")).short(), 1);
        assert_eq!(laws(&on_all_kinds("ignored")).short(), 1);
        let mut lines = on_all_kinds("ok");
        lines.push(line("redis", "b", "ok"));
        assert_eq!(laws(&lines).short(), KINDS.len() - 1);
    }

    #[test]
    fn without_any_law_every_kind_is_short() {
        let other = ["test redis::ask::tests::a_field ... ok\n".to_owned()];
        assert_eq!(laws(&[]).short(), KINDS.len());
        assert_eq!(laws(&other).short(), KINDS.len());
    }
}
