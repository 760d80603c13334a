//! Builds test programs that have any bug the environment names.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error};
use serde::Deserialize;

use super::checks::{ON_SERVERS_MAX, Programs, RUN_TIME_MAX, Suite};
use super::plants::store::STORES;
use super::wrapper;
use crate::workspace::{Workspace, cargo};

/// The names of logs that no plant's can be: no plant has a name with a dot.
const WITHOUT_A_BUG: &str = "without.a.bug";
const BUILD: &str = "the.build";

/// Where planted code is built: a target directory of its own, so that no planted program ever
/// lies where a shipped one is looked for.
pub(crate) struct Workshop<'a> {
    workspace: &'a Workspace,
    target: PathBuf,
}

/// A line of what `cargo test --message-format json` says.
#[derive(Debug, Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

impl<'a> Workshop<'a> {
    /// Makes the directories, and removes the logs of an earlier run.
    ///
    /// # Errors
    /// When they cannot be made.
    pub(crate) fn new(workspace: &'a Workspace) -> Result<Self, Error> {
        let target = workspace.target.join("teeth");
        let logs = target.join("log");
        if logs.exists() {
            std::fs::remove_dir_all(&logs)
                .with_context(|| format!("cannot remove {}", logs.display()))?;
        }
        std::fs::create_dir_all(&logs)
            .with_context(|| format!("cannot make {}", logs.display()))?;
        Ok(Self { workspace, target })
    }

    /// What running with the plant said.
    pub(crate) fn log_of(&self, plant: &str) -> PathBuf {
        self.target.join("log").join(format!("{plant}.txt"))
    }

    /// What running without a bug said.
    pub(crate) fn log_without_a_bug(&self) -> PathBuf {
        self.log_of(WITHOUT_A_BUG)
    }

    /// What the last build said.
    pub(crate) fn log_of_build(&self) -> PathBuf {
        self.log_of(BUILD)
    }

    /// Builds the test programs of the suite, which then have any bug that the environment
    /// names; none if they do not build.
    ///
    /// # Errors
    /// When cargo cannot be run.
    pub(crate) fn build(&self, suite: &Suite) -> Result<Option<Programs>, Error> {
        let wrapper = wrapper::install(&self.target)?;
        let log = self.log_of_build();
        let said = File::options().append(true).create(true).open(&log);
        let said = said.with_context(|| format!("cannot write {}", log.display()))?;
        let output = cargo()
            // The whole workspace, so that all suites agree on the features of each dependency
            // and it is built once.
            .args([
                "test",
                "--locked",
                "--workspace",
                "--all-features",
                "--no-run",
            ])
            .args(["--message-format", "json-render-diagnostics"])
            .args(suite.target)
            .arg("--target-dir")
            .arg(&self.target)
            .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
            .stderr(said)
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            return Ok(None);
        }
        let is_on_servers = suite.target == STORES;
        let manifest = &self.workspace.member(suite.package)?.manifest_path;
        Ok(Some(Programs {
            paths: test_programs(&String::from_utf8_lossy(&output.stdout), manifest),
            directory: manifest.parent().unwrap_or(manifest).to_path_buf(),
            run_time_max: if is_on_servers {
                ON_SERVERS_MAX
            } else {
                RUN_TIME_MAX
            },
            // Laws on servers wait more than they work.
            arguments: if is_on_servers {
                &["--test-threads", "12"]
            } else {
                &[]
            },
        }))
    }
}

/// The test programs of a package among the artifacts that cargo names.
fn test_programs(messages: &str, manifest: &Path) -> Vec<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter(|message: &Message| message.profile.as_ref().is_some_and(|profile| profile.test))
        .filter(|message| message.manifest_path.as_deref() == Some(manifest))
        .filter_map(|message| message.executable)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_programs_of_the_package_are_taken_from_what_cargo_says() {
        let artifact = |package: &str, test: bool, executable: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"{package}\",\
                 \"profile\":{{\"test\":{test}}},\"executable\":{executable}}}\n"
            )
        };
        let messages = [
            artifact("ours", true, "\"a\""),
            artifact("ours", false, "\"b\""),
            artifact("ours", true, "null"),
            artifact("theirs", true, "\"c\""),
            "{\"reason\":\"build-finished\",\"success\":true}\n".to_owned(),
        ];
        let programs = test_programs(&messages.concat(), Path::new("ours"));
        assert_eq!(programs, [PathBuf::from("a")]);
    }
}
