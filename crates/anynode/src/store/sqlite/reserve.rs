//! Room set aside, so that a full store can still revoke (L13).

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::clock::boot_time;

/// A file beside the database whose bytes are given back to the disk when it is full.
///
/// It works across processes without a word between them: while the file is missing or short,
/// ordinary writes try to make it again and are refused until they can.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    /// Where this reserve, of this process, is filled before it takes its place.
    draft: PathBuf,
    standing: Standing,
}

/// What this process last knew of the file.
#[derive(Debug)]
enum Standing {
    Kept,
    /// There was no room for it; until then nobody here tries again.
    Lost {
        until: Duration,
    },
}

/// As many bytes as the write-ahead log takes before it is written back and starts over, less
/// what it has taken already: a thousand revocations, or any number with checkpoints between.
pub(super) const RESERVE_BYTES: usize = 1024 * 1024;

const BLOCK_BYTES: usize = 64 * 1024;

/// Making the file takes all the room that is left and some milliseconds, so on a full disk not
/// every refused write does it.
const RETRY: Duration = Duration::from_secs(1);

/// Tells apart the stores that one process has on one file.
static NEXT: AtomicU32 = AtomicU32::new(0);

// === impl Reserve ===

impl Reserve {
    pub(super) fn beside(database: &Path) -> Self {
        let beside = |end: &str| {
            let mut path = database.as_os_str().to_owned();
            path.push(end);
            PathBuf::from(path)
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            path: beside("-reserve"),
            // A process that was killed leaves this name to the next one that has it.
            draft: beside(&format!("-reserve-{}-{number}", process::id())),
            standing: Standing::Kept,
        }
    }

    /// Makes the reserve unless it is there as a whole; false when there is no room for it.
    pub(super) fn keep(&mut self) -> bool {
        if self.is_whole() {
            self.kept();
            return true;
        }
        if matches!(self.standing, Standing::Lost { until } if boot_time() < until) {
            return false;
        }
        match self.make() {
            Ok(()) => {
                self.kept();
                true
            }
            Err(error) => {
                if self.lose() {
                    tracing::warn!(%error, "sqlite: no room for the reserve; only revocations");
                }
                false
            }
        }
    }

    /// Gives the room back.
    pub(super) fn release(&mut self) {
        // If it is not there, another process has given it back.
        let _ = fs::remove_file(&self.path);
        if self.lose() {
            tracing::warn!("sqlite: the store is full; revocations use the reserve");
        }
    }

    /// Whether this process has seen that the room is not there.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.standing, Standing::Lost { .. })
    }

    /// A shorter file is what someone who ran out of room has left, and holds no room.
    fn is_whole(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| {
            let whole = u64::try_from(RESERVE_BYTES).unwrap_or(u64::MAX);
            found.is_file() && found.len() >= whole
        })
    }

    /// Nothing of it stays when there is no room.
    fn make(&self) -> io::Result<()> {
        // Whatever a process of the same number has left; mostly there is nothing.
        let _ = fs::remove_file(&self.draft);
        let made = fill(&self.draft).and_then(|()| fs::rename(&self.draft, &self.path));
        if made.is_err() {
            let _ = fs::remove_file(&self.draft);
        }
        made
    }

    fn kept(&mut self) {
        if self.is_lost() {
            tracing::warn!("sqlite: the reserve is there again; the store takes all writes");
        }
        self.standing = Standing::Kept;
    }

    /// Waits with the next attempt; true when the reserve was kept until now.
    fn lose(&mut self) -> bool {
        let until = boot_time() + RETRY;
        let before = std::mem::replace(&mut self.standing, Standing::Lost { until });
        matches!(before, Standing::Kept)
    }
}

/// Fills a new file with bytes that take room on every file system: a hole takes none, and
/// what repeats takes little where files are compressed.
fn fill(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut block = vec![0; BLOCK_BYTES];
    for _ in 0..RESERVE_BYTES / BLOCK_BYTES {
        getrandom::fill(&mut block).map_err(io::Error::other)?;
        file.write_all(&block)?;
    }
    // Some file systems find out only now that there is no room.
    file.sync_all()
}
