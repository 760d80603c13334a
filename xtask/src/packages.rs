//! `cargo xtask packages`: how many packages a user of the library builds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Error;

use crate::Outcome;
use crate::workspace::{Extent, Workspace, cargo, output_of};

/// A user with one store builds fewer packages than this, `anynode` itself included.
const PACKAGES_BAR: usize = 120;

/// Prints the count with default features, and what each further feature adds.
pub(crate) fn run(_arguments: &[String]) -> Result<Outcome, Error> {
    let workspace = Workspace::load(Extent::Members)?;
    let base = packages_built(&["--edges", "normal,build"])?;
    println!(
        "{} packages with default features (normal and build dependencies on this host); bar: < {PACKAGES_BAR}",
        base.len()
    );
    let features: BTreeMap<_, _> = workspace.member("anynode")?.features.iter().collect();
    for feature in features.keys().filter(|name| name.as_str() != "default") {
        let with = packages_built(&["--edges", "normal,build", "--features", feature])?;
        println!("{:>+5} {feature}", with.difference(&base).count());
    }
    if base.len() < PACKAGES_BAR {
        Ok(Outcome::Holds)
    } else {
        Ok(Outcome::Broken)
    }
}

fn packages_built(arguments: &[&str]) -> Result<BTreeSet<String>, Error> {
    let fixed = [
        "tree",
        "--locked",
        "--package",
        "anynode",
        "--prefix",
        "none",
    ];
    let tree = output_of(cargo().args(fixed).args(arguments))?;
    Ok(distinct_packages(&tree))
}

/// Name and version of each package in the output of `cargo tree`, once.
fn distinct_packages(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(format!("{} {}", words.next()?, words.next()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_counted_once_per_version() {
        let tree = "anynode v0.1.0 (/src/anynode)\nsyn v2.0.1\nserde_derive v1.0.0 (proc-macro)\n\
                    syn v3.0.0\nsyn v2.0.1 (*)\n\nserde_derive v1.0.0 (proc-macro) (*)\n";
        let expected = [
            "anynode v0.1.0",
            "serde_derive v1.0.0",
            "syn v2.0.1",
            "syn v3.0.0",
        ];
        assert!(distinct_packages(tree).iter().eq(expected));
    }
}
