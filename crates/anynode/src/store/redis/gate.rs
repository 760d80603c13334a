//! The gate before a primary: it is read when the nodes have mustered there.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anynode_core::{
    near::{Followed, MemberId, Muster, Mustered, Roster},
    store::Term,
};
use tokio::{sync::Notify, time::timeout};

use super::{connection::Connection, keys::Tag};
use crate::{clock::boot_time, random};

/// Whether calls may go to a primary. It stands open where nodes do not muster.
#[derive(Debug)]
pub(super) struct Gate {
    me: MemberId,
    is_on: AtomicBool,
    musters: Mutex<Musters>,
    /// Somebody waits.
    knocked: Notify,
    /// A connection was let through.
    opened: Notify,
}

#[derive(Debug, Default)]
struct Musters {
    /// By the tag that stands for the primary's slots: who takes over has the same.
    by_tag: HashMap<Tag, Muster>,
    patience: Duration,
}

/// How long a call waits before it looks again whether its connection is still the one to use.
const LOOK_EVERY: Duration = Duration::from_millis(100);

// === impl Gate ===

impl Gate {
    /// It stands open until it is closed.
    pub(super) fn open() -> Self {
        Self {
            me: MemberId::new(format!("{:016x}", random::number())),
            is_on: AtomicBool::new(false),
            musters: Mutex::default(),
            knocked: Notify::new(),
            opened: Notify::new(),
        }
    }

    /// From now on nodes muster, and nobody is waited for longer than `patience`.
    pub(super) fn close(&self, patience: Duration) {
        self.musters().patience = patience;
        self.is_on.store(true, Ordering::SeqCst);
    }

    /// The name by which this node musters.
    pub(super) fn me(&self) -> MemberId {
        self.me.clone()
    }

    /// Whether calls may be sent over this connection.
    pub(super) fn lets(&self, connection: &Connection) -> bool {
        connection.is_let() || !self.is_on.load(Ordering::SeqCst)
    }

    /// Has the muster hurry, and waits until somebody is let through, for a moment.
    pub(super) async fn knock(&self, until: Duration) {
        let opened = self.opened.notified();
        self.knocked.notify_one();
        let left = until.saturating_sub(boot_time()).min(LOOK_EVERY);
        let _ = timeout(left, opened).await;
    }

    /// Waits until somebody knocks, no longer than `limit`.
    pub(super) async fn knocked(&self, limit: Duration) {
        let _ = timeout(limit, self.knocked.notified()).await;
    }

    /// Lets calls through over a connection, or no longer.
    pub(super) fn judge(&self, connection: &Connection, tag: Tag, term: &Term) {
        let may_read = {
            let musters = self.musters();
            let muster = musters.by_tag.get(&tag);
            muster.is_some_and(|muster| muster.may_read(term))
        };
        connection.set_let(may_read);
        if may_read {
            self.opened.notify_waiters();
        }
    }

    pub(super) fn follow(&self, tag: Tag, term: &Term) -> Followed {
        let mut musters = self.musters();
        let patience = musters.patience;
        let muster = musters.by_tag.entry(tag);
        let muster = muster.or_insert_with(|| Muster::of(self.me()));
        muster.follow(term, patience, boot_time())
    }

    /// Whether all that this node remembers is on the primary of this term.
    pub(super) fn stands_at(&self, tag: Tag, term: &Term) -> bool {
        let musters = self.musters();
        let muster = musters.by_tag.get(&tag);
        muster.is_some_and(|muster| muster.stand() == Some(term))
    }

    pub(super) fn wrote(&self, tag: Tag, term: &Term) {
        if let Some(muster) = self.musters().by_tag.get_mut(&tag) {
            muster.wrote(term);
        }
    }

    pub(super) fn told(&self, tag: Tag, term: &Term, roster: Roster) -> Mustered {
        let mut musters = self.musters();
        let muster = musters.by_tag.get_mut(&tag);
        muster.map_or(Mustered::Awaits(0), |muster| {
            muster.told(term, roster, boot_time())
        })
    }

    /// Whether the primary of these slots is read.
    pub(super) fn is_open(&self, tag: Tag) -> bool {
        let musters = self.musters();
        let muster = musters.by_tag.get(&tag);
        muster.is_some_and(Muster::is_open)
    }

    /// Whether another primary was followed after that of this term.
    pub(super) fn has_left(&self, term: &Term) -> bool {
        let musters = self.musters();
        let mut all = musters.by_tag.values();
        all.any(|muster| muster.has_left(term))
    }

    fn musters(&self) -> std::sync::MutexGuard<'_, Musters> {
        self.musters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
