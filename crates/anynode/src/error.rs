//! What can go wrong with a session, and what the client is told.

use anynode_core::{Error, ErrorKind, OverBudget, ValueError, session::InvalidUserId};
use http::StatusCode;

use crate::codec::CodecError;

/// A session could not be read or changed.
///
/// With the `axum` feature it is a response, so handlers can use `?`. What the client sees is
/// a status and one sentence; the rest is for logs. Neither holds a secret, an id or data.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The store could not be asked, or did not answer in time. Nothing is known of the
    /// session, so nothing of it is honoured: 503. When the store answered that it cannot
    /// read the session or is not set up for this: 500; that it keeps nothing so large: 507.
    Store(Error),
    /// The stored data cannot be decoded; it was left as it is: 500.
    Codec(CodecError),
    /// A value and the type asked for do not fit: 500.
    Value(ValueError),
    /// The session outgrew its budget, and nothing of the request was written: 507.
    OverBudget(OverBudget),
    /// The session ended, or became another user's, while the request ran; its changes were
    /// not written: 409.
    Gone,
    /// Too many requests write to this session at once: 503.
    Contended,
    /// Too many anonymous sessions are being created on this node: 503.
    Quota,
    /// The store is unreachable and the failure policy allows reading only: 503.
    ReadOnly,
    /// The head of the response is on its way, so no cookie can be set any more: 500.
    HeadSent,
    /// A login was asked for by a method that must not change anything, such as GET: 405.
    SafeMethod,
    /// The name of the user is empty or too long: 500.
    User(InvalidUserId),
    /// Only a session that is bound to a user has `Sessions`, and only a visitor with a session
    /// has open connections: 401.
    NotBound,
    /// The route has no `SessionLayer` around it: 500.
    NoLayer,
}

impl SessionError {
    /// The status of the response that this error becomes.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Store(error) if error.kind() == ErrorKind::TooLarge => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            Self::Store(error)
                if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Config) =>
            {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Store(_) | Self::Contended | Self::Quota | Self::ReadOnly => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Codec(_) | Self::Value(_) | Self::HeadSent | Self::User(_) | Self::NoLayer => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::OverBudget(_) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Gone => StatusCode::CONFLICT,
            Self::SafeMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotBound => StatusCode::UNAUTHORIZED,
        }
    }

    /// One sentence for the client: what to do, and nothing about the inside.
    pub fn sentence(&self) -> &'static str {
        match self.status() {
            StatusCode::SERVICE_UNAVAILABLE => "Sessions are unavailable at present; try again.",
            StatusCode::CONFLICT => "The session changed meanwhile; try again.",
            StatusCode::METHOD_NOT_ALLOWED => "This needs another method, such as POST.",
            StatusCode::UNAUTHORIZED => "Log in first.",
            StatusCode::INSUFFICIENT_STORAGE => "The session is full.",
            _ => "The session could not be used.",
        }
    }
}

impl std::fmt::Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => write!(f, "store: {error}"),
            Self::Codec(error) => write!(f, "session data: {error}"),
            Self::Value(error) => write!(f, "value of a key: {error}"),
            Self::OverBudget(error) => write!(f, "{error}"),
            Self::Gone => f.write_str("the session ended or changed hands during the request"),
            Self::Contended => f.write_str("too many requests write to this session at once"),
            Self::Quota => f.write_str("the quota of anonymous sessions is used up"),
            Self::ReadOnly => f.write_str("the store is unreachable; sessions are read-only"),
            Self::HeadSent => f.write_str("the response head is sent; no cookie can be set"),
            Self::SafeMethod => f.write_str("a login needs a method that may change state"),
            Self::User(error) => write!(f, "{error}"),
            Self::NotBound => f.write_str("there is no session, or it is not bound to a user"),
            Self::NoLayer => f.write_str("there is no SessionLayer around this route"),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Codec(error) => Some(error),
            Self::Value(error) => Some(error),
            Self::OverBudget(error) => Some(error),
            Self::User(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for SessionError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<CodecError> for SessionError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl From<ValueError> for SessionError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl From<OverBudget> for SessionError {
    fn from(error: OverBudget) -> Self {
        Self::OverBudget(error)
    }
}

impl From<InvalidUserId> for SessionError {
    fn from(error: InvalidUserId) -> Self {
        Self::User(error)
    }
}
