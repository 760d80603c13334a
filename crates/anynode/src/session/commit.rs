//! When what a request recorded is written: before its head, before its last byte, at once.

use anynode_core::{ErrorKind, Version};
use http::StatusCode;
use tokio::sync::MutexGuard;

use super::{
    Session,
    state::{Base, CookieChange, Phase, Race, State, Usage, Wish, Work},
};
use crate::error::SessionError;

/// Which part of what was recorded is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    /// Changes of identity only: data changes of a failed handler are dropped.
    Identity,
}

/// What stays recorded when a write fails and nothing of it happened.
pub(super) enum Keep {
    Everything,
    /// Only what was recorded before the change whose caller hears of the failure: were it
    /// kept as well, a caller who tries again would make it twice.
    Before(Work),
}

/// What the session asks of the response's head.
pub(crate) struct Head {
    pub(crate) cookie: CookieChange,
    pub(crate) usage: Usage,
    /// The version that the response tells of, if the session was written.
    pub(crate) written: Option<Version>,
}

/// Marks what the session knows as unknown if a write is cancelled halfway.
struct CutOff<'a>(Option<&'a Session>);

/// How often the end of a head or body waits for changes that others recorded meanwhile.
const ROUNDS_MAX: u32 = 64;

impl Session {
    /// Writes what the handler recorded and says what the response's head must bear. What is
    /// changed after that belongs to the phase `next`.
    pub(crate) async fn finish_head(
        &self,
        status: StatusCode,
        next: Phase,
    ) -> Result<Head, SessionError> {
        let scope = scope_of(status);
        // Held until the head is left: a write that another holder has under way has taken its
        // work out of the state, and only the gate tells of it.
        let gate = self.active().gate.lock().await;
        for _ in 0..ROUNDS_MAX {
            self.state().readable()?;
            let written = if anynode_core::planted("identity_only_on_2xx") && !status.is_success() {
                Ok(())
            } else {
                self.commit_if_any(&gate, scope).await
            };
            match written {
                // Two logins of one user raced and this one lost: the winner's cookie stands,
                // and this response says nothing about cookies.
                Err(SessionError::Gone) if self.state().race == Race::LostToSameUser => {}
                written => written?,
            }
            if let Some(head) = self.state().leave(next) {
                return Ok(head);
            }
        }
        Err(SessionError::Contended)
    }

    /// As [`Session::finish_head`], where nothing has to be waited for: nothing was recorded, and
    /// nobody writes. That is every request that only reads, and costs it no allocation.
    pub(crate) fn finish_head_at_once(&self, status: StatusCode, next: Phase) -> Option<Head> {
        // Whoever has a write under way holds the session as well.
        let _gate = match self.has_other_holders() {
            true => Some(self.active().gate.try_lock().ok()?),
            false => None,
        };
        let mut state = self.state();
        state.readable().ok()?;
        self.is_idle(&mut state, scope_of(status))
            .then(|| state.leave(next))?
    }

    /// Writes what was recorded while the body streamed; after that each change is written by
    /// the call that makes it.
    pub(crate) async fn finish_body(&self) -> Result<(), SessionError> {
        let gate = self.active().gate.lock().await;
        for _ in 0..ROUNDS_MAX {
            if self.state().leave(Phase::Finished).is_some() {
                return Ok(());
            }
            self.commit_if_any(&gate, Scope::Everything).await?;
        }
        Err(SessionError::Contended)
    }

    /// As the head is left of a handler that left its session alone; `false` if it did not.
    pub(crate) fn leave_untouched(&self, next: Phase) -> bool {
        let mut state = self.state();
        let touched = state.usage == Usage::Used
            || !matches!(state.cookie, CookieChange::Keep)
            || !state.work.is_empty();
        if !touched {
            state.phase = next;
        }
        !touched
    }

    /// The response will not come or not be completed: what it was to write is dropped, and
    /// whoever still holds the session writes for themselves from now on.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        if state.phase != Phase::Finished {
            state.phase = Phase::Finished;
            state.work = Work::default();
        }
    }

    /// As [`Session::abandon`], if the head of the response has not left.
    pub(crate) fn abandon_head(&self) {
        let awaits_head = self.state().phase == Phase::Handler;
        if awaits_head {
            self.abandon();
        }
    }

    /// What a response that replaces the handler's has to say about the cookie: an identity
    /// that is committed stays so, and its owner has to hear of it.
    pub(crate) fn head(&self) -> Head {
        self.state().head()
    }

    /// Whether somebody besides the response's own future holds the session, so that changes
    /// may still come.
    pub(crate) fn has_other_holders(&self) -> bool {
        std::sync::Arc::strong_count(&self.inner) > 1
    }

    /// Whether the handler left the session alone and nobody can use it any more, told at no
    /// cost.
    pub(crate) fn is_over_unused(&self) -> bool {
        self.inner.active.get().is_none() && !self.has_other_holders()
    }

    /// Has the response take away a cookie that nobody can trust.
    pub(crate) fn clear_cookie(&self) {
        self.state().cookie = CookieChange::Remove;
    }

    /// Writes what was recorded. What cannot be written for a while is kept for another try.
    pub(crate) async fn commit(&self, scope: Scope) -> Result<(), SessionError> {
        let gate = self.active().gate.lock().await;
        self.commit_if_any(&gate, scope).await
    }

    async fn commit_if_any(
        &self,
        gate: &MutexGuard<'_, ()>,
        scope: Scope,
    ) -> Result<(), SessionError> {
        if self.is_idle(&mut self.state(), scope) {
            return Ok(());
        }
        self.commit_under(gate, scope, Keep::Everything).await
    }

    pub(super) async fn commit_under(
        &self,
        _gate: &MutexGuard<'_, ()>,
        scope: Scope,
        keep: Keep,
    ) -> Result<(), SessionError> {
        let (work, phase) = {
            let mut state = self.state();
            let mut work = std::mem::take(&mut state.work);
            if scope == Scope::Identity {
                work.delta = Default::default();
                work.idle_timeout = None;
            }
            (work, state.phase)
        };
        let cut_off = CutOff(Some(self));
        let written = self.write(&work, phase).await;
        cut_off.averted();
        let mut state = self.state();
        match &written {
            Ok(()) => {}
            Err(SessionError::Gone) => {
                state.base = Base::Gone;
                state.work = Work::default();
            }
            // Trying again would write a second time what may be written already.
            Err(SessionError::Store(error)) if error.kind() == ErrorKind::Indeterminate => {
                state.fail(ErrorKind::Indeterminate);
            }
            Err(_) => {
                let later = std::mem::take(&mut state.work);
                let kept = match keep {
                    Keep::Everything => work,
                    Keep::Before(before) => before,
                };
                state.work = kept.then(later);
            }
        }
        written
    }

    /// Whether there is nothing to write, told without waiting for anything.
    fn is_idle(&self, state: &mut State, scope: Scope) -> bool {
        if scope == Scope::Identity && state.work.wish == Wish::Keep {
            state.work = Work::default();
        }
        let may_rotate = self.inner.shared.config.rotation.is_some();
        state.work.is_empty() && !(may_rotate && state.is_writable_session())
    }
}

/// What is written for a response of this status.
fn scope_of(status: StatusCode) -> Scope {
    match status.is_server_error() {
        true => Scope::Identity,
        false => Scope::Everything,
    }
}

// === impl CutOff ===

impl CutOff<'_> {
    fn averted(mut self) {
        self.0 = None;
    }
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.state().fail(ErrorKind::Indeterminate);
        }
    }
}
