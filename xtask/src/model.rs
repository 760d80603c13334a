//! `cargo xtask model`: the model of the near cache's protocol, one tick further than the tests go.

use anyhow::{Context, Error};

use crate::Outcome;
use crate::workspace::cargo;

/// An optimised build of the model looks further by itself; one configuration at a time, because
/// each keeps all its states in memory.
const ARGUMENTS: &[&str] = &[
    "test",
    "--locked",
    "--release",
    "--package",
    "anynode-core",
    "--test",
    "near_model",
    "--",
    "--nocapture",
    "--test-threads=1",
];

/// Explores it and prints what was found.
pub(crate) fn run(_arguments: &[String]) -> Result<Outcome, Error> {
    let status = cargo().args(ARGUMENTS).status();
    let status = status.context("cannot run cargo")?;
    Ok(if status.success() {
        Outcome::Holds
    } else {
        Outcome::Broken
    })
}
