//! What can be set before a SQLite store is opened, and how its file is named.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anynode_core::{Clock, store::Result};

use super::{
    SqliteStore,
    file::{Missing, refused},
};
use crate::SystemClock;

/// What can be set before a SQLite store is opened.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("sessions.db");
/// use anynode::store::sqlite::SqliteStore;
/// use std::time::Duration;
///
/// let store = SqliteStore::options()
///     .with_deadline(Duration::from_secs(2))
///     .open(&path)?;
/// # Ok::<(), anynode_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deadline: Duration,
    pub(super) queue_max: usize,
    pub(super) group_max: usize,
    pub(super) bytes_max: Option<u64>,
    pub(super) missing: Missing,
}

// === impl SqliteOptions ===

impl SqliteOptions {
    /// How long a call may take, unless set otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// How many writes wait in this process before further callers wait for room.
    pub const QUEUE_MAX: usize = 1_024;

    /// How many writes share one transaction at most, unless set otherwise.
    pub const GROUP_MAX: usize = 64;

    /// Takes the time from `clock`; by default from the machine's wall clock. All processes on
    /// one file have to use the same.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Ends every call after `deadline`; 5 s by default, far above what a sound disk needs.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Performs up to `writes` waiting writes in one transaction; 64 by default, and 1 gives
    /// each its own.
    #[must_use]
    pub fn with_group_max(mut self, writes: usize) -> Self {
        self.group_max = writes.max(1);
        self
    }

    /// Refuses ordinary writes when the file has `bytes` bytes; by default it may grow as the
    /// disk allows. Revocations and upkeep may add up to 1 MiB beyond it.
    #[must_use]
    pub fn with_bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = Some(bytes);
        self
    }

    /// Refuses a file that is not there, which by default is made: for tools that look into a
    /// store and would not start one.
    #[must_use]
    pub fn with_existing_file(mut self) -> Self {
        self.missing = Missing::Refuse;
        self
    }

    /// Opens the store: see [`SqliteStore::open`].
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore> {
        let path = parse(path.as_ref())?;
        SqliteStore::start(&path, self)
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            deadline: Self::DEADLINE,
            queue_max: Self::QUEUE_MAX,
            group_max: Self::GROUP_MAX,
            bytes_max: None,
            missing: Missing::Make,
        }
    }
}

/// The file that a path or a URL names: `sqlite:PATH`, or `sqlite://PATH`.
fn parse(name: &Path) -> Result<PathBuf> {
    let Some(rest) = name.to_str().and_then(|name| name.strip_prefix("sqlite:")) else {
        return named(name.to_owned());
    };
    if rest.contains(['?', '#']) {
        return Err(refused("a sqlite: URL takes no parameters"));
    }
    named(rest.strip_prefix("//").unwrap_or(rest).into())
}

fn named(path: PathBuf) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(refused("the path of the file is missing"));
    }
    if path
        .to_str()
        .is_some_and(|path| path.starts_with(":memory:"))
    {
        return Err(refused(
            "a database in memory is not supported: its connections would not share it; \
             use a file, or MemoryStore in tests",
        ));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_relative_or_an_absolute_file() {
        let file = |name: &str| parse(Path::new(name)).expect("names a file");
        assert_eq!(file("a/b.db"), Path::new("a/b.db"));
        assert_eq!(file("sqlite:b.db"), Path::new("b.db"));
        assert_eq!(file("sqlite:/a/b.db"), Path::new("/a/b.db"));
        assert_eq!(file("sqlite:///a/b.db"), Path::new("/a/b.db"));
        assert_eq!(file("sqlite://b.db"), Path::new("b.db"));
    }

    #[test]
    fn a_database_in_memory_and_parameters_are_refused() {
        for name in [
            "",
            "sqlite:",
            ":memory:",
            "sqlite::memory:",
            "sqlite:b?mode=ro",
        ] {
            let error = parse(Path::new(name)).expect_err(name);
            assert_eq!(error.kind(), anynode_core::ErrorKind::Config, "{name}");
        }
    }
}
