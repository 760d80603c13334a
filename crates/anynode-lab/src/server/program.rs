//! Finds the programs that `cargo xtask bring` unpacked.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error};

/// Where the start scripts lie in the directory that cargo builds into.
const SCRIPTS: &str = "tools/bin";

/// The start script of a program, which is part of this tool.
///
/// # Errors
/// When it has not been unpacked.
pub(super) fn script(program: &str, tool: &str) -> Result<PathBuf, Error> {
    let found = targets().find_map(|target| {
        let script = target.join(SCRIPTS).join(program);
        script.is_file().then_some(script)
    });
    found.with_context(|| format!("{program} is not here; run `cargo xtask bring {tool}`"))
}

/// What was unpacked of a tool.
///
/// # Errors
/// When it has not been unpacked.
pub(super) fn unpacked(tool: &str) -> Result<PathBuf, Error> {
    let mut homes = targets().map(|target| target.join("tools").join(tool));
    let found = homes.find(|home| home.is_dir());
    found.with_context(|| format!("{tool} is not here; run `cargo xtask bring {tool}`"))
}

/// The directory that cargo builds into, where the tools are.
///
/// # Errors
/// When no tool has been unpacked.
pub(super) fn target() -> Result<PathBuf, Error> {
    let found = targets().find(|target| target.join(SCRIPTS).is_dir());
    found.context("no server has been unpacked; run `cargo xtask bring`")
}

/// Where cargo may build into, the likeliest first: this program lies in it, unless it was
/// copied elsewhere.
fn targets() -> impl Iterator<Item = PathBuf> {
    let program = env::current_exe().unwrap_or_default();
    let above: Vec<PathBuf> = program.ancestors().skip(1).map(Path::to_owned).collect();
    let said = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    above.into_iter().chain(said).chain([default])
}
