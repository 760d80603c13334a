//! The rows of claims about a store alone: processes that use it without a web server between,
//! and so many times as often.

mod child;
pub mod lost_updates;
pub mod risen_sessions;

use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, process};

use anyhow::{Context, Error};
use anynode_core::Store;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{STOPPED, StopSignals};

/// The store of a proof, and what it takes to ask it: the one that was named, or a file of its
/// own that is removed at the end.
struct Ground {
    url: String,
    store: Arc<dyn Store>,
    runtime: Runtime,
    _directory: Option<TempDir>,
}

/// Ends the program when a signal asks for it, and removes the files before: threads wait for
/// the children, which end with the pipes that this process holds.
async fn leave_nothing(stop: StopSignals, directory: Option<PathBuf>) {
    stop.next().await;
    if let Some(directory) = directory {
        // What stays is found by its name, and there is nobody left to tell.
        let _ = fs::remove_dir_all(directory);
    }
    eprintln!("anynode-lab: {STOPPED}");
    process::exit(1);
}

fn random() -> u64 {
    getrandom::u64().expect("the operating system gives random bytes")
}

// === impl Ground ===

impl Ground {
    fn open(url: Option<&String>) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let stop = runtime.block_on(async { StopSignals::catch() })?;
        let (url, directory) = match url {
            Some(url) => (url.clone(), None),
            None => {
                let directory = tempfile::tempdir()?;
                let path = directory.path().join("sessions.db");
                (format!("sqlite:{}", path.display()), Some(directory))
            }
        };
        let path = directory.as_ref().map(|of| of.path().to_owned());
        runtime.spawn(leave_nothing(stop, path));
        let store = runtime.block_on(anynode::store::open(&url));
        Ok(Self {
            store: store.context("the store cannot be opened")?,
            url,
            runtime,
            _directory: directory,
        })
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
