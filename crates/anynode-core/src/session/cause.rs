//! Why a session ended: so that "why was I logged out?" has an answer.

use std::fmt;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Its user logged out, here or from another of their sessions.
    User,
    /// An administrator ended it.
    Admin,
    /// Nobody used it for its idle timeout.
    Idle,
    /// Its absolute deadline passed.
    Absolute,
    /// The user had too many sessions.
    Limit,
    /// A refresh token was used twice.
    Reuse,
    /// All sessions of its user were revoked.
    Epoch,
    /// The key that protected it was withdrawn.
    Key,
    /// It was moved to another store.
    Migration,
}

impl Cause {
    const ALL: [(Self, u8, &'static str); 9] = [
        (Self::User, 1, "user"),
        (Self::Admin, 2, "admin"),
        (Self::Idle, 3, "idle"),
        (Self::Absolute, 4, "absolute"),
        (Self::Limit, 5, "limit"),
        (Self::Reuse, 6, "reuse"),
        (Self::Epoch, 7, "epoch"),
        (Self::Key, 8, "key"),
        (Self::Migration, 9, "migration"),
    ];

    /// The number that stores keep for the cause; it never changes its meaning.
    ///
    /// ```
    /// # use anynode_core::Cause;
    /// assert_eq!(Cause::from_code(Cause::Admin.code()), Some(Cause::Admin));
    /// ```
    pub fn code(self) -> u8 {
        self.row().1
    }

    /// The cause with this number, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        let row = Self::ALL.iter().find(|row| row.1 == code)?;
        Some(row.0)
    }

    /// One lower-case word, for logs, metrics and the command line.
    pub fn as_str(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Self, u8, &'static str) {
        Self::ALL
            .iter()
            .find(|row| row.0 == self)
            .expect("every cause has its row")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_reads_back_from_its_code() {
        for (cause, code, _) in Cause::ALL {
            assert_eq!(cause.code(), code);
            assert_eq!(Cause::from_code(code), Some(cause));
        }
        assert_eq!(Cause::from_code(0), None);
    }
}
