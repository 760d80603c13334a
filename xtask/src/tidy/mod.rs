//! The rules of the house that no other tool knows.

mod arrows;
mod files;
mod planted;
mod rules;
mod source;

use anyhow::Error;

use crate::workspace::{Extent, Workspace};

/// Returns one line for each broken rule; none when the house is tidy.
///
/// # Errors
/// When a file or the dependency graph cannot be read.
pub(crate) fn findings(workspace: &Workspace) -> Result<Vec<String>, Error> {
    let files = files::all_below(&workspace.root)?;
    println!("{} files", files.len());
    let mut findings: Vec<String> = files.iter().flat_map(rules::findings).collect();
    findings.extend(planted::findings(&files));
    findings.extend(arrows::findings(&arrows::graph_of(&graph()?)));
    Ok(findings)
}

/// What reaches the pure core is judged on this host alone when other platforms' packages are
/// not at hand.
fn graph() -> Result<Workspace, Error> {
    Workspace::load(Extent::HostOffline).or_else(|_| Workspace::load(Extent::Graph))
}
