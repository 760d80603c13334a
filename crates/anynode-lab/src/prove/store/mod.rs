//! The rows of claims about a store alone: processes that use it without a web server between,
//! and so many times as often.

mod child;
pub mod lost_updates;
pub mod risen_sessions;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, process};

use anyhow::{Context, Error};
use anynode_core::Store;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::home::Home;
use super::{Format, STOPPED, StopSignals};
use crate::server::Wanted;

/// The store of a proof, and what it takes to ask it: the one that was named, or a file of its
/// own that is removed at the end.
struct Ground {
    store: Arc<dyn Store>,
    home: Home,
    rng: Mutex<fastrand::Rng>,
    runtime: Runtime,
}

/// The terms on which a row about a store alone is proved.
#[derive(Clone, Debug, clap::Args)]
pub struct Terms {
    /// A tenth of it
    #[arg(long)]
    pub quick: bool,
    /// The names of sessions follow from it, so that each can be used on a store once; random by
    /// default
    #[arg(long)]
    pub seed: Option<u64>,
    /// The store: its URL, or what is to be started, such as `redis` or `postgres`; `sqlite` is a
    /// new file
    #[arg(long, value_name = "URL|KIND", default_value_t)]
    pub store: Wanted,
    /// Print the summary as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// How often the files of a proof that is stopped are tried to be removed, and the pause between.
const REMOVALS_MAX: u32 = 50;
const REMOVAL_PAUSE: Duration = Duration::from_millis(20);

/// Ends the program when a signal asks for it, and removes the files before: threads wait for
/// the children, which end with the pipes that this process holds.
async fn leave_nothing(stop: StopSignals, directory: Option<PathBuf>) {
    stop.next().await;
    if let Some(directory) = directory {
        // Children that still write may make a file while the others are removed. What stays
        // after that is found by its name, and there is nobody left to tell.
        for _ in 0..REMOVALS_MAX {
            let _ = fs::remove_dir_all(&directory);
            if !directory.exists() {
                break;
            }
            sleep(REMOVAL_PAUSE).await;
        }
    }
    eprintln!("anynode-lab: {STOPPED}");
    process::exit(1);
}

fn random() -> u64 {
    getrandom::u64().expect("the operating system gives random bytes")
}

// === impl Terms ===

impl Terms {
    /// How the summary is printed.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::of(self.json)
    }

    /// The number that was given, or what is to be done if none was.
    fn choose(&self, given: Option<u64>, full: u64) -> u64 {
        given.unwrap_or(if self.quick { full / 10 } else { full })
    }

    fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(random)
    }
}

// === impl Ground ===

impl Ground {
    fn open(terms: &Terms) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let stop = runtime.block_on(async { StopSignals::catch() })?;
        let home = runtime.block_on(Home::open(&terms.store))?;
        runtime.spawn(leave_nothing(stop, home.directory()));
        let store = runtime.block_on(anynode::store::open(home.url()));
        Ok(Self {
            store: store.context("the store cannot be opened")?,
            home,
            rng: Mutex::new(fastrand::Rng::with_seed(terms.seed())),
            runtime,
        })
    }

    fn url(&self) -> &str {
        self.home.url()
    }

    fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    fn random(&self) -> u64 {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.u64(..)
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
