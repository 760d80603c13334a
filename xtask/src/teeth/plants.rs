//! The table of planted bugs.
//!
//! To add one: write `cfg!(planted = "name")` at the line where the bug would be, and a row here.

/// A known bug, and the checks of which at least one must fail while it is in the code.
#[derive(Debug)]
pub(crate) struct Plant {
    /// The name in `cfg(planted = "name")`: lower-case words with underscores.
    pub(crate) name: &'static str,
    /// What goes wrong, in one sentence.
    pub(crate) bug: &'static str,
    /// The package whose tests must catch it; the bug may be in another.
    pub(crate) package: &'static str,
    /// Which test target of the package, as `cargo test` takes it: `&["--lib"]`, `&["--test", "sqlite"]`.
    pub(crate) target: &'static [&'static str],
    /// Parts of the names of the tests that run; each matches one at least.
    pub(crate) checks: &'static [&'static str],
    /// What it means when the checks do not end in time.
    pub(crate) hang: Hang,
}

/// What it means when the checks do not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "the table decides which of them is in use")]
pub(crate) enum Hang {
    /// The bug survives: nothing named it.
    Survives,
    /// The bug is one that hangs, so hanging is how it shows.
    Catches,
}

pub(crate) const PLANTS: &[Plant] = &[
    Plant {
        name: "epoch_counts_from_zero",
        bug: "the next epoch is the old one and one more, so a lost entry starts again from zero",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["the_next_epoch_exceeds_both_the_old_one_and_the_clock"],
        hang: Hang::Survives,
    },
    Plant {
        name: "rebase_across_login",
        bug: "a request admitted before a login writes into the session that was logged in",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["an_admission_ends_with_a_login_even_under_a_secret_that_is_kept"],
        hang: Hang::Survives,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn plant_names_are_distinct_and_plain() {
        let names: BTreeSet<_> = PLANTS.iter().map(|plant| plant.name).collect();
        assert_eq!(names.len(), PLANTS.len());
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(names.iter().all(|name| name.bytes().all(is_plain)));
    }

    #[test]
    fn every_plant_names_its_target_and_its_checks() {
        for plant in PLANTS {
            assert!(!plant.target.is_empty(), "{}", plant.name);
            assert!(!plant.checks.is_empty(), "{}", plant.name);
            assert!(plant.checks.iter().all(|check| !check.is_empty()));
        }
    }
}
