//! `anynode-lab compare`: what it is told, and where it leaves what it found.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error};

use super::run::{self, Order, Size};
use super::terminal::{self, Paint};
use super::{html, report::Report};
use crate::fleet::Strategy;
use crate::server::Wanted;

/// What each strategy costs its users: load, a crash, a deploy, growth, revocation.
#[derive(Clone, Debug, clap::Args)]
pub struct Compare {
    /// Take minutes instead of a quarter of an hour
    #[arg(long)]
    pub quick: bool,
    /// Write report.html and report.json there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What users do and when, and which node is killed, follows from it; random by default
    #[arg(long)]
    pub seed: Option<u64>,
    /// Compare these alone; may be given more than once
    #[arg(long = "strategy", value_enum)]
    pub strategies: Vec<Strategy>,
    /// The store of `central` and `near-cache`: its URL, or what is to be started, such as `redis` or `postgres`;
    /// `sqlite`, the default, is a new file
    #[arg(long, value_name = "URL|KIND", default_value_t)]
    pub store: Wanted,
    /// Print the report as JSON instead of the table
    #[arg(long)]
    pub json: bool,
    /// Users of each strategy [default: 1000; with --quick 200]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=USERS_MAX))]
    pub users: Option<u32>,
    /// Requests per second [default: 1000; with --quick 400]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Of a hundred requests, how many write
    #[arg(long, value_name = "PERCENT", default_value_t = WRITES, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub writes: u8,
    /// Seconds of steady load [default: 60; with --quick 8]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub steady: Option<u32>,
    /// Seconds that users are watched at least after each change [default: 15; with --quick 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub watched: Option<u32>,
}

/// Somebody who shops; a user who mostly reads writes with one request of ten.
const WRITES: u8 = 50;

/// As many users as have an address of their own.
const USERS_MAX: i64 = 65_000;

// === impl Compare ===

impl Compare {
    /// Compares, prints what was found, and writes it where that was asked for.
    ///
    /// # Errors
    /// When something could not be measured or written.
    pub fn compare(&self) -> Result<(), Error> {
        if let Some(directory) = &self.out {
            // Found out before minutes of work, not after them.
            fs::create_dir_all(directory)
                .with_context(|| format!("{} cannot be made", directory.display()))?;
        }
        let report = run::run(self.order()?)?;
        if let Some(directory) = &self.out {
            write(directory, "report.json", &report.to_json()?)?;
            write(directory, "report.html", &html::page(&report))?;
        }
        self.print(&report)
    }

    fn print(&self, report: &Report) -> Result<(), Error> {
        if self.json {
            print!("{}", report.to_json()?);
        } else {
            print!("{}", terminal::table(report, Paint::of_stdout()));
        }
        Ok(())
    }

    fn order(&self) -> Result<Order, Error> {
        let mut size = if self.quick { Size::QUICK } else { Size::FULL };
        size.users = self.users.unwrap_or(size.users);
        size.rate = self.rate.unwrap_or(size.rate);
        size.writes_percent = self.writes;
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        size.steady = self.steady.map_or(size.steady, seconds);
        size.watched = self.watched.map_or(size.watched, seconds);
        let mut strategies = Strategy::ALL.to_vec();
        if !self.strategies.is_empty() {
            strategies.retain(|strategy| self.strategies.contains(strategy));
        }
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        Ok(Order {
            store: self.store.clone(),
            command: self.command(seed, &strategies),
            strategies,
            size,
            seed,
        })
    }

    /// The command line that repeats it. A store's URL is left out: it may hold a password.
    fn command(&self, seed: u64, strategies: &[Strategy]) -> String {
        let mut text = "anynode-lab compare".to_owned();
        if self.quick {
            text.push_str(" --quick");
        }
        text.push_str(&format!(" --seed {seed}"));
        let numbers = [
            ("users", self.users),
            ("rate", self.rate),
            ("steady", self.steady),
            ("watched", self.watched),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                text.push_str(&format!(" --{name} {number}"));
            }
        }
        if self.writes != WRITES {
            text.push_str(&format!(" --writes {}", self.writes));
        }
        if let Wanted::Kind(kind) = self.store {
            text.push_str(&format!(" --store {kind}"));
        }
        if !self.strategies.is_empty() {
            for strategy in strategies {
                text.push_str(&format!(" --strategy {strategy}"));
            }
        }
        text
    }
}

fn write(directory: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = directory.join(name);
    fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
