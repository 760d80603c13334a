//! The gate before a primary: it is read when the nodes have mustered there.
//!
//! Where slots are on several primaries it stands open. With one replica for each, who takes over
//! is the one that acknowledged.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anynode_core::{
    near::{MemberId, Muster},
    store::Reign,
};
use tokio::{sync::Notify, time::timeout};

use super::{
    connection::Connection,
    fence::{self, Role},
    link::Link,
};
use crate::{clock::boot_time, random};

/// Whether calls may go to the primary.
#[derive(Debug)]
pub(super) struct Gate {
    me: MemberId,
    is_on: AtomicBool,
    muster: Mutex<Muster>,
    /// Somebody waits.
    knocked: Notify,
    /// A connection was let through.
    opened: Notify,
}

/// How long a call waits before it looks again whether its connection is still the one to use.
const LOOK_EVERY: Duration = Duration::from_millis(100);

// === impl Gate ===

impl Gate {
    /// It stands open until it is closed.
    pub(super) fn open() -> Self {
        let me = MemberId::new(format!("{:016x}", random::number()));
        Self {
            is_on: AtomicBool::new(false),
            muster: Mutex::new(Muster::of(me.clone())),
            me,
            knocked: Notify::new(),
            opened: Notify::new(),
        }
    }

    /// From now on nodes muster.
    pub(super) fn close(&self) {
        self.is_on.store(true, Ordering::SeqCst);
    }

    /// Whether they do.
    pub(super) fn is_closed(&self) -> bool {
        self.is_on.load(Ordering::SeqCst)
    }

    /// The name by which this node musters.
    pub(super) fn me(&self) -> &MemberId {
        &self.me
    }

    /// What this node knows of the muster.
    pub(super) fn muster(&self) -> MutexGuard<'_, Muster> {
        self.muster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether calls may be sent over this connection.
    pub(super) fn lets(&self, connection: &Connection) -> bool {
        connection.is_let() || !self.is_closed()
    }

    /// Lets calls through over a connection to the primary of this reign, or no longer.
    pub(super) fn judge(&self, connection: &Connection, reign: &Reign) {
        let may_read = self.muster().may_read(reign);
        connection.set_let(may_read);
        if may_read {
            self.opened.notify_waiters();
        }
    }

    /// Waits until somebody is let through, for a moment: a new connection is, if what it leads to
    /// is read already, and else the muster is to hurry.
    pub(super) async fn wait(&self, link: &Link, connection: &Arc<Connection>, until: Duration) {
        if connection.begins_to_ask() {
            let asked = link.ask(connection, &fence::command(), until).await;
            if let Ok(said) = asked.and_then(fence::read)
                && said.role == Role::Primary
            {
                return self.judge(connection, &said.fence.reign());
            }
        }
        let opened = self.opened.notified();
        self.knocked.notify_one();
        let left = until.saturating_sub(boot_time()).min(LOOK_EVERY);
        let _ = timeout(left, opened).await;
    }

    /// Waits until somebody knocks, no longer than `limit`.
    pub(super) async fn knocked(&self, limit: Duration) {
        let _ = timeout(limit, self.knocked.notified()).await;
    }
}
