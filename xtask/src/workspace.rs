//! What cargo knows about the workspace: where it lies, its packages and their dependencies.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Error, bail};
use serde::Deserialize;

/// The parts of `cargo metadata` that the checks read.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Option<Resolve>,
}

/// One package of the dependency graph.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression, if the package states one.
    pub(crate) license: Option<String>,
    /// Where the package comes from; none for a path inside the workspace.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    /// Feature names; what each turns on is not read.
    pub(crate) features: HashMap<String, Vec<String>>,
    /// Dependencies as the manifest declares them, optional ones included.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as a manifest declares it.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or none for a normal one.
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

/// Which packages `cargo metadata` is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The members alone, without looking at any registry.
    Members,
    /// Every package any platform may build, with all features.
    Graph,
    /// What this host builds, from packages that are already downloaded.
    HostOffline,
}

impl Workspace {
    /// Asks cargo about the workspace around the current directory.
    ///
    /// # Errors
    /// When cargo cannot be run, refuses, or answers in another form.
    pub(crate) fn load(extent: Extent) -> Result<Self, Error> {
        let mut command = cargo();
        command.args(["metadata", "--format-version", "1", "--all-features"]);
        match extent {
            Extent::Members => command.arg("--no-deps"),
            Extent::Graph => command.arg("--locked"),
            Extent::HostOffline => {
                command.args(["--locked", "--offline", "--filter-platform", &host()?])
            }
        };
        let answer = output_of(&mut command)?;
        serde_json::from_str(&answer).context("cargo metadata has another form than expected")
    }

    /// The packages that are members of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The member of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn member(&self, name: &str) -> Result<&Package, Error> {
        self.members()
            .find(|package| package.name == name)
            .with_context(|| format!("the workspace has no package `{name}`"))
    }

    /// Names of all packages reached from `package` by normal dependencies alone; empty when
    /// the graph was not asked for.
    pub(crate) fn reached_from(&self, package: &Package) -> BTreeSet<&str> {
        let nodes = self.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let edges: HashMap<&str, &[Edge]> = nodes
            .map(|node| (node.id.as_str(), node.deps.as_slice()))
            .collect();
        let mut reached = BTreeSet::new();
        let mut open = vec![package.id.as_str()];
        while let Some(id) = open.pop() {
            for edge in edges.get(id).copied().unwrap_or_default() {
                let is_normal = edge.dep_kinds.iter().any(|of| of.kind.is_none());
                if is_normal && reached.insert(edge.pkg.as_str()) {
                    open.push(&edge.pkg);
                }
            }
        }
        self.packages
            .iter()
            .filter(|package| reached.contains(package.id.as_str()))
            .map(|package| package.name.as_str())
            .collect()
    }
}

/// The cargo that runs this program, free of what `cargo run` told only this program.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command and returns what it wrote to its standard output.
///
/// # Errors
/// When it cannot be started or fails; the error carries what it wrote to its standard error.
pub(crate) fn output_of(command: &mut Command) -> Result<String, Error> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        let call: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cargo {} failed:\n{}", call.join(" "), said.trim_end());
    }
    String::from_utf8(output.stdout).context("cargo wrote something else than UTF-8")
}

fn host() -> Result<String, Error> {
    let answer = output_of(cargo().args(["--version", "--verbose"]))?;
    answer
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("cargo does not name its host")
}
