//! A load that many requests may share: sent by one of them, in its turn.

use std::time::Duration;

use anynode_core::{
    Found, Handle, Live,
    near::{Answer, Fill, FlightId, Token},
    store::{Error, ErrorKind, Result},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    desk::Landed,
    figures,
    inner::{Copies, Inner, STORE},
    read::refused,
};

/// The load of the request that sends it. If that request is cut off before there is an answer,
/// those who wait for it look for another one.
pub(super) struct Lead<'a> {
    copies: &'a Copies,
    handle: Handle,
    flight: FlightId,
    landing: watch::Sender<Option<Landed>>,
}

// === impl Lead ===

impl<'a> Lead<'a> {
    pub(super) fn new(
        copies: &'a Copies,
        handle: Handle,
        flight: FlightId,
        landing: watch::Sender<Option<Landed>>,
    ) -> Self {
        Self {
            copies,
            handle,
            flight,
            landing,
        }
    }

    /// Asks the store, not before that time of the boot clock, and keeps what it answers if
    /// nothing was heard meanwhile that it may not know of.
    pub(super) async fn load(self, inner: &Inner, not_before: Duration) -> Result<Found> {
        let wait = not_before.saturating_sub(inner.now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
        let turn = timeout(inner.options.patience, inner.turn()).await;
        let Ok(_turn) = turn else {
            return self.land_failed(crowded());
        };
        let (token, sent) = {
            let sent = inner.now();
            let mut desk = self.copies.desk(&self.handle);
            let token = desk.sent(&self.handle, self.flight, sent, &self.copies.horizon);
            (token, sent)
        };
        match inner.store.load(&self.handle).await {
            Ok(live) => self.land(inner, live, token, sent),
            Err(error) => self.land_failed(error),
        }
    }

    fn land(
        self,
        inner: &Inner,
        live: Option<Live>,
        token: Token,
        sent: Duration,
    ) -> Result<Found> {
        let Some(live) = live else {
            // What was there has ended, whoever asks for it next.
            self.copies.forget(&self.handle);
            self.tell(Landed::Found { live: None, sent });
            return Ok(Found::asked(None));
        };
        let answer = Answer {
            token,
            sent,
            live: &live,
            shard: STORE,
            user_shard: STORE,
        };
        let fill = {
            let (now, mut desk) = (inner.now(), self.copies.desk(&self.handle));
            let horizon = &self.copies.horizon;
            inner.with_memory(|memory| desk.insert(&answer, now, horizon, memory))
        };
        figures::filled(fill);
        let live = match fill {
            Fill::Refused => {
                self.tell(Landed::Refused);
                return Err(refused());
            }
            Fill::Revoked => None,
            Fill::Kept
            | Fill::Raced
            | Fill::Untrusted
            | Fill::Elsewhere
            | Fill::Older
            | Fill::Ended => Some(live),
        };
        let found = Landed::Found {
            live: live.clone(),
            sent,
        };
        self.tell(found);
        Ok(Found::asked(live))
    }

    fn land_failed(self, error: Error) -> Result<Found> {
        self.tell(Landed::failed(&error));
        Err(error)
    }

    /// Nobody joins any more when those who wait are told.
    fn tell(&self, landed: Landed) {
        self.copies
            .desk(&self.handle)
            .ended(&self.handle, self.flight);
        self.landing.send_replace(Some(landed));
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.copies
            .desk(&self.handle)
            .ended(&self.handle, self.flight);
    }
}

// === impl Landed ===

impl Landed {
    /// The answer to one who waited.
    pub(super) fn told(self) -> Result<Found> {
        match self {
            Self::Found { live, sent } => Ok(Found {
                live,
                as_of: Some(sent),
            }),
            Self::Refused => Err(refused()),
            Self::Failed(kind, store) => {
                let error = Error::new(kind, store, "load");
                Err(error.with_detail("another request asked, and this is what became of it"))
            }
        }
    }
}

fn crowded() -> Error {
    let error = Error::new(ErrorKind::Unavailable, "near cache", "load");
    error.with_detail("too many loads are under way")
}
