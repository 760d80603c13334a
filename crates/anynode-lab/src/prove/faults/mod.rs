//! Faults: every store under every fault, with users before, during and after it.

mod cell;
mod fault;
mod row;
mod strike;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;

use anyhow::Error;
use serde::Serialize;
use tokio::task::JoinSet;

use self::cell::Cell;
pub use self::fault::Fault;
use self::row::Row;
use super::frame::{self, Finding, Format, at_least_one};
use super::home::Store;
use crate::server::Kind;

/// The stores that stand for all.
const QUICK: [Store; 5] = [
    Store::Sqlite,
    Store::Servers(Kind::Redis),
    Store::Servers(Kind::RedisCluster),
    Store::Servers(Kind::RedisSentinel),
    Store::Servers(Kind::Postgres),
];

/// Stores that are killed, paused, cut off, slowed, garbled, failed over, filled and flushed
/// under load: nothing is lost beyond what is promised, nothing rises, every request is answered
/// in time, and the nodes go on by themselves.
#[derive(Clone, Debug, clap::Args)]
pub struct Faults {
    /// The stores that stand for all: sqlite, redis, redis-cluster, redis-sentinel, postgres
    #[arg(long)]
    pub quick: bool,
    /// Only this store; may be given several times
    #[arg(long, value_name = "KIND", value_parser = store)]
    pub store: Vec<String>,
    /// Only this fault; may be given several times
    #[arg(long, value_enum)]
    pub fault: Vec<Fault>,
    /// What users do and when, and what is left to chance in a fault, follows from it
    #[arg(long)]
    pub seed: Option<u64>,
    /// Cells at the same time, each with a fleet and a store of its own
    #[arg(long, default_value_t = 4, value_parser = at_least_one::<usize>)]
    pub jobs: usize,
    /// Write every call there, as lines of JSON, one file for each cell
    #[arg(long, value_name = "DIRECTORY")]
    pub history: Option<PathBuf>,
    /// Print the summary as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What became of the cells.
#[derive(Clone, Debug, Serialize)]
pub struct FaultsFinding {
    seed: u64,
    run: usize,
    passed: usize,
    rows: Vec<Row>,
}

// === impl Faults ===

impl Faults {
    /// How the summary is printed.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::of(self.json)
    }

    /// Runs the cells, and prints each as it ends.
    ///
    /// # Errors
    /// When a signal asks to stop. A cell that cannot be run is one that has not passed.
    pub fn prove(&self) -> Result<FaultsFinding, Error> {
        frame::run(self.run())
    }

    async fn run(&self) -> Result<FaultsFinding, Error> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        let mut left: VecDeque<Cell> = self.cells()?.into();
        let mut running = JoinSet::new();
        let mut rows = Vec::new();
        loop {
            while running.len() < self.jobs
                && let Some(cell) = left.pop_front()
            {
                running.spawn(cell.run(seed, self.history_of(cell)));
            }
            let Some(row) = running.join_next().await else {
                break;
            };
            let row = row?;
            if !self.json {
                println!("{row}");
            }
            rows.push(row);
        }
        Ok(FaultsFinding {
            seed,
            run: rows.iter().filter(|row| !row.is_senseless()).count(),
            passed: rows.iter().filter(|row| row.is_passed()).count(),
            rows,
        })
    }

    fn history_of(&self, cell: Cell) -> Option<PathBuf> {
        let name = format!("{}-{}.jsonl", cell.store, cell.fault);
        Some(self.history.as_ref()?.join(name))
    }

    fn stores(&self) -> Vec<Store> {
        if self.quick {
            return QUICK.to_vec();
        }
        let servers = Kind::ALL.map(Store::Servers);
        [Store::Sqlite].into_iter().chain(servers).collect()
    }

    fn cells(&self) -> Result<Vec<Cell>, Error> {
        let named = self.store.iter().map(|name| name.parse());
        let mut stores = named.collect::<Result<Vec<Store>, _>>()?;
        if stores.is_empty() {
            stores = self.stores();
        }
        let is_asked = |fault: &Fault| self.fault.is_empty() || self.fault.contains(fault);
        let mut cells = Vec::new();
        for store in stores {
            let faults = Fault::ALL.into_iter().filter(is_asked);
            cells.extend(faults.map(|fault| Cell { store, fault }));
        }
        Ok(cells)
    }
}

/// Reads the name of a kind of store.
fn store(text: &str) -> Result<String, String> {
    match text.parse::<Store>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

// === impl FaultsFinding ===

impl Finding for FaultsFinding {
    fn shortfalls(&self) -> Vec<String> {
        let short = self.rows.iter();
        let short = short.filter(|row| !row.is_passed() && !row.is_senseless());
        let mut short: Vec<_> = short
            .map(|row| format!("{} {}", row.store, row.fault))
            .collect();
        if self.run == 0 {
            short.push("nothing was run".to_owned());
        }
        short
    }
}

impl fmt::Display for FaultsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let senseless = self.rows.len() - self.run;
        write!(
            f,
            "faults: {} of {} passed, {senseless} make no sense; seed {}",
            self.passed, self.run, self.seed
        )
    }
}
