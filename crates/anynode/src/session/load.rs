//! Finding the session that a request's id names.

use anynode_core::{
    Admission, ErrorKind, Freshness, Kind, Live, SecretHash, SessionId, admit, expiry,
};

use super::{
    Active, Session,
    state::{Access, Base, Decoded, Loaded, State, Usage},
};
use crate::{clock::boot_time, config::FailurePolicy, error::SessionError, timely::Tally};
use std::{sync::PoisonError, time::Duration};

/// How long a request may have been under way before a secret it does not know was set: longer
/// than any request takes. Whoever comes later with the old secret has lost the new one, and
/// may start anew.
const LATE_MAX: Duration = Duration::from_secs(60);

impl Session {
    /// Makes sure that the base is known: at most one round trip in the life of a request.
    pub(super) async fn ready(&self) -> Result<(), SessionError> {
        match self.is_ready()? {
            true => Ok(()),
            // What waits for a store is large, and would be part of the future of every handler.
            false => Box::pin(self.become_ready()).await,
        }
    }

    /// Whether the base is known without asking anybody.
    fn is_ready(&self) -> Result<bool, SessionError> {
        let active = self.inner.active.get_or_init(|| self.begin());
        let mut state = active.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.usage = Usage::Used;
        Ok(state.known()? && !self.is_behind(&state))
    }

    /// The session at its first use, known already if there is a copy. Nobody else sees it before
    /// this returns, so that nothing has to be locked for that.
    fn begin(&self) -> Box<Active> {
        let mut active = Active::new(self.inner.arrival.id());
        if self.inner.shared.keeps_copies {
            let state = active.state.get_mut();
            let state = state.unwrap_or_else(PoisonError::into_inner);
            self.copy(state, &active.tally);
        }
        active
    }

    async fn become_ready(&self) -> Result<(), SessionError> {
        let _gate = self.active().gate.lock().await;
        let (is_known, is_behind) = {
            let state = self.state();
            (state.known()?, self.is_behind(&state))
        };
        match (is_known, is_behind) {
            (true, true) => return self.load_known_again().await,
            (true, false) => return Ok(()),
            (false, _) => {}
        }
        let base = match self.inner.arrival.id() {
            Some(id) => self.load(id).await,
            None => Base::Empty(Access::ReadWrite),
        };
        let mut state = self.state();
        state.base = base;
        state.known().map(|_| ())
    }

    /// Loads the session that the state knows once more.
    pub(super) async fn load_again(&self) -> Result<(), SessionError> {
        let _gate = self.active().gate.lock().await;
        // Whoever asks again wants to know of what just happened.
        self.require(Freshness::Strict);
        self.load_known_again().await
    }

    /// Loads the session that the state knows; its gate is held.
    async fn load_known_again(&self) -> Result<(), SessionError> {
        let (id, found) = {
            let state = self.state();
            let found = matches!(state.base, Base::Loaded(_) | Base::Gone);
            (state.asked, found)
        };
        let Some(id) = id else {
            // There never was a session that this request knows of. One that a write with an
            // unknown outcome may have created has no holder; it expires.
            self.state().base = Base::Empty(Access::ReadWrite);
            return Ok(());
        };
        let base = match self.load(id).await {
            // What was there and is no longer has ended: that is not a new visitor.
            Base::Empty(Access::ReadWrite) | Base::Outdated if found => Base::Gone,
            base => base,
        };
        let mut state = self.state();
        state.base = base;
        state.known().map(|_| ())
    }

    /// Takes the session from a copy, if there is one that may be used.
    fn copy(&self, state: &mut State, tally: &Tally) {
        let Some(id) = state.asked else { return };
        let (asked_at, secret) = (boot_time(), id.secret_hash());
        let wanted = self.wanted(id.handle(), secret, asked_at);
        if let Some(live) = self.inner.shared.store.copy(&wanted, tally) {
            state.base = self.found(id, secret, live, asked_at, tally);
        }
    }

    async fn load(&self, id: SessionId) -> Base {
        let (shared, asked_at) = (&self.inner.shared, boot_time());
        let secret = id.secret_hash();
        let wanted = self.wanted(id.handle(), secret, asked_at);
        match shared.store.load_for(&wanted, self.tally()).await {
            Ok(Some(live)) => self.found(id, secret, live, asked_at, self.tally()),
            Ok(None) => {
                if let Some(stale) = &shared.stale {
                    stale.forget(&id.handle());
                }
                if anynode_core::planted("cookie_cleared_by_late_response") {
                    self.clear_cookie();
                }
                self.state().is_absent = true;
                Base::Empty(Access::ReadWrite)
            }
            Err(_) if anynode_core::planted("write_after_failed_read") => {
                Base::Empty(Access::ReadWrite)
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => self.without_store(id),
            Err(error) => Base::Failed(error.kind()),
        }
    }

    /// What a session that was found, and asked for then, is to this request.
    fn found(
        &self,
        id: SessionId,
        secret: SecretHash,
        live: Live,
        asked_at: Duration,
        tally: &Tally,
    ) -> Base {
        let shared = &self.inner.shared;
        if let Some(stale) = &shared.stale {
            stale.keep(&live, tally.known_at());
        }
        let moments_ago = live.now.since(live.record.secret_since) < LATE_MAX;
        let Some(loaded) = admitted(id, secret, live, Access::ReadWrite) else {
            if moments_ago && !anynode_core::planted("late_request_gets_a_session") {
                return Base::Outdated;
            }
            return Base::Empty(Access::ReadWrite);
        };
        let always = anynode_core::planted("touch_every_request");
        if always || expiry::touch_is_due(&loaded.live) {
            let idle_timeout = match always {
                true => Duration::ZERO,
                false => loaded.live.record.idle_timeout,
            };
            let touches = shared.touches.lock();
            let mut touches = touches.unwrap_or_else(PoisonError::into_inner);
            touches.used(id.handle(), idle_timeout, asked_at);
        }
        Base::Loaded(loaded)
    }

    /// What the failure policy makes of a store that cannot be asked.
    fn without_store(&self, id: SessionId) -> Base {
        let shared = &self.inner.shared;
        match (shared.config.failure, &shared.stale) {
            (FailurePolicy::Anonymous, _) => Base::Empty(Access::ReadOnly),
            (FailurePolicy::ReadOnlyStale(_), Some(stale)) => stale
                .copy(&id.handle(), boot_time())
                .and_then(|(live, read_at)| {
                    self.tally().know_since(read_at);
                    admitted(id, id.secret_hash(), live, Access::ReadOnly)
                })
                .map_or(Base::Failed(ErrorKind::Unavailable), Base::Loaded),
            _ => Base::Failed(ErrorKind::Unavailable),
        }
    }
}

/// The session, if the id's secret opens it.
fn admitted(id: SessionId, secret: SecretHash, live: Live, access: Access) -> Option<Loaded> {
    let record = &live.record;
    let presented = admit(record, &secret, live.now)?;
    if record.kind != Kind::Session {
        return None;
    }
    Some(Loaded {
        admission: Admission::new(record, secret),
        id,
        presented,
        data: Decoded::Nothing,
        access,
        live,
    })
}
