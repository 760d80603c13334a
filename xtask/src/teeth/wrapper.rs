//! The stand-in for rustc that plants a bug.
//!
//! Cargo calls it for packages of the workspace alone, so dependencies are built once and without
//! the cfg. Its path has the plant's name in it, which keeps the builds of two plants apart.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Error};

/// The name under which this program stands in for rustc.
const FILE_NAME: &str = "rustc-wrapper";

/// Puts a copy of this program at `directory/<plant>/rustc-wrapper`.
///
/// # Errors
/// When the copy cannot be made.
pub(crate) fn install(directory: &Path, plant: &str) -> Result<PathBuf, Error> {
    let directory = directory.join(plant);
    let wrapper = directory.join(FILE_NAME);
    let program = std::env::current_exe().context("cannot find this program")?;
    std::fs::create_dir_all(&directory)?;
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

/// The plant to apply if this process was started as the stand-in.
pub(crate) fn plant_of_this_process() -> Option<String> {
    let own_path = PathBuf::from(std::env::args_os().next()?);
    plant_of(&own_path)
}

fn plant_of(own_path: &Path) -> Option<String> {
    if own_path.file_name()? != FILE_NAME {
        return None;
    }
    let plant = own_path.parent()?.file_name()?;
    Some(plant.to_str()?.to_owned())
}

/// Runs rustc as cargo asked, with the plant's cfg added.
pub(crate) fn run_rustc(plant: &str) -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(rustc) = arguments.next() else {
        eprintln!("error: a stand-in for rustc is called with the path of rustc");
        return ExitCode::from(2);
    };
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = Command::new(rustc);
    command.args(&arguments);
    if compiles_a_crate(&arguments) {
        command.arg("--cfg").arg(format!("planted=\"{plant}\""));
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

/// Cargo also asks rustc for its version and, under the crate name `___`, for its cfgs; a plant in
/// those answers would reach every build script.
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
    fn only_the_build_of_a_crate_gets_the_plant() {
        check(&["--crate-name", "anynode_core", "src/lib.rs"], true);
        check(&["-vV"], false);
        check(&["-", "--crate-name", "___", "--print=cfg"], false);
    }

    #[test]
    fn the_directory_of_the_stand_in_names_the_plant() {
        let path = Path::new("target/teeth/wrap/no_tombstone/rustc-wrapper");
        assert_eq!(plant_of(path).as_deref(), Some("no_tombstone"));
        assert_eq!(plant_of(Path::new("target/debug/xtask")), None);
    }
}
