//! Completions for shells, from the same table of commands that the program parses with.

use anyhow::Error;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::{Cli, Completions, ShellName};
use crate::print::say;

/// Prints the script that teaches a shell our commands.
///
/// # Errors
/// When it cannot be printed.
pub(crate) fn run(completions: &Completions) -> Result<(), Error> {
    let shell = match completions.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "anynode", &mut script);
    say(String::from_utf8_lossy(&script).trim_end())
}
