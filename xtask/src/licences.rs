//! The licence check: every package of the graph has a licence and a source that `deny.toml` allows.

use std::path::Path;

use anyhow::{Context, Error};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::workspace::{Extent, Package, Workspace};

/// The parts of `deny.toml` that are read.
#[derive(Debug, Deserialize)]
struct Rules {
    licenses: LicenceRules,
    sources: SourceRules,
}

#[derive(Debug, Deserialize)]
struct LicenceRules {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SourceRules {
    allow_registry: Vec<String>,
}

/// What may come in.
#[derive(Debug)]
struct Allowed {
    licences: Vec<Licensee>,
    registries: Vec<String>,
}

/// Returns one line for each package that breaks a rule; none when all is well.
///
/// # Errors
/// When `deny.toml` or the dependency graph cannot be read.
pub(crate) fn findings(root: &Path) -> Result<Vec<String>, Error> {
    let path = root.join("deny.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let allowed = Allowed::parse(&text)?;
    let graph = graph()?;
    println!("{} packages", graph.packages.len());
    Ok(graph
        .packages
        .iter()
        .filter_map(|package| finding(package, &allowed))
        .collect())
}

/// The graph of every platform or, when packages of other platforms are not at hand and cannot
/// be had, of this host.
fn graph() -> Result<Workspace, Error> {
    let whole = match Workspace::load(Extent::Graph) {
        Ok(graph) => return Ok(graph),
        Err(error) => error,
    };
    let of_host = Workspace::load(Extent::HostOffline)?;
    println!("packages of other platforms are not checked: {whole:#}");
    Ok(of_host)
}

impl Allowed {
    fn parse(text: &str) -> Result<Self, Error> {
        let rules: Rules = toml::from_str(text).context("deny.toml")?;
        let parse = |name: &String| {
            Licensee::parse(name).with_context(|| format!("deny.toml allows `{name}`"))
        };
        Ok(Self {
            licences: rules
                .licenses
                .allow
                .iter()
                .map(parse)
                .collect::<Result<_, _>>()?,
            registries: rules.sources.allow_registry,
        })
    }
}

/// What is wrong with the package, if anything.
fn finding(package: &Package, allowed: &Allowed) -> Option<String> {
    let reason = licence_finding(package, allowed).or_else(|| source_finding(package, allowed))?;
    Some(format!("{} {}: {reason}", package.name, package.version))
}

fn licence_finding(package: &Package, allowed: &Allowed) -> Option<String> {
    let Some(licence) = &package.license else {
        return Some("states no licence".to_owned());
    };
    // Old packages write `MIT/Apache-2.0`, which the lax mode reads as `OR`.
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!("licence `{licence}` is not an SPDX expression"));
    };
    let is_allowed = expression.evaluate(|requirement| {
        let mut licences = allowed.licences.iter();
        licences.any(|licence| licence.satisfies(requirement))
    });
    (!is_allowed).then(|| format!("licence `{licence}` is not allowed"))
}

fn source_finding(package: &Package, allowed: &Allowed) -> Option<String> {
    let source = package.source.as_deref()?;
    let is_allowed = source
        .strip_prefix("registry+")
        .is_some_and(|registry| allowed.registries.iter().any(|allow| allow == registry));
    (!is_allowed).then(|| format!("source `{source}` is not allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::path::PathBuf;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"]
        [sources]
        allow-registry = ["https://registry.example/index"]
    "#;

    fn check(licence: Option<&str>, source: Option<&str>, expected: Option<&str>) {
        let package = Package {
            id: String::new(),
            name: "planted".to_owned(),
            version: "1.0.0".to_owned(),
            license: licence.map(str::to_owned),
            source: source.map(str::to_owned),
            manifest_path: PathBuf::new(),
            features: HashMap::new(),
            dependencies: Vec::new(),
        };
        let allowed = Allowed::parse(RULES).unwrap();
        let expected = expected.map(|reason| format!("planted 1.0.0: {reason}"));
        assert_eq!(finding(&package, &allowed), expected);
    }

    #[test]
    fn an_allowed_licence_from_an_allowed_registry_or_a_path_passes() {
        check(Some("MIT"), None, None);
        let registry = Some("registry+https://registry.example/index");
        check(Some("MIT OR GPL-3.0-only"), registry, None);
        check(Some("MIT/GPL-3.0"), registry, None);
        check(Some("(GPL-2.0 OR MIT) AND Unicode-3.0"), registry, None);
        check(Some("Apache-2.0 WITH LLVM-exception"), registry, None);
    }

    #[test]
    fn a_licence_outside_the_list_is_found() {
        for licence in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "Apache-2.0"] {
            let reason = format!("licence `{licence}` is not allowed");
            check(Some(licence), None, Some(&reason));
        }
    }

    #[test]
    fn a_missing_or_unknown_licence_is_found() {
        check(None, None, Some("states no licence"));
        let reason = "licence `as you like` is not an SPDX expression";
        check(Some("as you like"), None, Some(reason));
    }

    #[test]
    fn a_source_outside_the_list_is_found() {
        for source in ["git+https://example.com/x", "registry+https://example.com"] {
            let reason = format!("source `{source}` is not allowed");
            check(Some("MIT"), Some(source), Some(&reason));
        }
    }

    #[test]
    fn a_misspelt_licence_in_the_list_is_an_error() {
        let error = Allowed::parse(&RULES.replace("\"MIT\"", "\"MTI\"")).unwrap_err();
        assert_eq!(error.to_string(), "deny.toml allows `MTI`");
    }
}
