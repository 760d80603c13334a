//! The `anynode` program as a library, so that other programs can start its roles from themselves.
//!
//! A program whose `main` hands its arguments to [`run`] can be started as a node or as a whole
//! fleet. `anynode up` does it with itself: its nodes are child processes of its own executable.
//!
//! Where to read on, in the order of a start:
//!
//! - `args`: commands and flags
//! - `up`: the fleet of `anynode up`: gateway, nodes that are restarted, and what is printed
//! - `node`: one web server, from its first line to its parent's death
//! - `sample`: the application that every node serves, on nothing but the public API of [`anynode`]
//! - `demo`: what the nodes of `anynode up` and their parent tell each other, and show around the sample
//! - `fill`: values into the HTML of pages, escaped
//! - `gateway`: the load balancer of a configuration; `config` reads that
//! - `sessions`: what an operator sees of sessions, and how they end them
//! - `doctor`: what a store can promise, and what about it is unsafe
//! - `completions`: for shells
//! - `store`, `stop`, `lifeline`, `log`, `print`, `misuse`: the store's URL, signals, a parent's death, log lines, stdout, exit code 2

mod args;

mod up;

mod node;

mod sample;

mod demo;
mod fill;

mod gateway;

mod config;

mod sessions;

mod doctor;

mod completions;

mod lifeline;
mod log;
mod misuse;
mod print;
mod stop;
mod store;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Error};
use clap::Parser;
use tokio::runtime::Builder;

use self::args::{Cli, Command, Config as ConfigCommand};
use self::misuse::Misuse;
use self::print::NobodyReads;

/// Runs the command that the arguments name, and returns the exit code of the process.
///
/// The first argument is the name of the program, as in [`std::env::args_os`].
/// The exit code is 0 when the command did what it was asked, 1 when something failed, and 2
/// when the arguments cannot be used as they are; the reason is on stderr.
///
/// ```
/// // `anynode --help` prints what there is.
/// anynode_cli::run(["anynode".into(), "--help".into()]);
/// ```
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = args::handles_last(arguments);
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody may be reading; the exit code says the same.
            let _ = if error.use_stderr() {
                let said = args::without_secrets(&error.to_string(), &arguments);
                write!(io::stderr(), "{said}")
            } else {
                error.print()
            };
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    match perform(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<NobodyReads>() => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "anynode: {error:#}");
            let is_misuse = error.downcast_ref::<Misuse>().is_some();
            ExitCode::from(if is_misuse { 2 } else { 1 })
        }
    }
}

fn perform(cli: Cli) -> Result<(), Error> {
    log::start(match cli.command {
        Some(Command::Gateway(_)) => log::Default::Infos,
        _ => log::Default::Errors,
    })?;
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let performed = match cli.command {
        Some(Command::Up(up)) => runtime.block_on(up::run(up)),
        None => runtime.block_on(up::run(cli.up)),
        Some(Command::Node(node)) => runtime.block_on(node::run(node)),
        Some(Command::Gateway(gateway)) => runtime.block_on(gateway::run(gateway)),
        Some(Command::Config(ConfigCommand::Check(check))) => config::check::run(&check),
        Some(Command::Sessions(command)) => runtime.block_on(sessions::run(command)),
        Some(Command::Users(command)) => runtime.block_on(sessions::run_users(command)),
        Some(Command::Doctor(doctor)) => runtime.block_on(doctor::run(doctor)),
        Some(Command::Completions(of)) => completions::run(&of),
    };
    // What still runs may be waiting for somebody who has gone.
    runtime.shutdown_background();
    performed
}
