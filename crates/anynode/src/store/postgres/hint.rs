//! Hints that something changed, from node to node: they save the wait for the next poll, and
//! nothing depends on them.
//!
//! `NOTIFY` holds one lock of the whole server while it commits, so it is no part of a write
//! (that made writes three times as slow): each node sends at most fifty a second for its writes,
//! in transactions of their own that wait for no disk. A revocation does not wait for that pause.
//! Behind a pooler nobody can listen, and nodes poll.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::{
    Inner,
    link::{Link, Value},
    upkeep,
};

/// What the writers and channels of this process want of others.
#[derive(Debug, Default)]
pub(super) struct Hints {
    wanted: Arc<Wanted>,
    is_started: AtomicBool,
}

/// What there is to be told.
#[derive(Debug, Default)]
struct Wanted {
    /// Something changed.
    any: Notify,
    /// Among it is a revocation.
    soon: Notify,
}

/// Between two hints of this node.
const PAUSE: Duration = Duration::from_millis(20);

/// Between a hint of this node and that of a revocation: those who listen rest as long between
/// two looks, so that a shorter one would tell nobody sooner.
const PAUSE_SOON: Duration = super::channel::POLL_PAUSE;

/// How often it is made sure that the connection is there.
const CHECK: Duration = Duration::from_secs(1);

// === impl Hints ===

impl Hints {
    /// Tells the other nodes soon that something changed.
    pub(super) fn give(&self, inner: &Arc<Inner>) {
        self.wanted.any.notify_one();
        self.take(inner);
    }

    /// Tells the other nodes at once that something was revoked.
    pub(super) fn give_soon(&self, inner: &Arc<Inner>) {
        self.wanted.soon.notify_one();
        self.give(inner);
    }

    /// Hears from now on when another node says so.
    pub(super) fn take(&self, inner: &Arc<Inner>) {
        if !self.is_started.swap(true, Ordering::Relaxed) {
            tokio::spawn(work(Arc::downgrade(inner), self.wanted.clone()));
        }
    }
}

/// Listens and notifies on one connection, until the store is dropped or a pooler is met.
async fn work(store: Weak<Inner>, wanted: Arc<Wanted>) {
    let mut link: Option<Arc<Link>> = None;
    loop {
        let Some(inner) = store.upgrade() else {
            return;
        };
        let open = link.take().filter(|link| link.is_open());
        link = match open {
            Some(link) => Some(link),
            None => listen(&inner).await,
        };
        drop(inner);
        match &link {
            Some(link) if link.is_pooled => return,
            Some(_) => {}
            // Not at once again, however much there is to tell.
            None => {
                tokio::time::sleep(CHECK).await;
                continue;
            }
        }
        if timeout(CHECK, wanted.any.notified()).await.is_err() {
            continue;
        }
        let (Some(inner), Some(link)) = (store.upgrade(), &link) else {
            continue;
        };
        let values: [Value<'_>; 1] = [&channel(&inner)];
        let asking = async {
            let turn = link.turn().await?;
            turn.ask(&inner.sql, &upkeep::NOTIFY, &values).await.ok()
        };
        if !matches!(timeout(inner.deadline, asking).await, Ok(Some(_))) {
            link.give_up();
        }
        drop(inner);
        tokio::time::sleep(PAUSE_SOON).await;
        let _ = timeout(PAUSE - PAUSE_SOON, wanted.soon.notified()).await;
    }
}

/// A connection that wakes the channels of this process when another node notifies.
async fn listen(inner: &Arc<Inner>) -> Option<Arc<Link>> {
    let link = inner.dialler.dial().await.ok()?;
    if !link.is_pooled {
        let listen = format!("LISTEN \"{}\"", channel(inner));
        let listening = timeout(inner.deadline, link.client.batch_execute(&listen));
        listening.await.ok()?.ok()?;
        // What came before this was not heard.
        inner.heard_of_changes();
    }
    Some(link)
}

/// The name under which the nodes of a schema notify each other.
fn channel(inner: &Inner) -> String {
    format!("anynode_{}", inner.dialler.place.schema)
}
