//! The state directory, where the demonstration keeps its sessions from one run to the next.

use std::env;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, Error};

use crate::misuse::Misuse;

/// The URL of the store that is used when none is named; makes its directory.
///
/// The default directory is the user's, as the XDG Base Directory Specification names it, and not the current
/// one: a source tree stays clean, and the same sessions are found wherever the command is run.
///
/// # Errors
/// [`Misuse`] when the directory is not named by anything or cannot stand in a URL.
pub(super) fn default_store(directory: Option<PathBuf>) -> Result<String, Error> {
    let variable = |name| env::var_os(name);
    let directory = directory
        .or_else(|| users_own(variable("XDG_STATE_HOME"), variable("HOME")))
        .ok_or_else(|| Misuse("there is no home directory; name one with --state DIR".into()))?;
    // Sessions are nobody else's business.
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory);
    made.with_context(|| format!("--state: cannot make {}", directory.display()))?;
    let path = directory.join("sessions.db");
    let path = path
        .to_str()
        .filter(|path| !path.contains(['?', '#']))
        .ok_or_else(|| Misuse("--state: a URL cannot hold this path; choose another".into()))?;
    Ok(format!("sqlite:{path}"))
}

/// A relative path in the variable is to be ignored, as the specification says.
fn users_own(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state_home = state_home.and_then(absolute);
    let below_home = || Some(home.and_then(absolute)?.join(".local/state"));
    Some(state_home.or_else(below_home)?.join("anynode"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state_home: &str, home: &str, expected: Option<&str>) {
        let found = users_own(Some(state_home.into()), Some(home.into()));
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn the_state_directory_is_the_users_own() {
        check("/state", "/home/ada", Some("/state/anynode"));
        let below_home = Some("/home/ada/.local/state/anynode");
        check("", "/home/ada", below_home);
        check("relative", "/home/ada", below_home);
        check("", "", None);
        assert_eq!(users_own(None, None), None);
    }
}
