//! The command line of `anynode-lab`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::prove::{
    self,
    lost_updates::{self, LostUpdates},
    risen_sessions::{self, RisenSessions},
};

#[derive(Parser)]
#[command(version, about = "Breaks anynode and counts what that costs", long_about = None)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prove a claim; exits with 1 when it does not hold
    #[command(subcommand)]
    Prove(Row),
    /// Play the part of a child process
    #[command(subcommand, hide = true)]
    Child(Part),
}

#[derive(Subcommand)]
enum Row {
    /// Acknowledged updates are never lost and never applied twice, though processes are killed
    LostUpdates(LostUpdates),
    /// A revoked session never comes back, however late someone writes to it
    RisenSessions(RisenSessions),
}

#[derive(Subcommand)]
enum Part {
    Update(lost_updates::Updater),
    Revoke(risen_sessions::Racer),
    Write(risen_sessions::Racer),
}

/// Runs the program: parses the command line and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Prove(Row::LostUpdates(row)) => prove::report(row.prove()),
        Command::Prove(Row::RisenSessions(row)) => prove::report(row.prove()),
        Command::Child(Part::Update(part)) => return part.play(),
        Command::Child(Part::Revoke(part)) => return part.revoke(),
        Command::Child(Part::Write(part)) => return part.write(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("anynode-lab: {reason}");
            ExitCode::FAILURE
        }
    }
}
