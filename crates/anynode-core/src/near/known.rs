//! What a node knew of a session before it was written.

use crate::session::{Record, UserEntry};

/// What was known of a session before it was written.
///
/// The record that a write answers is judged by this and not by what is known when the answer
/// comes: a revocation of its user that was heard meanwhile is later than the write, which then
/// was performed on a living session and says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    is_revoked: bool,
    user: Option<UserEntry>,
}

// === impl Known ===

impl Known {
    pub(super) fn new(is_revoked: bool, user: Option<UserEntry>) -> Self {
        Self { is_revoked, user }
    }

    /// Whether the record was known to be revoked.
    pub fn refuses(&self, record: &Record) -> bool {
        let stamp = record.binding.as_ref().map(|binding| binding.stamp);
        let outdates = |entry: UserEntry, stamp| entry.outdates(&record.handle, stamp);
        self.is_revoked
            || self
                .user
                .zip(stamp)
                .is_some_and(|(entry, stamp)| outdates(entry, stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        session::{Binding, Epoch, UserId, record},
        time::Timestamp,
    };

    #[test]
    fn a_write_is_judged_by_what_was_known_before_it() {
        let at = Timestamp::from_millis(5);
        let mut record = record::tests::draft(1).settle(at, Epoch::ZERO);
        assert!(!Known::default().refuses(&record));
        assert!(Known::new(true, None).refuses(&record));
        let entry = UserEntry::default().revoked(None, at);
        assert!(!Known::new(false, Some(entry)).refuses(&record), "nobody's");
        let user = UserId::new("ada").expect("a name");
        let stamp = Epoch::ZERO;
        record.binding = Some(Binding {
            user: user.clone(),
            stamp,
        });
        assert!(Known::new(false, Some(entry)).refuses(&record));
        let stamp = entry.epoch.next(at);
        let mut later = record.clone();
        later.binding = Some(Binding { user, stamp });
        assert!(
            !Known::new(false, Some(entry)).refuses(&later),
            "stamped by a later entry"
        );
        assert!(!Known::new(false, None).refuses(&record));
        let stamp = entry.epoch.next(at);
        record.binding = record.binding.map(|binding| Binding { stamp, ..binding });
        assert!(!Known::new(false, Some(entry)).refuses(&record), "later");
    }
}
