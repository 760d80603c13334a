//! The arrows of the house: which crate may depend on which.

use std::collections::BTreeSet;

use crate::workspace::Workspace;

/// What each crate of the workspace may depend on among its siblings, tests aside.
const ARROWS: &[(&str, &[&str])] = &[
    ("anynode-core", &[]),
    ("anynode", &["anynode-core"]),
    ("anynode-gateway", &["anynode-core", "anynode"]),
    (
        "anynode-cli",
        &["anynode-core", "anynode", "anynode-gateway"],
    ),
    (
        "anynode-lab",
        &["anynode-core", "anynode", "anynode-gateway", "anynode-cli"],
    ),
    ("xtask", &[]),
];

/// The crate that decides and never acts.
const PURE: &str = "anynode-core";

/// What brings I/O, clocks, randomness or a format, and so must not reach the pure crate.
const IMPURE: &[&str] = &[
    "getrandom",
    "http",
    "rand",
    "rusqlite",
    "serde_json",
    "tokio",
];

/// What a crate of the workspace depends on, development dependencies aside.
#[derive(Debug)]
pub(crate) struct Crate {
    name: String,
    siblings: BTreeSet<String>,
    /// Every package that normal dependencies reach, however far away.
    reached: BTreeSet<String>,
}

/// Reads what the rules need out of the dependency graph.
pub(crate) fn graph_of(workspace: &Workspace) -> Vec<Crate> {
    let names: BTreeSet<&str> = workspace
        .members()
        .map(|member| member.name.as_str())
        .collect();
    let crates = workspace.members().map(|member| {
        let declared = member.dependencies.iter();
        let shipped = declared.filter(|of| of.kind.as_deref() != Some("dev"));
        let siblings = shipped.filter(|of| names.contains(of.name.as_str()));
        Crate {
            name: member.name.clone(),
            siblings: siblings.map(|of| of.name.clone()).collect(),
            reached: workspace
                .reached_from(member)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        }
    });
    crates.collect()
}

/// The arrows that may not exist.
pub(crate) fn findings(crates: &[Crate]) -> Vec<String> {
    let mut findings = Vec::new();
    for Crate {
        name,
        siblings,
        reached,
    } in crates
    {
        let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| of == name) else {
            findings.push(format!("{name}: the house has no such crate"));
            continue;
        };
        let wrong = siblings
            .iter()
            .filter(|sibling| !allowed.contains(&sibling.as_str()));
        findings.extend(wrong.map(|sibling| format!("{name} must not depend on {sibling}")));
        if name == PURE {
            let impure = reached
                .iter()
                .filter(|package| IMPURE.contains(&package.as_str()));
            findings.extend(impure.map(|package| format!("{name} must not reach {package}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, siblings: &[&str], reached: &[&str], expected: &[&str]) {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let graph = [Crate {
            name: name.to_owned(),
            siblings: owned(siblings),
            reached: owned(reached),
        }];
        assert_eq!(findings(&graph), expected);
    }

    #[test]
    fn the_arrows_of_the_house_pass() {
        for (name, siblings) in ARROWS {
            check(name, siblings, &[], &[]);
        }
        check("anynode", &["anynode-core"], &["tokio", "rusqlite"], &[]);
        check("anynode-core", &[], &["sha2"], &[]);
    }

    #[test]
    fn an_arrow_against_the_order_is_found() {
        check(
            "anynode-core",
            &["anynode"],
            &[],
            &["anynode-core must not depend on anynode"],
        );
        check(
            "anynode",
            &["anynode-core", "anynode-gateway"],
            &[],
            &["anynode must not depend on anynode-gateway"],
        );
        for name in ["anynode-gateway", "anynode-cli", "xtask"] {
            let expected = format!("{name} must not depend on anynode-lab");
            check(name, &["anynode-lab"], &[], &[&expected]);
        }
    }

    #[test]
    fn io_that_reaches_core_is_found() {
        for package in IMPURE {
            let expected = format!("anynode-core must not reach {package}");
            check("anynode-core", &[], &[package], &[&expected]);
        }
    }

    #[test]
    fn a_crate_that_the_house_does_not_have_is_found() {
        check(
            "anynode-extra",
            &[],
            &[],
            &["anynode-extra: the house has no such crate"],
        );
    }
}
