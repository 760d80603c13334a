//! Writing what a request recorded: one compare-and-set, rebased while that is allowed.

use anynode_core::{
    Create, Draft, Error, ErrorKind, Live, Replace, Version,
    store::{REBASES_MAX, conflict_pause},
};
use http::StatusCode;

use super::{
    Session,
    plan::{self, Identity, Plan},
    state::{Base, CookieChange, Loaded, Phase, Usage, Wish, Work},
};
use crate::{error::SessionError, layer::Shared, random};

/// Which part of what was recorded is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    /// Changes of identity only: data changes of a failed handler are dropped.
    Identity,
}

/// What the session asks of the response's head.
pub(crate) struct Head {
    pub(crate) cookie: CookieChange,
    pub(crate) usage: Usage,
}

/// How often a call with an unknown outcome is repeated.
const UNKNOWN_OUTCOMES_MAX: u32 = 3;

/// How often another handle is drawn when one is taken. The second time is already a sign of
/// a broken random source.
const DUPLICATES_MAX: u32 = 3;

impl Session {
    /// Writes what the handler recorded and says what the response's head must bear.
    pub(crate) async fn finish_head(&self, status: StatusCode) -> Result<Head, SessionError> {
        let scope = if status.is_server_error() {
            Scope::Identity
        } else {
            Scope::Everything
        };
        let asked_to_bind = {
            let state = self.state();
            if let Base::Failed(_) = state.base {
                state.known()?;
            }
            matches!(state.work.wish, Wish::Bind { .. })
        };
        let written = if cfg!(planted = "identity_only_on_2xx") && !status.is_success() {
            Ok(())
        } else {
            self.commit(scope).await
        };
        match written {
            // Two logins raced and this one lost: the winner's cookie stands, and this
            // response says nothing about cookies.
            Err(SessionError::Gone) if asked_to_bind => {}
            written => written?,
        }
        let state = self.state();
        Ok(Head {
            cookie: state.cookie,
            usage: state.usage,
        })
    }

    /// Says how far the response has come. After the head no cookie can be set any more.
    pub(crate) fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// Whether somebody besides the response's own future holds the session, so that changes
    /// may still come.
    pub(crate) fn has_other_holders(&self) -> bool {
        std::sync::Arc::strong_count(&self.inner) > 1
    }

    /// Whether the handler left the session alone, told without waiting for anything.
    pub(crate) fn is_untouched(&self) -> bool {
        self.inner.active.get().is_none()
    }

    /// Has the response take away a cookie that nobody can trust.
    pub(crate) fn clear_cookie(&self) {
        self.state().cookie = CookieChange::Remove;
    }

    /// Whether something waits to be written.
    pub(crate) fn has_work(&self) -> bool {
        !self.state().work.is_empty()
    }

    /// Writes what was recorded. What cannot be written for a while is kept for another try.
    pub(crate) async fn commit(&self, scope: Scope) -> Result<(), SessionError> {
        if self.idle(scope) {
            return Ok(());
        }
        let _gate = self.active().gate.lock().await;
        let (work, phase) = {
            let mut state = self.state();
            let mut work = std::mem::take(&mut state.work);
            if scope == Scope::Identity {
                work.delta = Default::default();
                work.idle_timeout = None;
            }
            (work, state.phase)
        };
        let written = self.write(&work, phase).await;
        let mut state = self.state();
        match &written {
            Ok(()) => {}
            Err(SessionError::Gone) => {
                state.base = Base::Gone;
                state.work = Work::default();
            }
            Err(_) => {
                let later = std::mem::take(&mut state.work);
                state.work = work.then(later);
            }
        }
        written
    }

    /// Whether there is nothing to write, told without waiting for anything.
    fn idle(&self, scope: Scope) -> bool {
        let mut state = self.state();
        if scope == Scope::Identity && state.work.wish == Wish::Keep {
            state.work = Work::default();
        }
        let may_rotate = self.inner.shared.config.rotation.is_some();
        state.work.is_empty() && !(may_rotate && matches!(state.base, Base::Loaded(_)))
    }

    async fn write(&self, work: &Work, phase: Phase) -> Result<(), SessionError> {
        let loaded = {
            let state = self.state();
            match &state.base {
                Base::Unread | Base::Failed(_) | Base::Gone => return Ok(()),
                Base::Empty(_) => None,
                Base::Loaded(loaded) => Some(loaded.clone()),
            }
        };
        let Some(loaded) = loaded else {
            return self.create(work).await;
        };
        let written = self.replace(loaded, work, phase).await;
        match written {
            // A rotation that nobody asked for and that did not come about is no failure: the
            // client keeps the secret it came with.
            Err(error) if work.is_empty() => {
                tracing::debug!(%error, "a due rotation was left to the next request");
                Ok(())
            }
            written => written,
        }
    }

    async fn create(&self, work: &Work) -> Result<(), SessionError> {
        let shared = &self.inner.shared;
        for _ in 0..DUPLICATES_MAX {
            let Some(plan) = plan::creation(&shared.config, &self.inner.arrival, work)? else {
                return Ok(());
            };
            if plan.draft.user.is_none() && !shared.admits_anonymous() {
                metrics::counter!("anynode_anonymous_refused_total").increment(1);
                return Err(SessionError::Quota);
            }
            if let Some(live) = shared.create(&plan.draft).await? {
                metrics::counter!("anynode_sessions_created_total").increment(1);
                self.settle(&plan, live);
                return Ok(());
            }
        }
        let error = Error::new(ErrorKind::Unavailable, "store", "create");
        Err(error.with_detail("every handle drawn is taken").into())
    }

    async fn replace(
        &self,
        mut loaded: Loaded,
        work: &Work,
        phase: Phase,
    ) -> Result<(), SessionError> {
        let shared = &self.inner.shared;
        let arrival = &self.inner.arrival;
        for attempt in 0..REBASES_MAX {
            let Some(plan) = plan::change(&shared.config, &mut loaded, arrival, work, phase)?
            else {
                return Ok(());
            };
            let base = loaded.live.record.version;
            match shared.replace(&base, &plan.draft).await? {
                Replace::Replaced(live) => {
                    self.settle(&plan, live);
                    return Ok(());
                }
                Replace::Gone => return Err(SessionError::Gone),
                Replace::Conflict(newer) => {
                    metrics::counter!("anynode_rebases_total").increment(1);
                    loaded = loaded.rebased(newer)?;
                }
            }
            tokio::time::sleep(conflict_pause(attempt, random::number())).await;
        }
        Err(SessionError::Contended)
    }

    fn settle(&self, plan: &Plan, live: Live) {
        if let Some(stale) = &self.inner.shared.stale {
            stale.forget(&plan.draft.handle);
        }
        let mut state = self.state();
        if plan.identity == Identity::Replaced {
            state.cookie = CookieChange::Set(plan.id);
        }
        state.base = Base::Loaded(plan.kept(live));
    }
}

// === impl Loaded ===

impl Loaded {
    /// The same request on a newer record, if that still admits it as the same.
    fn rebased(self, newer: Live) -> Result<Self, SessionError> {
        if !self.admission.holds(&newer.record, newer.now) {
            return Err(SessionError::Gone);
        }
        let presented = anynode_core::admit(&newer.record, &self.id.secret_hash(), newer.now);
        Ok(Self {
            presented: presented.unwrap_or(self.presented),
            data: super::state::Decoded::Nothing,
            live: newer,
            ..self
        })
    }
}

// === impl Shared ===

impl Shared {
    /// Creates, and finds out what became of a call whose outcome is unknown. `None` when the
    /// handle is taken.
    pub(crate) async fn create(&self, draft: &Draft) -> Result<Option<Live>, SessionError> {
        let mut last = None;
        for _ in 0..UNKNOWN_OUTCOMES_MAX {
            match self.store.create(draft).await {
                Ok(Create::Created(live)) => return Ok(Some(live)),
                Ok(Create::Duplicate) if last.is_none() => return Ok(None),
                Ok(Create::Duplicate) => {}
                Err(error) if error.kind() == ErrorKind::Indeterminate => last = Some(error),
                Err(error) => return Err(error.into()),
            }
            let found = self.store.load(&draft.handle).await?;
            if let Some(live) = found.filter(|live| live.record.version == draft.version) {
                return Ok(Some(live));
            }
        }
        Err(last.unwrap_or_else(|| unknown("create")).into())
    }

    /// Replaces, and finds out what became of a call whose outcome is unknown: the own write
    /// id found means written, the base unchanged means that it may be tried again. Anything
    /// else is reported and never rebased, or an increment could count twice.
    pub(crate) async fn replace(
        &self,
        base: &Version,
        draft: &Draft,
    ) -> Result<Replace, SessionError> {
        let mut last = None;
        for _ in 0..UNKNOWN_OUTCOMES_MAX {
            match (self.store.replace(base, draft).await, last.take()) {
                (Ok(Replace::Conflict(newer)), _) if newer.record.version == draft.version => {
                    return Ok(Replace::Replaced(newer));
                }
                (Ok(Replace::Conflict(_)), Some(unknown)) => return Err(unknown),
                (Ok(answer), _) => return Ok(answer),
                (Err(error), _) if error.kind() != ErrorKind::Indeterminate => {
                    return Err(error.into());
                }
                (Err(error), _) => last = Some(SessionError::from(error)),
            }
            match self.store.load(&draft.handle).await? {
                None => return Ok(Replace::Gone),
                Some(live) if live.record.version == draft.version => {
                    return Ok(Replace::Replaced(live));
                }
                Some(live) if live.record.version == *base => {}
                Some(_) => break,
            }
        }
        Err(last.unwrap_or_else(|| unknown("replace").into()))
    }

    /// Revokes; an unknown outcome is repeated, which is harmless.
    pub(crate) async fn revoke(
        &self,
        revoke: &anynode_core::Revoke,
    ) -> Result<anynode_core::Revoked, SessionError> {
        let mut last = unknown("revoke");
        for _ in 0..UNKNOWN_OUTCOMES_MAX {
            match self.store.revoke(revoke).await {
                Ok(revoked) => {
                    metrics::counter!("anynode_revocations_total", "cause" => revoke.cause.as_str())
                        .increment(1);
                    return Ok(revoked);
                }
                Err(error) if error.kind() == ErrorKind::Indeterminate => last = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.into())
    }
}

fn unknown(verb: &'static str) -> Error {
    Error::new(ErrorKind::Indeterminate, "store", verb).with_detail("the outcome is unknown")
}
