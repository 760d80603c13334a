//! Copies that are validated at every read: the channel is asked, which costs no round trip.

use std::time::Duration;

use anynode_core::store::Result;

use super::inner::{Copies, Inner, Next, STORE};

// === impl Inner ===

impl Inner {
    /// Asks the channel for all that was committed before now, unless somebody else did since
    /// `arrived`. Without a channel, and while its snapshot is unread, nothing comes of it, and
    /// the request reads through.
    pub(super) async fn validate(&self, copies: &Copies, arrived: Duration) {
        let is_known = || copies.horizon.as_of(STORE) >= Some(arrived);
        if is_known() {
            return;
        }
        let mut validator = self.validator.lock().await;
        if is_known() {
            return;
        }
        let Some(channel) = validator.as_mut() else {
            return;
        };
        if anynode_core::planted("near_sqlite_not_asked") {
            return self.validated(copies, self.now());
        }
        loop {
            let asked = self.now();
            let event = match channel.ready().await {
                Ok(None) => return self.validated(copies, asked),
                Ok(Some(event)) => event,
                Err(error) => {
                    // Another is opened by the one who listens, and flushes.
                    *validator = None;
                    self.missed(&error);
                    self.nudge.notify_one();
                    return;
                }
            };
            if self.hear(copies, &event) == Next::ReadSnapshot {
                self.nudge.notify_one();
            }
        }
    }

    /// Reads the snapshot, after which the channel is worth asking.
    ///
    /// # Errors
    /// Those of the channel; it was lost then.
    pub(super) async fn read_snapshot(&self, copies: &Copies) -> Result<()> {
        let mut validator = self.validator.lock().await;
        let Some(channel) = validator.as_mut() else {
            return Ok(());
        };
        match channel.snapshot().await {
            Ok(snapshot) => {
                self.learn(copies, &snapshot);
                Ok(())
            }
            Err(error) => {
                *validator = None;
                Err(error)
            }
        }
    }

    fn validated(&self, copies: &Copies, asked: Duration) {
        self.feed_validated(copies, asked);
        self.moved.send_replace(());
    }
}
