//! Whose session it is: binding a user, replacing the id, ending it.

use anynode_core::{Cause, Handle, Lifetime, Revoke, Revoked, Target, UserId};

use super::{
    MethodKind, Session,
    state::{Base, Phase, Wish, Work},
};
use crate::{config::LoginByLink, csrf, error::SessionError, sessions::Sessions};

impl Session {
    /// Binds the session to a user who has just proved who they are.
    ///
    /// The id in the cookie is replaced at once and without grace, so an id planted before the
    /// login is worth nothing after it. Data of an anonymous session is carried over; data of
    /// another user is not. The absolute lifetime counts from now.
    ///
    /// # Errors
    /// [`SessionError::User`] when the name is empty or too long, [`SessionError::SafeMethod`]
    /// in a GET (see [`LoginByLink`]), [`SessionError::HeadSent`] while the body streams, and
    /// those of [`Session::insert`].
    pub async fn bind(&self, user: impl AsRef<str>) -> Result<(), SessionError> {
        self.bind_for(user, self.inner.shared.config.lifetime).await
    }

    /// As [`Session::bind`], with another lifetime than the layer's: "remember me".
    ///
    /// # Errors
    /// Those of [`Session::bind`].
    pub async fn bind_for(
        &self,
        user: impl AsRef<str>,
        lifetime: Lifetime,
    ) -> Result<(), SessionError> {
        let user = UserId::new(user)?;
        let by_link = self.inner.shared.config.login_by_link;
        let is_safe = self.inner.arrival.method != MethodKind::ChangesState;
        if is_safe && by_link == LoginByLink::Refused {
            return Err(SessionError::SafeMethod);
        }
        self.change_identity(Wish::Bind { user, lifetime }).await
    }

    /// Replaces the id in the cookie at once and without grace: for changes of privilege that
    /// are not a login. Nothing happens to a visitor without a session.
    ///
    /// # Errors
    /// [`SessionError::HeadSent`] while the body streams, and those of [`Session::insert`].
    pub async fn rotate(&self) -> Result<(), SessionError> {
        self.change_identity(Wish::Rotate).await
    }

    /// Ends the session, for good and on every node, before it returns: log out.
    ///
    /// What was recorded is dropped and the response removes the cookie. `None` when there
    /// was no session.
    ///
    /// # Errors
    /// [`SessionError::Store`] when it is not certain that the session ended; log out again, which
    /// asks the store once more although this node refuses the session from then on.
    /// [`SessionError::Gone`] when its id was replaced moments ago by a response that is still
    /// on its way.
    pub async fn revoke(&self) -> Result<Option<Revoked>, SessionError> {
        self.ready().await?;
        let (handle, absent) = {
            let mut state = self.state();
            state.writable()?;
            if let Base::Outdated = state.base {
                return Err(SessionError::Gone);
            }
            if state.handle().is_none() {
                state.work = Work::default();
            }
            let absent = state.asked.filter(|_| state.is_absent);
            (state.handle(), absent.map(|id| id.handle()))
        };
        let Some(handle) = handle else {
            if let Some(handle) = absent {
                self.end_again(&handle).await?;
            }
            return Ok(None);
        };
        if anynode_core::planted("logout_only_cookie") {
            self.state().end();
            return Ok(None);
        }
        let revoke = Revoke::session(handle, Cause::User);
        self.end_by(&revoke, &handle).await.map(Some)
    }

    /// The sessions of this session's user: to list them and to end them.
    ///
    /// Writes what was recorded first, so that it works right after [`Session::bind`].
    ///
    /// # Errors
    /// [`SessionError::NotBound`] without a user, and those of writing.
    pub async fn sessions(&self) -> Result<Sessions, SessionError> {
        self.save().await?;
        let (user, handle) = (self.user().await?, self.handle().await?);
        let (Some(user), Some(handle)) = (user, handle) else {
            return Err(SessionError::NotBound);
        };
        Ok(Sessions::new(self.clone(), user, handle))
    }

    /// The user that the session is bound to, or is about to be.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the session cannot be read.
    pub async fn user(&self) -> Result<Option<UserId>, SessionError> {
        self.ready().await?;
        Ok(self.state().user())
    }

    /// The public name of the session; `None` while there is none. It may be logged.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the session cannot be read.
    pub async fn handle(&self) -> Result<Option<Handle>, SessionError> {
        self.ready().await?;
        Ok(self.state().handle())
    }

    /// The synchroniser token for forms and scripts of the page that this response shows, to
    /// be sent back in `X-CSRF-Token`. Writes what was recorded first, because a login changes
    /// it. `None` while there is no session.
    ///
    /// # Errors
    /// Those of writing.
    pub async fn csrf_token(&self) -> Result<Option<String>, SessionError> {
        self.save().await?;
        Ok(self.state().id().map(|id| id.csrf_token()))
    }

    /// Whether `token`, from a form field say, is the one of the id that the request brought.
    pub fn verify_csrf_token(&self, token: &str) -> bool {
        let id = self.inner.arrival.id();
        id.is_some_and(|id| csrf::same_token(&id, token.as_bytes()))
    }

    async fn change_identity(&self, wish: Wish) -> Result<(), SessionError> {
        self.ready().await?;
        let mut state = self.state();
        state.writable()?;
        if state.phase != Phase::Handler {
            return Err(SessionError::HeadSent);
        }
        // A login already asked for is not weakened to a mere rotation, which it includes.
        if !(wish == Wish::Rotate && matches!(state.work.wish, Wish::Bind { .. })) {
            state.work.wish = wish;
        }
        Ok(())
    }

    /// Has the store acknowledge the end of a session that is not there: a logout whose outcome
    /// was not certain is repeated, and this node refuses the session already.
    async fn end_again(&self, handle: &Handle) -> Result<(), SessionError> {
        if anynode_core::planted("repeated_logout_asks_nobody") {
            return Ok(());
        }
        // Nobody is called as a session is. So nothing that lives is ended by a forged id, and no
        // tombstone is made for one that never was; one that lies there is written again.
        let nobody = UserId::new(handle.to_string()).expect("it has 32 letters and digits");
        let revoke = Revoke {
            target: Target::SessionOf(nobody, *handle),
            cause: Cause::User,
        };
        let _gate = self.active().gate.lock().await;
        self.inner.shared.revoke(&revoke, self.tally()).await?;
        Ok(())
    }

    /// Ends the session by `revoke`. Nothing is written meanwhile: a write that ended after
    /// it would hand out the cookie of a dead session.
    pub(crate) async fn end_by(
        &self,
        revoke: &Revoke,
        handle: &Handle,
    ) -> Result<Revoked, SessionError> {
        let _gate = self.active().gate.lock().await;
        let revoked = self.inner.shared.revoke(revoke, self.tally()).await?;
        if let Some(stale) = &self.inner.shared.stale {
            stale.forget(handle);
        }
        self.state().end();
        Ok(revoked)
    }
}
