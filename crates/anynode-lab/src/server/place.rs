//! The directory of a running server, and what is left of servers whose starter was killed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Error};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::disk::{self, Disk};
use super::process::is_running;
use super::program;

/// The user and group that servers run as which refuse to run as root: nobody.
pub(super) const NOBODY: u32 = 65_534;

/// A directory of a server's own, removed with this.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
}

static LEFTOVERS: Once = Once::new();

// === impl Place ===

impl Place {
    /// Makes a directory that is named after the server and this process.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let above = above()?;
        LEFTOVERS.call_once(|| remove_leftovers(&above));
        let directory = tempfile::Builder::new()
            .prefix(&format!("{name}-{}-", std::process::id()))
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(&above)
            .with_context(|| format!("no directory can be made in {}", above.display()))?;
        Ok(Self { directory })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Makes a directory in this one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn make(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path().join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Mounts a disk of this size on a directory in this one.
    ///
    /// # Errors
    /// When that is not possible, or this process may not.
    pub(crate) fn mount(&self, bytes: u64) -> Result<Disk, Error> {
        Disk::mount(&self.make("disk")?, bytes)
    }
}

/// Whether this process is root, as whom some servers do not run.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives a file or directory to the user that servers run as, if this process is root.
///
/// # Errors
/// When the system refuses.
pub(super) fn give_away(path: &Path) -> Result<(), Error> {
    if !is_root() {
        return Ok(());
    }
    chown(path, Some(NOBODY), Some(NOBODY))
        .with_context(|| format!("cannot give {} away", path.display()))
}

/// The directory above those of all servers.
///
/// # Errors
/// When it cannot be made.
pub(super) fn above() -> Result<PathBuf, Error> {
    let path = program::target()?.join("servers");
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let path = path.canonicalize();
    path.context("a directory that was made is there")
}

/// Removes the directories of processes that are gone. Their servers ended with them, but for
/// the children of a paused one, which never learn of it.
fn remove_leftovers(above: &Path) {
    let entries = fs::read_dir(above).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if owner(&path).is_some_and(|pid| !is_running(pid)) {
            end_all_in(&path);
            disk::unmount_all_in(&path);
            // What cannot be removed now may be removed by the next one.
            drop(fs::remove_dir_all(&path));
        }
    }
}

/// The process that made a directory of the form `NAME-PID-RANDOM`.
fn owner(path: &Path) -> Option<u32> {
    let mut words = path.file_name()?.to_str()?.rsplit('-');
    words.nth(1)?.parse().ok()
}

/// Ends the processes that work in a directory.
fn end_all_in(path: &Path) {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let works_in = fs::read_link(process.path().join("cwd"));
        if !works_in.is_ok_and(|works_in| works_in.starts_with(path)) {
            continue;
        }
        let name = process.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ended_by_itself = kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_a_killed_starter_left_mounted_is_unmounted_and_removed() {
        let mut gone = Command::new("true").spawn().expect("a process");
        gone.wait().expect("it ends");
        let above = tempfile::tempdir().expect("a directory");
        let path = above.path().join(format!("postgres-{}-x", gone.id()));
        fs::create_dir_all(path.join("disk")).expect("a directory");
        let disk = Disk::mount(&path.join("disk"), 1024 * 1024).expect("a disk");
        disk.fill().expect("ballast");
        remove_leftovers(above.path());
        assert!(!path.exists());
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        assert!(!mounts.contains(&path.display().to_string()), "{mounts}");
    }
}
