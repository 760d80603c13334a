//! The traits and types of one version of tower-sessions, on what all versions share.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use anynode_core::Timestamp;
use async_trait::async_trait;
use http::{Request, Response, StatusCode, header};
use time::OffsetDateTime;
use tower_layer::Layer;
use tower_service::Service;

use super::upstream::{
    ExpiredDeletion, Expiry, Session, SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};
use crate::{
    adapter::{DUPLICATES_MAX, StoreAdapter, login::LoginKey, request::RequestSession},
    error::SessionError,
};

/// Gives handlers a `tower_sessions::Session` of this version that is our
/// [`Session`](crate::Session) of the request: put it inside of a
/// [`SessionLayer`](crate::SessionLayer), in the place of tower-sessions' own layer.
///
/// Its keys are keys of ours, so handlers may use both. `cycle_id` rotates, `flush` revokes
/// before it returns, and saving is left to the `SessionLayer`: one compare-and-set, rebased
/// key by key. When axum-login logs somebody in, the session is bound to that user, and when
/// its login goes, the session is revoked.
///
/// ```
/// use anynode::{SessionLayer, SystemClock, core::MemoryStore};
/// # #[cfg(feature = "tower-sessions-014")]
/// use anynode::adapter::tower_sessions_014::SessionAdapterLayer;
/// # #[cfg(not(feature = "tower-sessions-014"))]
/// # use anynode::adapter::tower_sessions_015::SessionAdapterLayer;
/// use axum::Router;
/// use std::sync::Arc;
///
/// let store = MemoryStore::new(Arc::new(SystemClock));
/// let app: Router = Router::new()
///     .layer(SessionAdapterLayer::default())
///     .layer(SessionLayer::new(store));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SessionAdapterLayer {
    login: LoginKey,
}

/// The service of a [`SessionAdapterLayer`].
#[derive(Clone, Debug)]
pub struct SessionAdapter<S> {
    inner: S,
    login: LoginKey,
}

/// What the tower-sessions session of a request has for a store.
#[derive(Debug)]
struct Bridge {
    ours: RequestSession,
    /// The session that calls this very store, while the handler runs: which tells a `delete`
    /// that is part of `cycle_id` from one that ends the session.
    theirs: Mutex<Option<Session>>,
}

/// Parts bridge and session, which hold each other, even when the request is cancelled.
struct Handling {
    bridge: Arc<Bridge>,
    theirs: Session,
}

// === impl StoreAdapter ===

#[async_trait]
impl SessionStore for StoreAdapter {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let expiry = timestamp(record.expiry_date);
        for _ in 0..DUPLICATES_MAX {
            let inserted = self.insert(record.id.0, &record.data, expiry).await;
            if let Some(mark) = inserted.map_err(error)? {
                mark.put(&mut record.data);
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(Error::Backend("every id drawn is taken".to_owned()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let expiry = timestamp(record.expiry_date);
        let written = self.write(record.id.0, &record.data, expiry).await;
        written.map_err(error)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = self.find(id.0).await.map_err(error)?;
        Ok(found.map(|(data, deadline)| Record {
            id: *id,
            data,
            expiry_date: date(deadline),
        }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.end(id.0).await.map_err(error)
    }
}

#[async_trait]
impl ExpiredDeletion for StoreAdapter {
    async fn delete_expired(&self) -> Result<()> {
        self.sweep().await.map_err(error)
    }
}

// === impl SessionAdapterLayer ===

impl SessionAdapterLayer {
    /// The key under which axum-login keeps its data, if the application has changed it.
    /// Default: `axum-login.data`.
    #[must_use]
    pub fn with_login_key(self, key: impl Into<String>) -> Self {
        Self {
            login: LoginKey::new(key),
        }
    }
}

impl<S> Layer<S> for SessionAdapterLayer {
    type Service = SessionAdapter<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionAdapter {
            inner,
            login: self.login.clone(),
        }
    }
}

// === impl SessionAdapter ===

impl<S, R, B> Service<Request<R>> for SessionAdapter<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: Send + 'static,
    B: Default + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future =
        Pin<Box<dyn Future<Output = std::result::Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        // Only the service that said it is ready may be called.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let Some(session) = request.extensions().get::<crate::Session>().cloned() else {
            // Whatever asks for a session answers 500.
            tracing::error!("there is no SessionLayer around the SessionAdapterLayer");
            return Box::pin(inner.call(request));
        };
        let handling = Handling::begin(RequestSession::new(session, self.login.clone()));
        request.extensions_mut().insert(handling.theirs.clone());
        Box::pin(async move {
            let response = inner.call(request).await?;
            Ok(handling.finish(response).await)
        })
    }
}

// === impl Handling ===

impl Handling {
    fn begin(ours: RequestSession) -> Self {
        let id = ours.arrived().map(Id);
        let bridge = Arc::new(Bridge {
            ours,
            theirs: Mutex::default(),
        });
        let theirs = Session::new(id, bridge.clone(), None);
        bridge.hold(Some(theirs.clone()));
        Self { bridge, theirs }
    }

    /// Hands over what the handler changed; our layer writes it with the head.
    async fn finish<B: Default>(self, response: Response<B>) -> Response<B> {
        let (ours, theirs) = (&self.bridge.ours, &self.theirs);
        // A failed handler's data is dropped. A login is data to axum-login, so it is not
        // half done either; a rotation was recorded when it was asked for, and stands.
        if !theirs.is_modified() || response.status().is_server_error() || theirs.is_empty().await {
            return response;
        }
        ours.head_is_next();
        let saved = theirs.save().await;
        ours.head_left();
        match saved {
            Ok(()) => response,
            Err(_) => refusal(ours.refused()),
        }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.bridge.hold(None);
    }
}

fn refusal<B: Default>(status: StatusCode) -> Response<B> {
    tracing::warn!(%status, "a session could not be changed; its response was replaced");
    let mut response = Response::new(B::default());
    *response.status_mut() = status;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

// === impl Bridge ===

impl Bridge {
    fn hold(&self, theirs: Option<Session>) {
        // What was held before is dropped after the lock is free again.
        let _before = std::mem::replace(
            &mut *self.theirs.lock().unwrap_or_else(PoisonError::into_inner),
            theirs,
        );
    }

    fn theirs(&self) -> Option<Session> {
        let theirs = self.theirs.lock();
        theirs.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn write(&self, record: &Record) -> Result<()> {
        let idle_timeout = self.theirs().and_then(|theirs| idle_timeout(&theirs));
        let saved = self.ours.save(&record.data, idle_timeout).await;
        saved.map_err(error)
    }
}

#[async_trait]
impl SessionStore for Bridge {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.write(record).await?;
        if let Some(id) = self.ours.shown_id().await.map_err(error)? {
            record.id = Id(id);
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.write(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let loaded = self.ours.load().await.map_err(error)?;
        Ok(loaded.map(|(data, deadline)| Record {
            id: *id,
            data,
            expiry_date: date(deadline),
        }))
    }

    async fn delete(&self, _: &Id) -> Result<()> {
        // `cycle_id` takes the id off the session before it deletes, `flush` and `delete` do
        // not: a login must not end the session it is about to bind.
        let cycles = self.theirs().is_some_and(|theirs| theirs.id().is_none());
        if cycles {
            self.ours.rotate().await.map_err(error)
        } else {
            self.ours.end().await.map_err(error)
        }
    }
}

/// What `set_expiry` asked for, as an idle timeout: the absolute deadline is not the handler's.
fn idle_timeout(theirs: &Session) -> Option<Duration> {
    match theirs.expiry()? {
        Expiry::OnSessionEnd => None,
        Expiry::OnInactivity(_) | Expiry::AtDateTime(_) => {
            Some(theirs.expiry_age().try_into().unwrap_or_default())
        }
    }
}

fn error(error: SessionError) -> Error {
    match error {
        SessionError::Codec(error) => Error::Decode(error.to_string()),
        SessionError::Value(error) => Error::Encode(error.to_string()),
        error => Error::Backend(error.to_string()),
    }
}

/// Whole milliseconds, never later than the date.
fn timestamp(date: OffsetDateTime) -> Timestamp {
    let millis = date.unix_timestamp_nanos().div_euclid(1_000_000);
    Timestamp::from_millis(millis.max(0).try_into().unwrap_or(u64::MAX))
}

fn date(at: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
