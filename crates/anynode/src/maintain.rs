//! What a layer does in the background: report uses of sessions, and sweep what is dead.

use std::{
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use anynode_core::store::Result;

use crate::{clock::boot_time, layer::Shared, random};

/// How often touches are sent: often enough to lose little when the node dies.
const TOUCH_EVERY: Duration = Duration::from_millis(250);

/// Touches in one call of the store.
const TOUCHES_AT_ONCE: usize = 1_000;

/// Items in one call of `sweep`, and the pause between two calls, so that sweeping a million
/// dead records leaves room for the living.
const SWEEP_AT_ONCE: usize = 500;
const SWEEP_PAUSE: Duration = Duration::from_millis(50);

/// Whether there was anything to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Some,
    Nothing,
}

/// Starts the tasks. Without a runtime, which only a hand-polled service lacks, nothing is
/// swept and no use reported; sessions then end by their first idle deadline.
pub(crate) fn start(shared: &Arc<Shared>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        tracing::warn!("no tokio runtime: sessions are neither touched nor swept");
        return;
    };
    runtime.spawn(touch(Arc::downgrade(shared)));
    if let Some(every) = shared.config.sweep_every {
        runtime.spawn(sweep(Arc::downgrade(shared), every));
    }
}

async fn touch(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(TOUCH_EVERY).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        // The store's failure was logged where it happened; the touches wait for the next round.
        let _ = send_touches(&shared).await;
    }
}

/// Reports all uses that wait to be reported.
pub(crate) async fn report(shared: &Shared) -> Result<()> {
    while send_touches(shared).await? == Sent::Some {}
    Ok(())
}

/// Sends a batch; what the store does not take waits on.
async fn send_touches(shared: &Shared) -> Result<Sent> {
    let touches = || {
        shared
            .touches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    let batch = touches().take(boot_time(), TOUCHES_AT_ONCE);
    if batch.is_empty() {
        return Ok(Sent::Nothing);
    }
    let sent = shared.store.touch(&batch).await;
    if sent.is_err() {
        touches().put_back(&batch, boot_time());
    }
    sent.map(|()| Sent::Some)
}

async fn sweep(shared: Weak<Shared>, every: Duration) {
    loop {
        tokio::time::sleep(jittered(every)).await;
        loop {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            match shared.store.sweep(SWEEP_AT_ONCE).await {
                Ok(swept) if swept.more => {}
                // An error was logged; sweeping goes on at the next turn rather than ending.
                Ok(_) | Err(_) => break,
            }
            drop(shared);
            tokio::time::sleep(SWEEP_PAUSE).await;
        }
    }
}

/// Three to five quarters of `every`, so that the nodes of a fleet do not sweep in step.
fn jittered(every: Duration) -> Duration {
    let share = u32::try_from(random::number() % 512).expect("less than 512");
    every * 3 / 4 + every * share / 1_024
}
