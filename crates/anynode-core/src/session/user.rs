//! Whose session it is, and the one write that ends all sessions of a user.

use std::{fmt, sync::Arc};

use crate::{session::Handle, time::Timestamp};

/// A user, as the application names them: 1 to 255 bytes of text.
///
/// It may be an e-mail address, so `Debug` shows only its length.
///
/// ```
/// # use anynode_core::UserId;
/// assert_eq!(UserId::new("ada").unwrap().as_str(), "ada");
/// assert!(UserId::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

/// The text cannot name a user: it is empty or longer than [`UserId::BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUserId;

/// A generation of a user's sessions, in microseconds of the store's clock.
///
/// A session is stamped with the user's epoch when it is bound; moving the epoch outdates
/// every stamp at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

/// What a store keeps about a user: which stamps are still good.
///
/// A user without an entry has the epoch [`Epoch::ZERO`] and spares nobody.
///
/// ```
/// # use anynode_core::{Epoch, Handle, Timestamp, UserEntry};
/// let (mine, other) = (Handle::from_bytes([1; 16]), Handle::from_bytes([2; 16]));
/// let entry = UserEntry::default().revoked(Some(mine), Timestamp::from_millis(5));
/// assert!(entry.admits(&mine, Epoch::ZERO));
/// assert!(!entry.admits(&other, Epoch::ZERO));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UserEntry {
    /// The stamp that sessions of this user must bear.
    pub epoch: Epoch,
    /// The one session that the last revocation left alive, if it left one.
    pub spared: Option<Spared>,
}

/// The session that "log out everywhere else" was called from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spared {
    /// Its handle.
    pub handle: Handle,
    /// The lowest stamp it may bear. Without it an older life of the user's session under the
    /// same handle, outdated by an earlier revocation, would be spared as well.
    pub from: Epoch,
}

// === impl UserId ===

impl UserId {
    /// The longest name of a user, in bytes.
    pub const BYTES_MAX: usize = 255;

    /// The user named `text`.
    ///
    /// # Errors
    /// [`InvalidUserId`] when the text is empty or longer than 255 bytes.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidUserId> {
        let text = text.as_ref();
        if text.is_empty() || text.len() > Self::BYTES_MAX {
            return Err(InvalidUserId);
        }
        Ok(Self(text.into()))
    }

    /// The text, as the application gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({} bytes)", self.0.len())
    }
}

impl fmt::Display for InvalidUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a user id has 1 to {} bytes", UserId::BYTES_MAX)
    }
}

impl std::error::Error for InvalidUserId {}

// === impl Epoch ===

impl Epoch {
    /// The epoch of a user who never had their sessions revoked.
    pub const ZERO: Self = Self(0);

    /// The epoch with this number, as a store kept it.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The number, for a store to keep.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The epoch after this one.
    ///
    /// Never a counter from zero: when an entry has been swept or lost, the clock still puts
    /// the next epoch above every stamp given before, so no outdated session comes back.
    pub fn next(self, now: Timestamp) -> Self {
        if crate::planted("epoch_counts_from_zero") {
            return Self(self.0 + 1);
        }
        Self(self.0.saturating_add(1).max(now.as_micros()))
    }
}

// === impl UserEntry ===

impl UserEntry {
    /// Whether a session with this handle and stamp is still good.
    pub fn admits(&self, handle: &Handle, stamp: Epoch) -> bool {
        if stamp == self.epoch {
            return true;
        }
        self.spared
            .is_some_and(|spared| spared.handle == *handle && stamp >= spared.from)
    }

    /// Whether this entry, which need not be the latest, ends a session with this handle and
    /// stamp.
    ///
    /// A later stamp was given under a later entry, after the revocation that this one tells of:
    /// whoever knows only this one does not know enough to refuse it.
    pub fn outdates(&self, handle: &Handle, stamp: Epoch) -> bool {
        stamp <= self.epoch && !self.admits(handle, stamp)
    }

    /// The entry after all sessions of the user but `spared` were revoked.
    ///
    /// Sparing a session that was spared before keeps its lower bound, because it may not
    /// have been stamped anew since.
    #[must_use]
    pub fn revoked(&self, spared: Option<Handle>, now: Timestamp) -> Self {
        let spared = spared.map(|handle| Spared {
            handle,
            from: self.least(&handle),
        });
        Self {
            epoch: self.epoch.next(now),
            spared,
        }
    }

    /// What two entries of a user say together: a session is good if it is by both.
    ///
    /// Of one history the later entry includes the earlier one, and is the answer. A fail-over
    /// may leave two histories: then a revocation of all, acknowledged by the new primary, must
    /// not be undone by a later one of all but this that the deposed primary had taken and that
    /// is written again.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let (earlier, later) = match self.epoch <= other.epoch {
            true => (self, other),
            false => (other, self),
        };
        if crate::planted("later_entry_replaces") {
            return later;
        }
        let spared = later.spared.map(|spared| Spared {
            from: spared.from.max(earlier.least(&spared.handle)),
            ..spared
        });
        Self { spared, ..later }
    }

    /// The lowest stamp that a session with this handle may bear.
    fn least(&self, handle: &Handle) -> Epoch {
        match self.spared {
            Some(spared) if spared.handle == *handle => spared.from,
            _ => self.epoch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Handle = Handle::from_bytes([1; 16]);
    const B: Handle = Handle::from_bytes([2; 16]);
    const NOW: Timestamp = Timestamp::from_millis(1_000);

    #[test]
    fn a_spared_session_lives_on_its_old_stamp_and_the_others_die() {
        let entry = UserEntry::default().revoked(Some(A), NOW);
        assert!(entry.admits(&A, Epoch::ZERO));
        assert!(!entry.admits(&B, Epoch::ZERO));
        assert!(entry.admits(&B, entry.epoch), "bound after the revocation");
    }

    #[test]
    fn a_later_revocation_replaces_the_spared_handle() {
        let first = UserEntry::default().revoked(Some(A), NOW);
        let second = first.revoked(Some(B), NOW);
        assert!(!second.admits(&A, Epoch::ZERO));
        assert!(!second.admits(&A, first.epoch));
        assert!(second.admits(&B, first.epoch));
        assert!(!second.admits(&B, Epoch::ZERO), "was outdated by the first");
    }

    #[test]
    fn sparing_the_same_session_twice_keeps_it_alive_on_its_first_stamp() {
        let twice = UserEntry::default()
            .revoked(Some(A), NOW)
            .revoked(Some(A), NOW);
        assert!(twice.admits(&A, Epoch::ZERO));
        assert!(!twice.revoked(None, NOW).admits(&A, Epoch::ZERO));
    }

    #[test]
    fn of_one_history_the_later_entry_includes_the_earlier_ones() {
        let mut entries = vec![UserEntry::default()];
        for spared in [None, Some(A), Some(A), Some(B), None, Some(B), Some(A)] {
            let last = entries[entries.len() - 1];
            entries.push(last.revoked(spared, NOW));
        }
        for (at, later) in entries.iter().enumerate() {
            for earlier in &entries[..at] {
                assert_eq!(earlier.merged(*later), *later);
                assert_eq!(later.merged(*earlier), *later);
            }
        }
    }

    /// All sessions were revoked on a new primary; then "all but this" came back, which the
    /// deposed one had taken a little later, and the session rose.
    #[test]
    fn what_is_spared_in_one_history_stays_dead_if_another_ended_it() {
        let before = UserEntry::default().revoked(None, NOW);
        let all = before.revoked(None, NOW);
        let later = NOW + std::time::Duration::from_millis(1);
        let but_one = before.revoked(Some(A), later);
        for merged in [all.merged(but_one), but_one.merged(all)] {
            assert_eq!(merged.epoch, but_one.epoch);
            assert!(!merged.admits(&A, before.epoch));
            assert!(merged.admits(&A, all.epoch), "bound after all was revoked");
        }
    }

    #[test]
    fn an_entry_says_nothing_of_a_stamp_that_is_later_than_it() {
        let first = UserEntry::default().revoked(None, NOW);
        let second = first.revoked(None, NOW);
        assert!(second.outdates(&A, first.epoch));
        assert!(!first.outdates(&A, first.epoch));
        assert!(!first.outdates(&A, second.epoch));
        assert!(!first.outdates(&B, second.epoch));
    }

    #[test]
    fn the_next_epoch_exceeds_both_the_old_one_and_the_clock() {
        assert_eq!(Epoch::ZERO.next(NOW).as_micros(), 1_000_000);
        assert_eq!(
            Epoch::from_micros(5_000_000).next(NOW).as_micros(),
            5_000_001
        );
    }
}
