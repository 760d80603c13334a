//! What can go wrong between the store and its file, and what it means to the caller.

use std::sync::Arc;

use anynode_core::store::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// Why an act on the file failed.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// SQLite said so.
    Driver(Arc<rusqlite::Error>),
    /// A row holds what no anynode wrote; this is the column.
    Corrupt(&'static str),
    /// There is no room, and only revocations may use the reserve.
    Full,
    /// The deadline passed while another process or thread held the write lock.
    Late,
}

// === impl Fault ===

impl Fault {
    /// Whether trying again helps: someone else holds a lock for a moment.
    pub(super) fn is_busy(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::FileLockingProtocolFailed
            )
        )
    }

    /// Whether room has run out.
    pub(super) fn is_full(&self) -> bool {
        // A quota that is used up is an I/O error to SQLite, and so is a full disk under a
        // memory-mapped file; freeing the reserve is right for these as well.
        matches!(self, Self::Full)
            || matches!(
                self.code(),
                Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure)
            )
    }

    /// Whether SQLite undoes what met this fault with certainty, even in a commit.
    pub(super) fn is_undone(&self) -> bool {
        !matches!(self.code(), Some(code) if code != ErrorCode::DiskFull) || self.is_busy()
    }

    /// The answer to the caller when nothing was written.
    pub(super) fn error(&self, verb: &'static str) -> Error {
        let kind = match (self, self.code()) {
            (Self::Corrupt(_), _)
            | (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => ErrorKind::Corrupt,
            (_, Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied)) => ErrorKind::Config,
            _ => ErrorKind::Unavailable,
        };
        self.error_of(kind, verb)
    }

    /// The answer to who opens the store: a file that is no database is the wrong file.
    pub(super) fn open_error(&self) -> Error {
        match self {
            Self::Driver(source) if self.code() == Some(ErrorCode::NotADatabase) => {
                super::file::refused("the file is no SQLite database").with_source(source.clone())
            }
            _ => self.error("open"),
        }
    }

    /// The answer to the caller when the commit itself failed.
    pub(super) fn commit_error(&self, verb: &'static str) -> Error {
        if self.is_undone() {
            return self.error(verb);
        }
        self.error_of(ErrorKind::Indeterminate, verb)
    }

    fn error_of(&self, kind: ErrorKind, verb: &'static str) -> Error {
        let error = Error::new(kind, super::NAME, verb);
        match self {
            Self::Corrupt(column) => error.with_detail(format!("unreadable column {column}")),
            Self::Full => error.with_detail("the store is full and takes only revocations"),
            Self::Late => error.with_detail("the write lock was not free before the deadline"),
            Self::Driver(source) if self.is_busy() => error
                .with_detail("the file was in use until the deadline")
                .with_source(source.clone()),
            Self::Driver(source) => error.with_source(source.clone()),
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Driver(error) => error.sqlite_error_code(),
            Self::Corrupt(_) | Self::Full | Self::Late => None,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Driver(Arc::new(error))
    }
}
