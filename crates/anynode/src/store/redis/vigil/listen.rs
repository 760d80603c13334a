//! Listening to the revocations of all nodes, to remember them.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use anynode_core::{
    Channel, Event, Snapshot,
    near::{Assertion, Missed, Turned},
    store::{Error, ErrorKind, Result},
};

use super::{EVERY, Vigil};
use crate::{
    clock::boot_time,
    store::redis::{NAME, channel::RedisChannel, link::jittered, servers::Servers},
};

/// A channel, and whether all that was revoked before what it tells next is remembered.
struct Listener {
    channel: RedisChannel,
    past: Past,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Past {
    Known,
    /// There was a gap, and what was revoked in it is to be read.
    Unread,
}

/// Listens for as long as there is a vigil. Whether it can is known when this returns, and then
/// what was revoked before is remembered: what is told while that is read waits, and is lost with
/// the channel.
pub(super) async fn start(vigil: &Arc<Vigil>) {
    let first = match Listener::open(&vigil.servers).await {
        Ok(mut listener) => {
            let heard = listener.hear(&Arc::downgrade(vigil)).await;
            heard.map(|()| listener)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = &first {
        vigil.miss(error);
    }
    let (weak, servers) = (Arc::downgrade(vigil), vigil.servers.clone());
    tokio::spawn(async move {
        let (mut failures, mut listener) = (0, first.ok());
        while weak.strong_count() > 0 {
            let heard = match &mut listener {
                Some(listener) => listener.hear(&weak).await,
                None => Listener::open(&servers).await.map(|open| {
                    listener = Some(open);
                }),
            };
            let Err(error) = heard else {
                failures = 0;
                continue;
            };
            let Some(vigil) = weak.upgrade() else {
                return;
            };
            vigil.miss(&error);
            // Another is opened, and reads what was revoked meanwhile.
            listener = None;
            // Whatever ended the channel may have ended a primary.
            vigil.woken.notify_one();
            drop(vigil);
            tokio::time::sleep(jittered(failures)).await;
            failures = failures.saturating_add(1);
        }
    });
}

// === impl Listener ===

impl Listener {
    async fn open(servers: &Arc<Servers>) -> Result<Self> {
        let channel = RedisChannel::listen(servers.clone(), "vigil").await?;
        let past = Past::Unread;
        Ok(Self { channel, past })
    }

    /// Takes in the next that is told, and before it what was revoked in a gap.
    ///
    /// Nothing for a while: then a barrier is begun, by which a channel that is dead and does
    /// not say so is found out.
    async fn hear(&mut self, vigil: &Weak<Vigil>) -> Result<()> {
        const SILENCE: Duration = EVERY;
        if self.past == Past::Unread {
            let snapshot = self.channel.snapshot().await?;
            self.past = Past::Known;
            if let Some(vigil) = vigil.upgrade() {
                vigil.recall(&snapshot);
            }
            return Ok(());
        }
        let Ok(event) = tokio::time::timeout(SILENCE, self.channel.next()).await else {
            return self.channel.barrier().await.map(drop);
        };
        let event = event?;
        if event == Event::Flush {
            self.past = Past::Unread;
        }
        if let (Some(assertion), Some(vigil)) = (Assertion::of(&event), vigil.upgrade()) {
            vigil.heard(assertion);
        }
        Ok(())
    }
}

// === impl Vigil ===

impl Vigil {
    /// Remembers a revocation that was told.
    fn heard(&self, assertion: Assertion) {
        // The primary was last asked what it is before it had this one.
        self.unfenced.store(true, Ordering::SeqCst);
        if let Err(full) = self.memory().heard(assertion, boot_time()) {
            self.room.is_full(&full);
        }
    }

    /// Remembers what was revoked while nothing was heard.
    fn recall(&self, snapshot: &Snapshot) {
        let recalled = self.memory().recall(snapshot, boot_time());
        self.room.recalled(recalled, snapshot.revoked.len());
        self.ear().hear();
    }

    /// Notes that nothing is heard, and tells when that is to be reckoned with.
    fn miss(&self, error: &Error) {
        let missed = match error.kind() {
            ErrorKind::Config => Missed::ForGood,
            _ => Missed::ForNow,
        };
        if self.ear().miss(missed, boot_time()) == Turned::Nothing {
            return;
        }
        metrics::counter!("anynode_revocations_unheard_total", "store" => NAME).increment(1);
        tracing::error!(
            store = NAME,
            %error,
            "this node does not hear what others revoke, and cannot write it again after a \
             fail-over"
        );
    }
}
