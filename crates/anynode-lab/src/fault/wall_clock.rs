//! Wall clocks of processes that can be moved while they run, each by itself.
//!
//! The clock of the machine is everybody's, so a process is given another answer: the library
//! `libfaketime` is preloaded into it. Clocks that count from the machine's boot stay right.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Error};
use tempfile::TempDir;

use crate::server;

/// Wall clocks, by the names of the processes. Clones are the same clocks.
#[derive(Clone, Debug)]
pub struct WallClocks {
    library: PathBuf,
    files: Arc<TempDir>,
}

/// The library for programs with threads.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

// === impl WallClocks ===

impl WallClocks {
    /// Clocks that are right.
    ///
    /// # Errors
    /// When the library has not been brought.
    pub fn new() -> Result<Self, Error> {
        let libraries = server::unpacked("faketime")?.join("usr/lib");
        let entries = fs::read_dir(&libraries).context("faketime has no library")?;
        let candidates = entries.filter_map(|entry| Some(entry.ok()?.path().join(LIBRARY)));
        let library = candidates.into_iter().find(|path| path.is_file());
        Ok(Self {
            library: library.context("faketime has no library for programs with threads")?,
            files: Arc::new(tempfile::tempdir()?),
        })
    }

    /// Moves the clock of this process so many seconds from the right time.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn set(&self, process: &str, seconds: i64) -> Result<(), Error> {
        // As a whole, so that nobody reads half of it, and each by itself: processes are started
        // at the same time.
        let next = self.file_of(process).with_extension("next");
        fs::write(&next, format!("{seconds:+}\n"))?;
        fs::rename(next, self.file_of(process)).context("the clock cannot be moved")
    }

    /// What a process is started with for its clock to be one of these, right at first.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub(crate) fn environment(
        &self,
        process: &str,
    ) -> Result<[(&'static str, OsString); 4], Error> {
        self.set(process, 0)?;
        Ok([
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file_of(process).into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ])
    }

    fn file_of(&self, process: &str) -> PathBuf {
        self.files.path().join(format!("{process}.clock"))
    }
}
