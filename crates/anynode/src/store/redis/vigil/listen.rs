//! Listening to the revocations of all nodes, to remember them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anynode_core::{Channel, near::Assertion};

use super::{EVERY, Vigil, raise_full};
use crate::{
    clock::boot_time,
    store::redis::{channel::RedisChannel, link::jittered, servers::Servers},
};

/// Listens for as long as there is a vigil.
pub(super) fn start(vigil: &Arc<Vigil>) {
    let (weak, woken) = (Arc::downgrade(vigil), vigil.woken.clone());
    let servers = vigil.servers.clone();
    tokio::spawn(async move {
        let (mut failures, mut channel) = (0, None);
        while weak.strong_count() > 0 {
            let Some(open) = &mut channel else {
                channel = self::open(&servers, &mut failures).await;
                continue;
            };
            match hear(open).await {
                Ok(Some(assertion)) => {
                    let Some(vigil) = weak.upgrade() else {
                        return;
                    };
                    // The primary was last asked what it is before it had this one.
                    vigil.unfenced.store(true, Ordering::SeqCst);
                    if let Err(full) = vigil.memory().heard(assertion, boot_time()) {
                        raise_full(&full);
                    }
                }
                Ok(None) => failures = 0,
                Err(_) => {
                    // Whatever ended the channel may have ended a primary.
                    woken.notify_one();
                    tokio::time::sleep(jittered(failures)).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    });
}

async fn open(servers: &Arc<Servers>, failures: &mut u32) -> Option<RedisChannel> {
    match RedisChannel::listen(servers.clone(), "vigil").await {
        Ok(channel) => Some(channel),
        Err(_) => {
            tokio::time::sleep(jittered(*failures)).await;
            *failures = failures.saturating_add(1);
            None
        }
    }
}

/// The next revocation that is told. Nothing for a while: then a barrier is begun, by which a
/// channel that is dead and does not say so is found out.
async fn hear(channel: &mut RedisChannel) -> anynode_core::store::Result<Option<Assertion>> {
    const SILENCE: Duration = EVERY;
    match tokio::time::timeout(SILENCE, channel.next()).await {
        Ok(event) => Ok(Assertion::of(&event?)),
        Err(_) => channel.barrier().await.map(|_| None),
    }
}
