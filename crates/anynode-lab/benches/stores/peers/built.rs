//! The program with the stores of tower-sessions, built when it is needed.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// The program, built beside this one.
pub(crate) async fn peers() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/stores/peers");
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
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .await
        .unwrap();
    assert!(built.success(), "the stores of tower-sessions are built");
    target.join("release/peers")
}
