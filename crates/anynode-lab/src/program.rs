//! The command line of `anynode-lab`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::compare::Compare;
use crate::prove::{
    self, affinity_moves::AffinityMoves, bound::revoked_accepted::RevokedAccepted,
    bound::staleness::Staleness, faults::Faults, lost_sessions::LostSessions,
    lost_updates::LostUpdates, risen_sessions::RisenSessions, store,
};
use crate::server::Serve;

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
    /// Measure what each strategy costs its users; exits with 1 when it could not be measured
    Compare(Compare),
    /// Start a real store, print its URL, and end it with Ctrl-C
    Serve(Serve),
    /// Play the part of a child process of a proof
    #[command(subcommand, hide = true)]
    Child(Part),
    /// Be the `anynode` program, in a fleet
    #[command(hide = true, disable_help_flag = true)]
    Role {
        /// What `anynode` is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Subcommand)]
enum Row {
    /// A session that was begun and not ended is accepted, though nodes are killed and replaced
    LostSessions(LostSessions),
    /// Acknowledged updates are never lost and never made twice, though nodes are killed
    LostUpdates(LostUpdates),
    /// A session whose end was acknowledged is never accepted again
    RisenSessions(RisenSessions),
    /// A node that is added takes only its share of the clients that are kept apart by address
    AffinityMoves(AffinityMoves),
    /// Nothing is lost beyond what is promised, nothing rises and nothing hangs, whatever is
    /// done to the store
    Faults(Faults),
    /// A revoked session is accepted by no node after the bound, whatever breaks
    RevokedAccepted(RevokedAccepted),
    /// How old the knowledge behind answers is, and that it is never older than the bound
    Staleness(Staleness),
    /// The updates of processes that use a store directly and are killed
    LostUpdatesInStore(store::lost_updates::LostUpdates),
    /// Late writers against revocations, both using a store directly
    RisenSessionsInStore(store::risen_sessions::RisenSessions),
}

#[derive(Subcommand)]
enum Part {
    Update(store::lost_updates::Updater),
    Revoke(store::risen_sessions::Racer),
    Write(store::risen_sessions::Racer),
}

/// Runs the program: parses the command line and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    let command = Arguments::parse().command;
    if let Command::Prove(row) = &command
        && let Some(mistake) = row.mistake()
    {
        Arguments::command()
            .error(ErrorKind::ArgumentConflict, mistake)
            .exit();
    }
    let outcome = match command {
        Command::Prove(row) => prove(&row),
        Command::Compare(compare) => compare.compare(),
        Command::Serve(serve) => serve.serve(),
        Command::Child(Part::Update(part)) => return part.play(),
        Command::Child(Part::Revoke(part)) => return part.revoke(),
        Command::Child(Part::Write(part)) => return part.write(),
        Command::Role { arguments } => {
            let name = OsString::from("anynode");
            return anynode_cli::run(std::iter::once(name).chain(arguments));
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("anynode-lab: {reason:#}");
            ExitCode::FAILURE
        }
    }
}

fn prove(row: &Row) -> Result<(), anyhow::Error> {
    match row {
        Row::LostSessions(row) => prove::report(row.prove(), row.terms.format()),
        Row::LostUpdates(row) => prove::report(row.prove(), row.terms.format()),
        Row::RisenSessions(row) => prove::report(row.prove(), row.terms.format()),
        Row::AffinityMoves(row) => prove::report(row.prove(), row.format()),
        Row::Faults(row) => prove::report(row.prove(), row.format()),
        Row::RevokedAccepted(row) => prove::report(row.prove(), row.order.format()),
        Row::Staleness(row) => prove::report(row.prove(), row.order.format()),
        Row::LostUpdatesInStore(row) => prove::report(row.prove(), row.terms.format()),
        Row::RisenSessionsInStore(row) => prove::report(row.prove(), row.terms.format()),
    }
}

// === impl Row ===

impl Row {
    /// What contradicts itself in what was asked for, if anything.
    fn mistake(&self) -> Option<String> {
        match self {
            Self::LostSessions(row) => row.terms.mistake(),
            Self::LostUpdates(row) => row.terms.mistake(),
            Self::RisenSessions(row) => row.terms.mistake(),
            Self::AffinityMoves(_)
            | Self::Faults(_)
            | Self::RevokedAccepted(_)
            | Self::Staleness(_)
            | Self::LostUpdatesInStore(_)
            | Self::RisenSessionsInStore(_) => None,
        }
    }
}
