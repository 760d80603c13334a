//! A small disk of a store's own, which can be filled without harm to anybody else.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, bail};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

/// A file system in memory with a size of its own, mounted on a directory until this is dropped.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
}

/// The file that takes all the room there is left.
const BALLAST: &str = "ballast";

/// As much as is written at once; what does not fit as a whole fits in part.
static BLOCK: [u8; 64 * 1024] = [0xa5; 64 * 1024];

/// More mounts than this on one directory are somebody else's.
const MOUNTS_MAX: usize = 16;

// === impl Disk ===

impl Disk {
    /// Mounts a disk of this size on a directory that is there.
    ///
    /// # Errors
    /// When this process may not mount, which is said, or the system refuses.
    pub(super) fn mount(path: &Path, bytes: u64) -> Result<Self, Error> {
        // Whoever the store runs as owns what it finds there, and that is not told from here.
        let size = CString::new(format!("size={bytes},mode=0755"))?;
        let options = Some(size.as_c_str());
        let flags = MountFlags::NODEV | MountFlags::NOSUID;
        match rustix::mount::mount("anynode-lab", path, "tmpfs", flags, options) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
            }),
            Err(Errno::PERM | Errno::ACCESS) => bail!(
                "a store with a disk of its own needs the right to mount: run this as root, or \
                 in a container that has the capability SYS_ADMIN"
            ),
            Err(error) => {
                Err(error).with_context(|| format!("no disk can be mounted on {}", path.display()))
            }
        }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left on it.
    ///
    /// # Errors
    /// When the ballast cannot be written for another reason than that there is no room.
    pub fn fill(&self) -> Result<(), Error> {
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.path.join(BALLAST))
            .context("the ballast cannot be made")?;
        loop {
            match ballast.write(&BLOCK) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the ballast cannot be written"),
            }
        }
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// When it was not filled.
    pub fn free(&self) -> Result<(), Error> {
        fs::remove_file(self.path.join(BALLAST)).context("the disk was not filled")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open there keeps the disk until it is closed.
        let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
    }
}

/// Unmounts what a starter that was killed has left mounted in a directory.
pub(super) fn unmount_all_in(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let points = points
        .map(Path::new)
        .filter(|point| point.starts_with(directory));
    for point in points.take(MOUNTS_MAX) {
        // What cannot be unmounted now may be unmounted by the next one.
        let _ = rustix::mount::unmount(point, UnmountFlags::DETACH);
    }
}
