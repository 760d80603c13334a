//! Programs that are workspaces of their own, because what they depend on must not come into this
//! one: built when a benchmark needs them.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// The program of the package in this directory below `benches`, built beside this one.
pub(crate) async fn built(directory: &str, program: &str) -> PathBuf {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let this = std::env::current_exe().unwrap();
    let target = this.ancestors().nth(3).unwrap().join("peers");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
        ])
        .arg(benches.join(directory).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .await
        .unwrap();
    assert!(built.success(), "{program} is built");
    target.join("release").join(program)
}
