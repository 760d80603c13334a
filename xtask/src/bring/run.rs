//! Runs the programs that unpack tools, and says what they said when they fail.

use std::process::{Command, Stdio};

use anyhow::{Context, Error, bail};

/// Whether a program of this name can be started.
pub(super) fn is_present(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Runs the command to its end and returns what it wrote to both outputs.
///
/// # Errors
/// When it cannot be started or fails; the error carries what it wrote.
pub(super) fn said_by(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if !output.status.success() {
        bail!("{program} ended with {}:\n{said}", output.status);
    }
    Ok(said)
}
