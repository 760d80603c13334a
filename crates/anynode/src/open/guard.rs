//! What stands at an open connection and lets nothing pass that must not.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use anynode_core::near::Ending;
use tokio::time::{Sleep, sleep};

use super::OpenConnection;
use crate::near_cache::Hold;

/// Asked at each poll of a connection.
pub(super) struct Guard {
    hold: Hold,
    ended: Pin<Box<dyn Future<Output = Ending> + Send>>,
    /// When to look again, while nothing may pass.
    pause: Option<Pin<Box<Sleep>>>,
}

/// How soon a connection that was held back looks whether it may go on. That happens only where
/// its node stood still for longer than its patience and has not found its feet yet.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

// === impl Guard ===

impl Guard {
    pub(super) fn new(connection: &OpenConnection) -> Self {
        Self {
            hold: connection.hold.clone(),
            ended: Box::pin(connection.hold.ended()),
            pause: None,
        }
    }

    /// Ready when something may pass, or never again.
    pub(super) fn poll_pass(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Ending>> {
        loop {
            if let Poll::Ready(ending) = self.ended.as_mut().poll(context) {
                // Asked again it says the same.
                self.ended = Box::pin(std::future::ready(ending));
                return Poll::Ready(Err(ending));
            }
            if self.hold.may_pass() || anynode_core::planted("open_passes_after_its_bound") {
                self.pause = None;
                return Poll::Ready(Ok(()));
            }
            let pause = self
                .pause
                .get_or_insert_with(|| Box::pin(sleep(LOOK_AGAIN)));
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
    }
}
