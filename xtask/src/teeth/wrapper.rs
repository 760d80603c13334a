//! The stand-in for rustc that compiles the planted bugs in.
//!
//! Cargo calls it for packages of the workspace alone, so dependencies are built without the cfg.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Error};

/// The name under which this program stands in for rustc.
const FILE_NAME: &str = "rustc-wrapper";

/// Puts a copy of this program at `directory/rustc-wrapper`.
///
/// # Errors
/// When the copy cannot be made.
pub(crate) fn install(directory: &Path) -> Result<PathBuf, Error> {
    let wrapper = directory.join(FILE_NAME);
    let program = std::env::current_exe().context("cannot find this program")?;
    std::fs::create_dir_all(directory)?;
    // An older copy goes first: a link is made, never overwritten.
    if wrapper.exists() {
        std::fs::remove_file(&wrapper)?;
    }
    if std::fs::hard_link(&program, &wrapper).is_err() {
        std::fs::copy(&program, &wrapper)
            .with_context(|| format!("cannot write {}", wrapper.display()))?;
    }
    Ok(wrapper)
}

/// Whether this process was started as the stand-in.
pub(crate) fn is_this_process() -> bool {
    let own_path = std::env::args_os().next().map(PathBuf::from);
    own_path.is_some_and(|path| is_stand_in(&path))
}

fn is_stand_in(own_path: &Path) -> bool {
    own_path.file_name().is_some_and(|name| name == FILE_NAME)
}

/// Runs rustc as cargo asked, with the cfg of planted bugs added.
pub(crate) fn run_rustc() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(rustc) = arguments.next() else {
        eprintln!("error: a stand-in for rustc is called with the path of rustc");
        return ExitCode::from(2);
    };
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = Command::new(rustc);
    command.args(&arguments);
    if compiles_a_crate(&arguments) {
        command.args(["--cfg", "planted"]);
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cannot start rustc: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Cargo also asks rustc for its version and, under the crate name `___`, for its cfgs; the cfg
/// in those answers would reach every build script.
fn compiles_a_crate(arguments: &[OsString]) -> bool {
    let mut pairs = arguments.iter().zip(arguments.iter().skip(1));
    pairs.any(|(flag, name)| flag == "--crate-name" && name != "___")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expected: bool) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        assert_eq!(compiles_a_crate(&arguments), expected);
    }

    #[test]
    fn only_the_build_of_a_crate_gets_the_bugs() {
        check(&["--crate-name", "anynode_core", "src/lib.rs"], true);
        check(&["-vV"], false);
        check(&["-", "--crate-name", "___", "--print=cfg"], false);
    }

    #[test]
    fn the_stand_in_is_known_by_its_name() {
        assert!(is_stand_in(Path::new("target/teeth/rustc-wrapper")));
        assert!(!is_stand_in(Path::new("target/debug/xtask")));
    }
}
