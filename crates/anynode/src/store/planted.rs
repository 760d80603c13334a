//! Bugs in what runs on the servers: `cargo xtask teeth` plants each and sees it caught.

use std::env;

/// A bug in a text.
pub(super) struct Bug {
    /// Its name.
    pub(super) planted: &'static str,
    /// What stands in the text.
    pub(super) good: &'static str,
    /// What then stands in its place.
    pub(super) bad: &'static str,
}

/// The text as this program sends it.
///
/// Only a program that was built to have bugs has one: that which its environment names, so
/// that all of them are tried with one build.
pub(super) fn planted(text: &str, bugs: &[Bug]) -> String {
    if !cfg!(planted = "on_servers") {
        return text.to_owned();
    }
    let name = env::var("ANYNODE_PLANTED").unwrap_or_default();
    let planted = bugs.iter().filter(|bug| bug.planted == name);
    planted.fold(text.to_owned(), |text, bug| text.replace(bug.good, bug.bad))
}
