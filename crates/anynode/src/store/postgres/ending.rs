//! How a connection is ended whose server performs what nobody waits for: a commit that waits
//! for a standby, or a write that waits for a lock, would hold the server's process for ever.
//!
//! To close the connection is not enough, because the server looks at it only when it has an
//! answer. It can be asked to cancel, which hits whatever it performs when that arrives. So this
//! is done to connections on which nobody asks anything more, one request at a time, and only
//! while nothing is answered. Whoever is hit did not wait any more, or is told what became of
//! it: a statement that was undone is sent anew elsewhere, and a commit that went on without
//! its standbys is no acknowledgement ([`Fault::Alone`](super::fault::Fault::Alone)).

use std::{sync::Arc, time::Duration};

use tokio::{task::AbortHandle, time::timeout};
use tokio_postgres::{CancelToken, NoTls};

use super::{
    dial::{Dialler, over},
    heard::Hearing,
    link::Link,
};
use crate::{
    clock::boot_time,
    store::net::{self, Address, Security},
};

/// A connection that is being ended.
pub(super) struct Ending {
    pub(super) token: CancelToken,
    pub(super) host: Address,
    pub(super) hearing: Arc<Hearing>,
    /// What reads and writes.
    pub(super) driver: AbortHandle,
}

/// Between two requests to cancel: what the next statement on a connection has for its answer.
const PAUSE: Duration = Duration::from_millis(100);

/// How many requests follow when the connection is closed: the server performs what it has
/// read, and finds that nobody is there when it answers the second time.
const LAST: usize = 3;

// === impl Dialler ===

impl Dialler {
    /// Lets nobody ask anything more on a connection, and has the server give up what it
    /// performs there. Whoever waits for an answer has it for as long as a call may take.
    pub(super) fn end(&self, link: &Link) {
        link.give_up();
        let Some(ending) = link.ending() else {
            return;
        };
        let (security, limit) = (self.place.security.clone(), self.limit);
        tokio::spawn(async move { ending.work(&security, limit).await });
    }
}

// === impl Ending ===

impl Ending {
    async fn work(self, security: &Security, limit: Duration) {
        let until = boot_time() + limit;
        let (mut heard, mut is_stuck) = (self.hearing.count(), true);
        while boot_time() < until {
            if is_stuck {
                self.cancel(security, limit).await;
            }
            tokio::time::sleep(PAUSE).await;
            if self.driver.is_finished() {
                return;
            }
            let before = std::mem::replace(&mut heard, self.hearing.count());
            is_stuck = heard == before;
        }
        self.driver.abort();
        for _ in 0..LAST {
            self.cancel(security, limit).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks the server to give up what it performs; best effort.
    async fn cancel(&self, security: &Security, limit: Duration) {
        let cancelling = async {
            let tcp = net::reach(&self.host, security, limit).await.ok()?;
            match security {
                Security::PlainOnThisMachine | Security::PlainAnywhere => {
                    self.token.cancel_query_raw(tcp, NoTls).await.ok()
                }
                Security::Tls(tls) => {
                    let tls = over(tls, &self.host);
                    self.token.cancel_query_raw(tcp, tls).await.ok()
                }
            }
        };
        let _ = timeout(limit, cancelling).await;
    }
}
