//! What the user can put right where they typed it: exit code 2.

use std::fmt;

/// The command was called in a way it cannot be performed; the text says what to change.
#[derive(Debug)]
pub(crate) struct Misuse(pub(crate) String);

impl fmt::Display for Misuse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}
