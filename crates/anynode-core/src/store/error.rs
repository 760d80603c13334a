//! What went wrong in a store, told as what the caller does next.

use std::{error, fmt};

/// A store could not do what it was asked.
///
/// Absence, conflict and death are answers, not errors. The message names the store, the verb
/// and what happened, and never holds a secret, an id or data; the driver's own error is kept
/// as the source.
///
/// ```
/// # use anynode_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::Unavailable, "sqlite", "load").with_detail("disk I/O error");
/// assert_eq!(error.to_string(), "sqlite: load: unavailable: disk I/O error");
/// ```
pub struct Error {
    kind: ErrorKind,
    store: &'static str,
    verb: &'static str,
    detail: Option<String>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
    standing: Standing,
}

/// What the server that answered said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unsaid,
    /// That it is no primary, or may have been deposed.
    Deposed,
}

/// What the caller of a store does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing happened; the store cannot be reached or asked at present. Try later.
    Unavailable,
    /// The write may have happened or not. Look before doing it again.
    Indeterminate,
    /// What the store holds cannot be read. It was left as it is; a person has to look.
    Corrupt,
    /// The store is not set up for this. Change the configuration.
    Config,
    /// The store keeps nothing so large. Shrink it.
    TooLarge,
}

/// A result of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

// === impl Error ===

impl Error {
    /// An error of `kind` in `store` while performing `verb`.
    pub fn new(kind: ErrorKind, store: &'static str, verb: &'static str) -> Self {
        Self {
            kind,
            store,
            verb,
            detail: None,
            source: None,
            standing: Standing::Unsaid,
        }
    }

    /// Says that a server answered and refused, because it is no primary or may have been
    /// deposed. A node whose heartbeat was refused so must not even read there.
    #[must_use]
    pub fn with_refusal(mut self) -> Self {
        self.standing = Standing::Deposed;
        self
    }

    /// Adds what happened: lower case, no full stop, no ids, secrets or data.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Keeps the error that caused this one. Logs show what it and its own sources say, so
    /// these hold no ids, secrets or data either.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller does next.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether a server answered and refused, because it is no primary or may have been deposed.
    /// `false` where nobody answered.
    pub fn is_refusal(&self) -> bool {
        self.standing == Standing::Deposed
    }

    /// The store, such as `sqlite`.
    pub fn store(&self) -> &'static str {
        self.store
    }

    /// The verb of the store that failed, such as `load`.
    pub fn verb(&self) -> &'static str {
        self.verb
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.store, self.verb, self.kind)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

// === impl ErrorKind ===

impl ErrorKind {
    /// A word or two in lower case, for messages and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Indeterminate => "indeterminate",
            Self::Corrupt => "corrupt",
            Self::Config => "configuration",
            Self::TooLarge => "too large",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
