//! A planted bug: user entries that a node remembers instead of asking the store.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::session::{UserEntry, UserId};

/// The entries that one handle on the store saw when it first bound a session of each user.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<UserId, Option<UserEntry>>>);

// === impl Seen ===

impl Seen {
    pub(super) fn entry(&self, user: &UserId, now: Option<UserEntry>) -> Option<UserEntry> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry(user.clone()).or_insert(now)
    }
}

impl Clone for Seen {
    /// Another handle has a memory of its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}
