//! What the file is and what it can promise: the raw material of `anynode doctor`.

use std::{fs, path::Path};

use anynode_core::{ClockKind, Deposed, Durability, Facts, Note, Verdict};
use rusqlite::Connection;

use super::{
    NAME,
    fault::Fault,
    file::{File, Role},
};

/// File systems that are on another machine. The write-ahead log needs memory that all
/// processes share, so that two machines on such a file destroy it.
const NETWORK: [&str; 16] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.sshfs",
    "gfs2",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
];

/// File systems that end with the machine.
const VOLATILE: [&str; 2] = ["ramfs", "tmpfs"];

/// A larger file is not read from end to end by `inspect`.
const CHECKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Looks at everything, which reads a small file whole: call it away from the async workers.
pub(super) fn inspect(file: &File) -> Result<Facts, Fault> {
    let db = file.connect(Role::Read)?;
    Ok(Facts {
        store: NAME,
        version: rusqlite::version().to_owned(),
        clock: ClockKind::Node,
        durability: Durability::Majority,
        deposed: Deposed::Never,
        notes: vec![
            journal(&db)?,
            synchronous(),
            file_system(file.path()),
            integrity(&db, file.path())?,
        ],
    })
}

fn journal(db: &Connection) -> Result<Note, Fault> {
    let found: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let verdict = if found == "wal" {
        Verdict::Safe
    } else {
        Verdict::Unsafe {
            why: "someone changed the journal; readers and writers now block each other",
            change: "PRAGMA journal_mode = WAL",
        }
    };
    Ok(Note {
        point: "journal mode",
        found,
        verdict,
    })
}

fn synchronous() -> Note {
    Note {
        point: "synchronous",
        found: "full for revocations, normal for other writes (a power failure may take back \
                the last of those)"
            .to_owned(),
        verdict: Verdict::Safe,
    }
}

fn file_system(path: &Path) -> Note {
    let found = fs::canonicalize(path)
        .ok()
        .zip(fs::read_to_string("/proc/self/mountinfo").ok())
        .and_then(|(path, mounts)| kind_of(&path, &mounts));
    let verdict = match found.as_deref() {
        Some(kind) if NETWORK.contains(&kind) => Verdict::Unsafe {
            why: "sqlite's write-ahead log does not work across machines and loses data there",
            change: "move the file to a disk of this machine, or use redis: or postgres:",
        },
        Some(kind) if VOLATILE.contains(&kind) => Verdict::Unsafe {
            why: "a restart of the machine ends every session and forgets every revocation",
            change: "move the file to a disk",
        },
        _ => Verdict::Safe,
    };
    Note {
        point: "file system",
        found: found.unwrap_or_else(|| "not known on this system".to_owned()),
        verdict,
    }
}

/// The kind of the file system that a path is on, from the text of `/proc/self/mountinfo`.
fn kind_of(path: &Path, mounts: &str) -> Option<String> {
    let mut deepest: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        // Such as `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`.
        let (place, source) = line.split_once(" - ")?;
        let (Some(point), Some(kind)) = (place.split(' ').nth(4), source.split(' ').next()) else {
            continue;
        };
        let point = point.replace("\\040", " ");
        // Of two mounts on one point the later hides the earlier.
        if path.starts_with(&point) && deepest.is_none_or(|(length, _)| length <= point.len()) {
            deepest = Some((point.len(), kind));
        }
    }
    deepest.map(|(_, kind)| kind.to_owned())
}

fn integrity(db: &Connection, path: &Path) -> Result<Note, Fault> {
    let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if bytes > CHECKED_BYTES_MAX {
        return Ok(Note {
            point: "integrity",
            found: format!("not checked: the file has {} MiB", bytes / (1024 * 1024)),
            verdict: Verdict::Safe,
        });
    }
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let sound = found == "ok";
    Ok(Note {
        point: "integrity",
        // The text of a complaint may quote what is in the file.
        found: if sound { "ok" } else { "damaged" }.to_owned(),
        verdict: if sound {
            Verdict::Safe
        } else {
            Verdict::Unsafe {
                why: "sessions can be lost or found where they do not belong",
                change: "restore the file from a copy, or start with a new one",
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /srv rw - tmpfs tmpfs rw
31 30 0:27 / /srv/nfs\\040share rw - nfs4 host:/x rw
";

    #[test]
    fn the_deepest_mount_tells_the_file_system() {
        let kind = |path: &str| kind_of(Path::new(path), MOUNTS);
        assert_eq!(kind("/var/db").as_deref(), Some("ext4"));
        assert_eq!(kind("/srv/db").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/srv/nfs share/db").as_deref(), Some("nfs4"));
        assert_eq!(kind("/srvx/db").as_deref(), Some("ext4"));
    }
}
