//! `cargo xtask simulate`: the simulation of near caches, on more seeds than the tests have time
//! for, or one seed again.

use anyhow::{Context, Error};

use crate::Outcome;
use crate::workspace::cargo;

/// The build of the tests: nothing has to be built anew for it, and sums that overflow are seen.
const ARGUMENTS: &[&str] = &[
    "test",
    "--locked",
    "--package",
    "anynode-core",
    "--test",
    "near_simulation",
    "--",
    "--exact",
    "no_seed_breaks_a_promise",
    "--nocapture",
];

/// How many seeds, if nobody says.
const SEEDS: u64 = 1_000_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    seeds: u64,
    /// The first of many, or the only one if their number is not given.
    seed: Option<u64>,
    is_one: bool,
}

/// Runs the seeds and prints what happened in them; a single one tells everything.
pub(crate) fn run(arguments: &[String]) -> Result<Outcome, Error> {
    let Some(wanted) = Wanted::parse(arguments) else {
        eprintln!("error: usage: cargo xtask simulate [--seeds N] [--seed S]");
        return Ok(Outcome::Unusable);
    };
    let status = cargo().args(ARGUMENTS).envs(wanted.environment()).status();
    let status = status.context("cannot run cargo")?;
    Ok(if status.success() {
        Outcome::Holds
    } else {
        Outcome::Broken
    })
}

impl Wanted {
    fn parse(arguments: &[String]) -> Option<Self> {
        let (mut seeds, mut seed) = (None, None);
        for pair in arguments.chunks(2) {
            let [name, number] = pair else { return None };
            let number = number.parse().ok()?;
            match name.as_str() {
                "--seeds" => seeds = Some(number),
                "--seed" => seed = Some(number),
                _ => return None,
            }
        }
        Some(Self {
            seeds: seeds.unwrap_or(SEEDS),
            seed,
            is_one: seed.is_some() && seeds.is_none(),
        })
    }

    fn environment(self) -> Vec<(&'static str, String)> {
        let seed = self.seed.unwrap_or(0).to_string();
        match self.is_one {
            true => vec![("ANYNODE_SEED", seed)],
            false => vec![
                ("ANYNODE_FIRST_SEED", seed),
                ("ANYNODE_SEEDS", self.seeds.to_string()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str, expected: Option<&[(&str, &str)]>) {
        let arguments: Vec<_> = arguments.split_whitespace().map(str::to_owned).collect();
        let wanted = Wanted::parse(&arguments).map(Wanted::environment);
        let found = wanted.as_ref().map(|all| {
            let pairs = all.iter().map(|(name, value)| (*name, value.as_str()));
            pairs.collect::<Vec<_>>()
        });
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_million_seeds_or_so_many_or_one() {
        let million = [("ANYNODE_FIRST_SEED", "0"), ("ANYNODE_SEEDS", "1000000")];
        check("", Some(&million));
        let some = [("ANYNODE_FIRST_SEED", "5"), ("ANYNODE_SEEDS", "70")];
        check("--seeds 70 --seed 5", Some(&some));
        check("--seed 5", Some(&[("ANYNODE_SEED", "5")]));
    }

    #[test]
    fn anything_else_is_refused() {
        for arguments in ["--seeds", "--seeds many", "--speed 5", "5"] {
            check(arguments, None);
        }
    }
}
