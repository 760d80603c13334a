//! The line in which the writers of all processes stand, so that none starves.
//!
//! SQLite's write lock knows no order: a process that writes without a break takes it again
//! within microseconds of letting it go, and one that looks for it now and then hardly ever
//! finds it free. So whoever wants it first takes the head of the line, a lock on a file beside
//! the database, and lets that go once it has the write lock: the last writer finds the head
//! taken and cannot come first again.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    time::Duration,
};

use super::pause::Pause;
use crate::clock::boot_time;

/// The line. Order is all it gives: what holds without it is merely slow.
#[derive(Debug)]
pub(super) struct Line {
    head: Option<File>,
}

/// The head of the line; the next one steps up when it is dropped.
#[derive(Debug)]
pub(super) struct Head<'line>(Option<&'line File>);

/// For how long the head is waited for: a process that is stopped at it holds nobody up for
/// longer.
const WAIT_MAX: Duration = Duration::from_millis(50);

// === impl Line ===

impl Line {
    pub(super) fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-line");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let head = options.open(path);
        if let Err(error) = &head {
            tracing::warn!(%error, "sqlite: writers of several processes take no turns");
        }
        Self { head: head.ok() }
    }

    /// Waits for the head of the line.
    pub(super) fn stand(&self) -> Head<'_> {
        let Some(file) = &self.head else {
            return Head(None);
        };
        let mut wait: Option<(Duration, Pause)> = None;
        loop {
            match file.try_lock() {
                Ok(()) => return Head(Some(file)),
                // A file system without such locks.
                Err(std::fs::TryLockError::Error(_)) => return Head(None),
                Err(std::fs::TryLockError::WouldBlock) => {}
            }
            let (until, pause) =
                wait.get_or_insert_with(|| (boot_time() + WAIT_MAX, Pause::default()));
            if *until <= boot_time() {
                return Head(None);
            }
            pause.sleep();
        }
    }
}

// === impl Head ===

impl Drop for Head<'_> {
    fn drop(&mut self) {
        // The lock ends with the process at the latest.
        let _ = self.0.map(File::unlock);
    }
}
