//! What can go wrong between the store and its server, and what it means to the caller.

use std::{error, fmt, io, sync::Arc};

use anynode_core::store::{Error, ErrorKind};
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::NAME;

/// Why a call on the server failed.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// There is no connection, and nothing was sent.
    Unreachable(Arc<io::Error>),
    /// The connection ended with something sent and not answered.
    Broken(Arc<tokio_postgres::Error>),
    /// The server refused; what it was asked did not happen.
    Refused(SqlState),
    /// The server ended the connection, or is not sure what became of the statement.
    Ended(SqlState),
    /// The server is a standby and takes no writes.
    Standby,
    /// The reserve is not there, and only revocations may take what room there is.
    Full,
    /// The server calls itself the primary, and another that was promoted since is known.
    Deposed,
    /// The deadline passed before anything was sent.
    Busy,
    /// The deadline passed before the answer came.
    Late,
    /// The server went on before the standbys that it has to wait for had the write.
    Alone,
    /// The standbys of the server do not acknowledge what they have to: it may be no primary.
    Unproved,
    /// A row holds what no anynode wrote; this is the column.
    Corrupt(&'static str),
    /// The store is not set up for this.
    Config(String),
}

/// Whether the call would have changed the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Read,
    /// Its answer counts only if the server did not go on without the standbys that it has to
    /// wait for.
    Write,
}

/// The code of an error that the server reported. Its text may quote what is in a row, so that
/// is not kept.
#[derive(Debug)]
struct Reported(String);

// === impl Fault ===

impl Fault {
    /// Whether the connection is of no more use.
    pub(super) fn ends_the_link(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Ended(_) | Self::Standby | Self::Deposed => true,
            Self::Refused(code) => {
                is_stale_plan(code) || *code == SqlState::READ_ONLY_SQL_TRANSACTION
            }
            _ => false,
        }
    }

    /// Whether trying again helps, after which nothing can have happened twice.
    pub(super) fn is_worth_another_try(&self, act: Act) -> bool {
        match self {
            Self::Refused(code) => {
                [
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    SqlState::T_R_DEADLOCK_DETECTED,
                    // It was the primary a moment ago; another may be now.
                    SqlState::READ_ONLY_SQL_TRANSACTION,
                ]
                .contains(code)
                    || is_stale_plan(code)
            }
            Self::Broken(_) | Self::Ended(_) => act == Act::Read,
            _ => false,
        }
    }

    /// Whether somebody had the server give it up, so that it did not happen.
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Refused(code) if *code == SqlState::QUERY_CANCELED)
    }

    /// Whether somebody else has a lock for longer than the statement waits.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::Refused(code) if *code == SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether the write may have happened, on this server alone perhaps.
    pub(super) fn leaves_a_write_open(&self) -> bool {
        matches!(
            self,
            Self::Broken(_) | Self::Ended(_) | Self::Late | Self::Alone
        )
    }

    /// Whether the server has no room for another connection.
    pub(super) fn is_too_many_connections(&self) -> bool {
        matches!(self, Self::Refused(code) if *code == SqlState::TOO_MANY_CONNECTIONS)
    }

    /// Whether there is no room on the disk for what was asked, which did not happen.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Full)
            || matches!(self, Self::Refused(code) if *code == SqlState::DISK_FULL)
    }

    /// The answer to the caller.
    pub(super) fn error(&self, verb: &'static str, act: Act) -> Error {
        let mut error = Error::new(self.kind(act), NAME, verb);
        if self.is_of_standing() {
            error = error.with_refusal();
        }
        match self {
            Self::Unreachable(source) => error
                .with_detail("the server cannot be reached")
                .with_source(source.clone()),
            Self::Broken(source) => error
                .with_detail("the connection was lost")
                .with_source(source.clone()),
            Self::Refused(code) | Self::Ended(code) => error
                .with_detail(meaning(code))
                .with_source(Reported(code.code().to_owned())),
            Self::Standby => error.with_detail("the server is a standby, and no primary answers"),
            Self::Full => error.with_detail(meaning(&SqlState::DISK_FULL)),
            Self::Deposed => error.with_detail(
                "the server was the primary before another was promoted, which does not answer",
            ),
            Self::Busy => error.with_detail("no connection was free before the deadline"),
            Self::Late => error.with_detail("the server did not answer before the deadline"),
            Self::Alone => error.with_detail(
                "the server has the write, and the standbys it has to wait for may not",
            ),
            Self::Unproved => error.with_detail(
                "the standbys that the server has to wait for do not acknowledge it, so another \
                 may be the primary by now",
            ),
            Self::Corrupt(column) => error.with_detail(format!("unreadable column {column}")),
            Self::Config(detail) => error.with_detail(detail.clone()),
        }
    }

    /// Whether the server refused because it is no primary, or may have been deposed.
    fn is_of_standing(&self) -> bool {
        match self {
            Self::Standby | Self::Deposed | Self::Alone | Self::Unproved => true,
            Self::Refused(code) => *code == SqlState::READ_ONLY_SQL_TRANSACTION,
            _ => false,
        }
    }

    fn kind(&self, act: Act) -> ErrorKind {
        match self {
            _ if act == Act::Write && self.leaves_a_write_open() => ErrorKind::Indeterminate,
            Self::Refused(code) => kind_of(code),
            Self::Corrupt(_) => ErrorKind::Corrupt,
            Self::Config(_) => ErrorKind::Config,
            _ => ErrorKind::Unavailable,
        }
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let ends_all = error.as_db_error().is_some_and(ends_the_connection);
        match error.code() {
            Some(code) if ends_all || leaves_open(code) => Self::Ended(code.clone()),
            Some(code) => Self::Refused(code.clone()),
            None => Self::Broken(Arc::new(error)),
        }
    }
}

/// Whether the server told it with its last words: whatever the reason is, it may have come after
/// the statement.
fn ends_the_connection(error: &DbError) -> bool {
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // Poolers leave out the one that is not translated, and translate nothing.
        None => ["FATAL", "PANIC"].contains(&error.severity()),
    }
}

/// Whether a statement that met this error may have been committed all the same.
fn leaves_open(code: &SqlState) -> bool {
    *code == SqlState::ADMIN_SHUTDOWN
        || *code == SqlState::CRASH_SHUTDOWN
        || *code == SqlState::IDLE_SESSION_TIMEOUT
        || *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
        // Connection exceptions, most of them from a pooler, and errors of the system.
        || ["08", "58"].iter().any(|class| code.code().starts_with(class))
}

/// Whether a prepared statement is not, or no more, what it was: someone discarded it, changed
/// a table, or put a pooler between. Another connection prepares it anew.
fn is_stale_plan(code: &SqlState) -> bool {
    [
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::DUPLICATE_PSTATEMENT,
        SqlState::FEATURE_NOT_SUPPORTED,
    ]
    .contains(code)
}

fn kind_of(code: &SqlState) -> ErrorKind {
    if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED {
        return ErrorKind::Corrupt;
    }
    match &code.code()[..2] {
        // Who one is, which database, which schema, and what is in it.
        "28" | "3D" | "3F" | "42" => ErrorKind::Config,
        "22" | "23" => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

/// What an operator has to know of a code.
fn meaning(code: &SqlState) -> &'static str {
    if *code == SqlState::DISK_FULL {
        return "the server's disk is full";
    }
    if *code == SqlState::TOO_MANY_CONNECTIONS {
        return "the server has no room for another connection";
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return "the server takes no writes; it is not the primary";
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return "the role lacks a right on the schema or its tables";
    }
    if *code == SqlState::CANNOT_CONNECT_NOW {
        return "the server is starting up or shutting down";
    }
    match &code.code()[..2] {
        "28" => "the server does not accept the user or the password",
        "3D" => "there is no such database",
        "3F" | "42" => "the schema is missing, or is not one of anynode",
        "53" => "the server lacks a resource",
        "57" => "an operator or a limit of the server ended it",
        "40" => "the server gave it up in favour of another",
        _ => "the server refused",
    }
}

// === impl Reported ===

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLSTATE {}", self.0)
    }
}

impl error::Error for Reported {}

#[cfg(test)]
mod tests;
