//! Builds test programs, as shipped or with a plant.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error};
use serde::Deserialize;

use super::checks::{ON_SERVERS_MAX, Programs, RUN_TIME_MAX, Suite};
use super::plants::Plant;
use super::plants::store::STORES;
use super::wrapper;
use crate::workspace::{Workspace, cargo};

/// The name of the log of the run without a plant; no plant has a name with a dot.
const SHIPPED: &str = "as.shipped";

/// What a program is built with to have any bug of those in what runs on servers.
pub(crate) const ON_SERVERS: &str = "on_servers";

/// Where planted code is built: a target directory of its own, so that no planted program ever
/// lies where a shipped one is looked for.
pub(crate) struct Workshop<'a> {
    workspace: &'a Workspace,
    target: PathBuf,
}

/// A line of what `cargo test --message-format json` says.
#[derive(Debug, Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

impl<'a> Workshop<'a> {
    /// Makes the directories.
    ///
    /// # Errors
    /// When they cannot be made.
    pub(crate) fn new(workspace: &'a Workspace) -> Result<Self, Error> {
        let target = workspace.target.join("teeth");
        let logs = target.join("log");
        std::fs::create_dir_all(&logs)
            .with_context(|| format!("cannot make {}", logs.display()))?;
        Ok(Self { workspace, target })
    }

    /// What building and running the plant said.
    pub(crate) fn log_of(&self, plant: &str) -> PathBuf {
        self.target.join("log").join(format!("{plant}.txt"))
    }

    /// What building and running without a plant said.
    pub(crate) fn shipped_log(&self) -> PathBuf {
        self.log_of(SHIPPED)
    }

    /// Builds the test programs of the suite without a plant; none if they do not build.
    ///
    /// # Errors
    /// When cargo cannot be run.
    pub(crate) fn build_as_shipped(&self, suite: &Suite<'_>) -> Result<Option<Programs>, Error> {
        self.build(suite.package, suite.target, None, &self.shipped_log())
    }

    /// Builds the test programs of the plant with the plant; none if they do not build.
    ///
    /// # Errors
    /// When cargo cannot be run.
    pub(crate) fn build_planted(&self, plant: &Plant) -> Result<Option<Programs>, Error> {
        // What runs on servers is text, and the environment says which bug is in it.
        let is_text = plant.target == STORES;
        let cfg = if is_text { ON_SERVERS } else { plant.name };
        let wrapper = wrapper::install(&self.target.join("wrap"), cfg)?;
        let log = self.log_of(plant.name);
        let built = self.build(plant.package, plant.target, Some(&wrapper), &log)?;
        Ok(built.map(|programs| Programs {
            planted: is_text.then_some(plant.name),
            ..programs
        }))
    }

    fn build(
        &self,
        package: &str,
        target: &[&str],
        wrapper: Option<&Path>,
        log: &Path,
    ) -> Result<Option<Programs>, Error> {
        let mut command = cargo();
        command
            .args(["test", "--locked", "--all-features", "--no-run"])
            .args(["--message-format", "json-render-diagnostics"])
            .args(["--package", package])
            .args(target)
            .arg("--target-dir")
            .arg(&self.target)
            // Each plant is built once: incremental state would only fill the disk.
            .env("CARGO_INCREMENTAL", "0")
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .envs(wrapper.map(|path| ("RUSTC_WORKSPACE_WRAPPER", path)));
        let said = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let output = command
            .stderr(said)
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            return Ok(None);
        }
        let is_on_servers = target == STORES;
        let manifest = &self.workspace.member(package)?.manifest_path;
        Ok(Some(Programs {
            paths: test_programs(&String::from_utf8_lossy(&output.stdout)),
            directory: manifest.parent().unwrap_or(manifest).to_path_buf(),
            log: log.to_path_buf(),
            run_time_max: if is_on_servers {
                ON_SERVERS_MAX
            } else {
                RUN_TIME_MAX
            },
            planted: None,
            // Laws on servers wait more than they work.
            arguments: if is_on_servers {
                &["--test-threads", "12"]
            } else {
                &[]
            },
        }))
    }
}

/// The test programs among the artifacts that cargo names.
fn test_programs(messages: &str) -> Vec<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter(|message: &Message| message.profile.as_ref().is_some_and(|profile| profile.test))
        .filter_map(|message| message.executable)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_programs_are_taken_from_what_cargo_says() {
        let messages = "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"executable\":\"a\"}\n\
                        {\"reason\":\"compiler-artifact\",\"profile\":{\"test\":false},\"executable\":\"b\"}\n\
                        {\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"executable\":null}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(test_programs(messages), [PathBuf::from("a")]);
    }
}
