//! The decisions that every store makes alike, wherever it runs them.

use crate::{
    session::{Draft, Epoch, Live, Origin, Record, UserEntry, UserId, Version, expiry},
    store::Replace,
    time::Timestamp,
};
use std::sync::Arc;

/// What a store keeps under a handle, read within the write that decides on it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The record.
    pub record: Arc<Record>,
    /// Its idle deadline.
    pub idle_deadline: Timestamp,
    /// The entry of its user, if it is bound and the user has one.
    pub user: Option<UserEntry>,
}

/// Decides a `replace`, for stores that can read and write in one transaction.
///
/// `kept` is the record under the draft's handle and `entry_of` the entry of a user, both read
/// in that transaction. On [`Replace::Replaced`] the store writes the record it holds.
pub fn replace(
    kept: Option<Kept>,
    base: &Version,
    draft: &Draft,
    now: Timestamp,
    entry_of: impl FnOnce(&UserId) -> Option<UserEntry>,
) -> Replace {
    let Some(kept) = kept.filter(|kept| kept.is_alive(now)) else {
        return Replace::Gone;
    };
    if kept.record.version != *base {
        return Replace::Conflict(kept.live(now));
    }
    let user = match &draft.user {
        // Judging the old stamp and giving the new one by the same entry is what makes
        // re-stamping safe: a revocation between the two would be undone by it.
        Some(user) if kept.record.user() == Some(user) => kept.user,
        Some(user) => entry_of(user),
        None => None,
    };
    Replace::Replaced(draft.live(now, user))
}

// === impl Kept ===

impl Kept {
    /// Whether the session is alive.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        expiry::ended(&self.record, self.idle_deadline, self.user.as_ref(), now).is_none()
    }

    /// The answer of a store that keeps this.
    pub fn live(self, now: Timestamp) -> Live {
        Live {
            record: self.record,
            idle_deadline: self.idle_deadline,
            user: self.user,
            now,
            origin: Origin::Followed,
        }
    }
}

// === impl Draft ===

impl Draft {
    /// The record that this draft becomes, written at `now` while its user has this entry.
    pub fn live(&self, now: Timestamp, user: Option<UserEntry>) -> Live {
        let epoch = user.map_or(Epoch::ZERO, |entry| entry.epoch);
        let record = self.settle(now, epoch);
        Live {
            idle_deadline: expiry::idle_deadline(&record, now),
            record: record.into(),
            user,
            now,
            origin: Origin::Followed,
        }
    }
}
