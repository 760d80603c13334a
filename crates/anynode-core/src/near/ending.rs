//! Why an open connection is closed.

use std::fmt;

use crate::session::Cause;

/// Why an open connection of a session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The session has ended; by what, if that is known. It is not where somebody removed it by
    /// hand.
    Ended(Option<Cause>),
    /// Somebody has logged in under the session since, if only its user once more.
    Rebound,
    /// It is not known any more whether the session lives. Who comes again is told, or answered
    /// that nobody knows.
    Unknown,
}

// === impl Ending ===

impl Ending {
    /// One lower-case word, for metrics, events and close frames: the cause, if there is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended(Some(cause)) => cause.as_str(),
            Self::Ended(None) => "ended",
            Self::Rebound => "rebound",
            Self::Unknown => "unknown",
        }
    }

    /// The code with which a WebSocket is closed.
    ///
    /// 1008, policy violation, when it must not go on: what containers of servlets close the
    /// WebSockets of an ended session with, so that clients know it. 1013, try again later, when
    /// it is not known.
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Ended(_) | Self::Rebound => 1008,
            Self::Unknown => 1013,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(Some(cause)) => write!(f, "the session ended ({cause})"),
            Self::Ended(None) => f.write_str("the session ended"),
            Self::Rebound => f.write_str("somebody logged in under the session"),
            Self::Unknown => f.write_str("it is not known whether the session lives"),
        }
    }
}

impl std::error::Error for Ending {}
