//! The session of one request, as its handler sees it.

mod commit;
mod load;
mod plan;
mod state;
#[cfg(any(feature = "tower-sessions-014", feature = "tower-sessions-015"))]
mod whole;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use anynode_core::{
    Cause, Device, Handle, Lifetime, Revoke, Revoked, SessionId, UserId,
    session::value::{from_value, to_value},
};
use http::{HeaderValue, Request, header};
use serde::{Serialize, de::DeserializeOwned};

#[cfg(any(feature = "tower-sessions-014", feature = "tower-sessions-015"))]
pub(crate) use self::plan::fill;
use self::state::{Base, State, Wish};
pub(crate) use self::{
    commit::{Head, Scope},
    state::{CookieChange, Phase, Usage},
};
use crate::{
    config::LoginByLink, cookie::Candidate, csrf, error::SessionError, layer::Shared,
    sessions::Sessions,
};

/// The session of a request.
///
/// It is cheap to clone, and every clone is the same session. The first use loads it; changes
/// are recorded and written in one compare-and-set when the handler returns, before the head
/// of the response leaves, so a failed write is a 503 and never a page that lies. When another
/// request wrote first, what was recorded is applied to the newer record: different keys
/// changed at once all survive, and of the same key the last write acknowledged wins (use
/// [`Session::update`] to combine them).
///
/// Changes made while a body streams are written before its last byte. After that, each change
/// is written by the call that makes it, so a WebSocket may keep its session.
///
/// Data changes of a handler that answers 5xx are dropped; changes of identity ([`bind`],
/// [`rotate`], [`revoke`]) are not. What a cancelled request recorded is dropped.
///
/// [`bind`]: Session::bind
/// [`rotate`]: Session::rotate
/// [`revoke`]: Session::revoke
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

/// Where the client is, for the list of a user's sessions: put it into the extensions of the
/// request, outside of the layer, if you know it. Headers that a client can write itself are
/// not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

struct Inner {
    shared: Arc<Shared>,
    arrival: Arrival,
    /// Built by the first use: most requests of a page do not use their session.
    active: OnceLock<Box<Active>>,
}

/// A session in use.
struct Active {
    /// Held while the store is asked, so that one session is loaded once and written by one
    /// call at a time. `state` is never held across a call.
    gate: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What the request brought.
struct Arrival {
    candidate: Option<Candidate>,
    method: MethodKind,
    user_agent: Option<HeaderValue>,
    address: Option<ClientAddress>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MethodKind {
    Safe,
    ChangesState,
}

// === impl Session ===

impl Session {
    pub(crate) fn arrived<R>(
        shared: Arc<Shared>,
        request: &Request<R>,
        candidate: Option<Candidate>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                shared,
                arrival: Arrival::new(request, candidate),
                active: OnceLock::new(),
            }),
        }
    }

    /// The value of `key`; `None` when there is none.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the session cannot be read, [`SessionError::Codec`] when
    /// its data cannot be decoded, [`SessionError::Value`] when the value is no `T`.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, SessionError> {
        self.ready().await?;
        let sealer = &self.inner.shared.config.sealer;
        self.state()
            .value(sealer, key, |value| value.map(from_value).transpose())?
            .map_err(SessionError::Value)
    }

    /// Gives `key` this value.
    ///
    /// # Errors
    /// Those of [`Session::get`]; [`SessionError::HeadSent`] when there is no session yet and
    /// the response head has left; [`SessionError::ReadOnly`] while the store is down.
    pub async fn insert(
        &self,
        key: impl Into<String>,
        value: impl Serialize,
    ) -> Result<(), SessionError> {
        let value = to_value(&value)?;
        self.change(|state, _| {
            state.work.delta.insert(key, value);
            Ok(())
        })
        .await
    }

    /// Removes `key` and returns the value it had.
    ///
    /// # Errors
    /// Those of [`Session::insert`].
    pub async fn remove<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, SessionError> {
        let value = self.get(key).await?;
        self.change(|state, _| {
            state.work.delta.remove(key);
            Ok(())
        })
        .await?;
        Ok(value)
    }

    /// Removes every key that this request sees.
    ///
    /// # Errors
    /// Those of [`Session::insert`].
    pub async fn clear(&self) -> Result<(), SessionError> {
        self.change(|state, shared| {
            let base = state.data(&shared.config.sealer)?;
            state.work.delta.clear(&base);
            Ok(())
        })
        .await
    }

    /// Runs the value of `key` through `f` and returns what came out, provisionally: when
    /// another request wrote first, `f` runs again on the newer value. It must have no side
    /// effects.
    ///
    /// # Errors
    /// Those of [`Session::insert`].
    pub async fn update<T>(
        &self,
        key: impl Into<String>,
        f: impl Fn(Option<T>) -> T + Send + Sync + 'static,
    ) -> Result<T, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        let key = key.into();
        self.change(|state, _| {
            let update = move |stored: Option<&anynode_core::Value>| {
                to_value(&f(stored.map(from_value).transpose()?))
            };
            Ok(state.work.delta.update(key.clone(), Arc::new(update))?)
        })
        .await?;
        let value = self.get(&key).await?;
        value.ok_or(SessionError::Gone)
    }

    /// As [`Session::update`], but writes at once, with everything recorded so far, and
    /// returns the value that was committed.
    ///
    /// # Errors
    /// Those of [`Session::insert`], and those of writing: [`SessionError::Gone`],
    /// [`SessionError::Contended`], [`SessionError::OverBudget`], [`SessionError::Store`].
    pub async fn update_now<T>(
        &self,
        key: impl Into<String>,
        f: impl Fn(Option<T>) -> T + Send + Sync + 'static,
    ) -> Result<T, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        let key = key.into();
        self.update(key.clone(), f).await?;
        self.save().await?;
        let value = self.get(&key).await?;
        value.ok_or(SessionError::Gone)
    }

    /// Writes what was recorded so far, instead of when the handler returns.
    ///
    /// # Errors
    /// Those of writing, as in [`Session::update_now`].
    pub async fn save(&self) -> Result<(), SessionError> {
        self.ready().await?;
        self.commit(Scope::Everything).await
    }

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
        if self.inner.arrival.method == MethodKind::Safe && by_link == LoginByLink::Refused {
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

    /// Sets how long this session may go unused. It is kept with the session; the absolute
    /// deadline still holds.
    ///
    /// # Errors
    /// Those of [`Session::insert`].
    pub async fn set_idle_timeout(&self, idle_timeout: Duration) -> Result<(), SessionError> {
        self.change(|state, _| {
            state.work.idle_timeout = Some(idle_timeout);
            Ok(())
        })
        .await
    }

    /// Ends the session, for good and on every node, before it returns: log out.
    ///
    /// What was recorded is dropped and the response removes the cookie. `None` when there
    /// was no session.
    ///
    /// # Errors
    /// [`SessionError::Store`] when it is not certain that the session ended; log out again.
    pub async fn revoke(&self) -> Result<Option<Revoked>, SessionError> {
        self.ready().await?;
        self.state().writable()?;
        let Some(handle) = self.handle().await? else {
            return Ok(None);
        };
        let revoked = self
            .inner
            .shared
            .revoke(&Revoke::session(handle, Cause::User))
            .await?;
        self.forget(&handle);
        Ok(Some(revoked))
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

    /// Whether the session has no keys, as this request sees it.
    ///
    /// # Errors
    /// Those of [`Session::get`].
    pub async fn is_empty(&self) -> Result<bool, SessionError> {
        self.ready().await?;
        let mut state = self.state();
        let base = state.data(&self.inner.shared.config.sealer)?;
        Ok(state.work.delta.apply(&base)?.is_empty())
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

    /// Reads the session anew, as another request may have changed or ended it. Changes that
    /// are not written yet are kept. For holders that outlive their request.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the session cannot be read.
    pub async fn reload(&self) -> Result<(), SessionError> {
        self.ready().await?;
        self.load_again().await
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut State, &Shared) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        self.ready().await?;
        let phase = {
            let mut state = self.state();
            state.writable()?;
            if state.phase != Phase::Handler && matches!(state.base, Base::Empty(_)) {
                return Err(SessionError::HeadSent);
            }
            change(&mut state, &self.inner.shared)?;
            state.phase
        };
        match phase {
            Phase::Handler | Phase::Body => Ok(()),
            Phase::Finished => self.commit(Scope::Everything).await,
        }
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

    /// Notes that the session was ended by a call of this request.
    pub(crate) fn forget(&self, handle: &Handle) {
        if let Some(stale) = &self.inner.shared.stale {
            stale.forget(handle);
        }
        self.state().end();
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    fn active(&self) -> &Active {
        self.inner.active.get_or_init(|| {
            let state = State::new(self.inner.arrival.candidate.is_some());
            Box::new(Active {
                gate: tokio::sync::Mutex::default(),
                state: Mutex::new(state),
            })
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = &self.active().state;
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let handle = self.inner.active.get().and_then(|_| self.state().handle());
        f.debug_struct("Session").field("handle", &handle).finish()
    }
}

// === impl Arrival ===

impl Arrival {
    fn new<R>(request: &Request<R>, candidate: Option<Candidate>) -> Self {
        let method = if csrf::is_safe(request.method()) {
            MethodKind::Safe
        } else {
            MethodKind::ChangesState
        };
        Self {
            candidate,
            method,
            user_agent: request.headers().get(header::USER_AGENT).cloned(),
            address: request.extensions().get::<ClientAddress>().copied(),
        }
    }

    fn id(&self) -> Option<SessionId> {
        self.candidate.as_ref().and_then(Candidate::id)
    }

    /// What a list of sessions shows of the client; only a login or a new session asks.
    fn device(&self) -> Device {
        let label = self.user_agent.as_ref();
        let label = label.and_then(|label| label.to_str().ok());
        let address = self.address.map(|address| address.0.to_string());
        Device::new(label, address.as_deref())
    }
}
