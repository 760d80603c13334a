//! Room set aside, so that a full store can still revoke (L13).

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file beside the database whose bytes are given back to the disk when it is full.
///
/// It works across processes without a word between them: while the file is missing, ordinary
/// writes try to make it again and are refused until they can.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

/// As many bytes as the write-ahead log takes before it is written back and starts over, less
/// what it has taken already: a thousand revocations, or any number with checkpoints between.
pub(super) const RESERVE_BYTES: usize = 1024 * 1024;

// === impl Reserve ===

impl Reserve {
    pub(super) fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-reserve");
        Self { path: path.into() }
    }

    /// Makes the reserve unless it is there.
    ///
    /// # Errors
    /// When there is no room for it; then nothing of it stays.
    pub(super) fn keep(&self) -> io::Result<()> {
        if fs::metadata(&self.path).is_ok() {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        // Written and not merely extended: a hole in a file takes no room.
        let block = [0xA5; 4096];
        let filled = (0..RESERVE_BYTES / block.len()).try_for_each(|_| file.write_all(&block));
        if filled.is_err() {
            self.release();
        }
        filled
    }

    /// Gives the room back.
    pub(super) fn release(&self) {
        if fs::remove_file(&self.path).is_ok() {
            tracing::warn!("sqlite: the store is full; revocations use the reserve");
        }
    }
}
