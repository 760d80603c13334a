//! The programs that parts of `cargo xtask test` call, and how to get a missing one.

use std::process::Stdio;

use crate::workspace::cargo;

/// A program that a part calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// `cargo fmt`
    Rustfmt,
    /// `cargo clippy`
    Clippy,
}

impl Tool {
    /// The command that installs the tool.
    pub(crate) fn install_command(self) -> &'static str {
        match self {
            Self::Rustfmt => "rustup component add rustfmt",
            Self::Clippy => "rustup component add clippy",
        }
    }

    /// Whether the tool can be started.
    pub(crate) fn is_present(self) -> bool {
        let subcommand = match self {
            Self::Rustfmt => "fmt",
            Self::Clippy => "clippy",
        };
        cargo()
            .args([subcommand, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
