//! The session of one request, as its handler sees it.

mod commit;
mod fresh;
mod identity;
mod load;
mod open;
mod outcome;
mod plan;
mod provenance;
mod state;
#[cfg(any(feature = "tower-sessions-014", feature = "tower-sessions-015"))]
mod whole;
mod write;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use anynode_core::{
    Device, SessionId, Value, Version,
    session::{
        Update,
        value::{from_value, to_value},
    },
};
use http::{HeaderValue, Method, Request};
use serde::{Serialize, de::DeserializeOwned};

#[cfg(any(feature = "tower-sessions-014", feature = "tower-sessions-015"))]
pub(crate) use self::plan::fill;
use self::{commit::Keep, fresh::Demand, state::State};
pub(crate) use self::{
    commit::{Head, Scope},
    state::{CookieChange, Phase, Usage},
};
use crate::{
    cookie::{Candidate, Glance, Presented},
    csrf,
    error::SessionError,
    layer::Shared,
    timely::Tally,
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
/// is written by the call that makes it, so a WebSocket may keep its session;
/// [`Session::open_connection`] closes it when that ends.
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
    demand: Mutex<Demand>,
    /// Built by the first use: most requests of a page do not use their session.
    active: OnceLock<Box<Active>>,
}

/// A session in use.
struct Active {
    /// Held while the store is asked, so that one session is loaded once and written by one
    /// call at a time. `state` is never held across a call.
    gate: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    tally: Tally,
}

/// What the request brought.
struct Arrival {
    candidate: Option<Candidate>,
    method: MethodKind,
    user_agent: Option<HeaderValue>,
    address: Option<ClientAddress>,
    /// The version that the client has seen, if it tells of one.
    seen: Option<Version>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MethodKind {
    /// Safe, and its response has no body whatever its head says.
    Head,
    Safe,
    ChangesState,
}

/// What became of a change.
enum Change {
    /// It is written later, together with others.
    Recorded,
    Written,
}

// === impl Session ===

impl Session {
    pub(crate) fn arrived<R>(shared: Arc<Shared>, request: &Request<R>, glance: Glance) -> Self {
        let arrival = Arrival::new(request, glance);
        Self {
            inner: Arc::new(Inner {
                demand: Mutex::new(Demand::of(&shared.config, request)),
                shared,
                arrival,
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
        .map(drop)
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
        .map(drop)
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
        let update = to_update(f);
        let mut provisional = None;
        let change = self
            .change(|state, shared| {
                provisional = state.update(&shared.config.sealer, &key, update)?;
                Ok(())
            })
            .await?;
        match (change, provisional) {
            (Change::Recorded, Some(value)) => Ok(from_value(&value)?),
            _ => self.get(&key).await?.ok_or(SessionError::Gone),
        }
    }

    /// As [`Session::update`], but writes at once, with everything recorded so far, and
    /// returns the value that was committed. An update that fails is not recorded, so it may
    /// be tried again; after an indeterminate outcome every further use is an error until
    /// [`Session::reload`], so that it cannot count twice.
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
        let update = to_update(f);
        self.ready().await?;
        self.change_now(|state, shared| {
            state.update(&shared.config.sealer, &key, update)?;
            Ok(())
        })
        .await?;
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
        .map(drop)
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

    /// Reads the session anew, as another request may have changed or ended it. Changes that
    /// are not written yet are kept. For holders that outlive their request, and for whoever
    /// goes on after an error of the store.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the session cannot be read.
    pub async fn reload(&self) -> Result<(), SessionError> {
        self.state().usage = Usage::Used;
        self.load_again().await
    }

    /// Records a change; once the response is out it is written at once.
    async fn change(
        &self,
        change: impl FnOnce(&mut State, &Shared) -> Result<(), SessionError>,
    ) -> Result<Change, SessionError> {
        self.ready().await?;
        {
            let mut state = self.state();
            if state.phase != Phase::Finished {
                state.changeable()?;
                change(&mut state, &self.inner.shared)?;
                return Ok(Change::Recorded);
            }
        }
        self.change_now(change).await?;
        Ok(Change::Written)
    }

    /// Makes a change and writes it with everything recorded before. All under one hold of the
    /// gate, so that the caller hears of the very write that bore its change; if that failed,
    /// the change is not recorded.
    async fn change_now(
        &self,
        change: impl FnOnce(&mut State, &Shared) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let gate = self.active().gate.lock().await;
        let before = {
            let mut state = self.state();
            state.known()?;
            state.changeable()?;
            let before = state.work.clone();
            change(&mut state, &self.inner.shared)?;
            before
        };
        let keep = Keep::Before(before);
        self.commit_under(&gate, Scope::Everything, keep).await
    }

    /// Whether the response to this request has a body.
    pub(crate) fn may_have_body(&self) -> bool {
        self.inner.arrival.method != MethodKind::Head
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.active().tally
    }

    fn active(&self) -> &Active {
        let begin = || Active::new(self.inner.arrival.id());
        self.inner.active.get_or_init(begin)
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

fn to_update<T: Serialize + DeserializeOwned>(
    f: impl Fn(Option<T>) -> T + Send + Sync + 'static,
) -> Update {
    Arc::new(move |stored: Option<&Value>| to_value(&f(stored.map(from_value).transpose()?)))
}

// === impl Active ===

impl Active {
    /// In its place from the start: it is large, and most requests move it nowhere else.
    fn new(asked: Option<SessionId>) -> Box<Self> {
        Box::new(Self {
            gate: tokio::sync::Mutex::default(),
            state: Mutex::new(State::new(asked)),
            tally: Tally::default(),
        })
    }
}

// === impl Arrival ===

impl Arrival {
    fn new<R>(request: &Request<R>, glance: Glance) -> Self {
        let method = match request.method() {
            &Method::HEAD => MethodKind::Head,
            method if csrf::is_safe(method) => MethodKind::Safe,
            _ => MethodKind::ChangesState,
        };
        Self {
            candidate: match glance.presented {
                Presented::Candidate(candidate) => Some(candidate),
                _ => None,
            },
            method,
            user_agent: glance.user_agent,
            address: request.extensions().get::<ClientAddress>().copied(),
            seen: glance.seen,
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
