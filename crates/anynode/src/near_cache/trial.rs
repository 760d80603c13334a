//! The trial of the channel's order, before anything is trusted.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::sleep;

use super::{figures, inner::Inner};
use crate::store::broken_order;

/// How long a channel that breaks its order is left alone: somebody has to mend it.
const AGAIN: Duration = Duration::from_secs(60);

// === impl Inner ===

impl Inner {
    /// Tries the order of the store's channel until it is kept. Returns at once where nobody
    /// wants that.
    pub(super) async fn try_order(&self) {
        if !self.options.is_tried || anynode_core::planted("near_order_untried") {
            return;
        }
        let mut failures = 0;
        loop {
            match broken_order(&*self.store, &self.node).await {
                Ok(None) => {
                    if self.is_out_of_order.swap(false, Ordering::Relaxed) {
                        tracing::info!("near cache: the channel keeps its order now");
                    }
                    return;
                }
                Ok(Some(found)) => {
                    self.is_out_of_order.store(true, Ordering::Relaxed);
                    figures::publish_condition(self);
                    tracing::error!(
                        found,
                        "near cache: no copy is used, and every read goes through, because the \
                         store's channel breaks its order: connect to the server itself, without \
                         a proxy in between, and to a supported version"
                    );
                    sleep(AGAIN).await;
                }
                Err(error) => {
                    self.tell_loss(&error, failures);
                    self.rest(&mut failures).await;
                }
            }
        }
    }
}
