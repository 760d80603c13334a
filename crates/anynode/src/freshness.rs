//! How old the knowledge may be that a route is answered by, as a layer.

use std::task::{Context, Poll};

use anynode_core::Freshness;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::Session;

/// Says of its routes how old the knowledge may be that they are answered by, if the store keeps
/// copies ([`NearCache`](crate::NearCache)).
///
/// On one route or many, inside of the [`SessionLayer`](crate::SessionLayer) or around it; the
/// innermost one counts.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// # use anynode::{Freshness, FreshnessLayer, NearCache, Session, SessionLayer, SystemClock, core::MemoryStore};
/// # use axum::{Router, routing::{get, post}};
/// # use std::{sync::Arc, time::Duration};
/// # async fn home(_: Session) {}
/// # async fn pay(_: Session) {}
/// # async fn news(_: Session) {}
/// # let store = MemoryStore::new(Arc::new(SystemClock));
/// let strict = FreshnessLayer::new(Freshness::Strict);
/// let late = FreshnessLayer::new(Freshness::StaleOk(Duration::from_secs(30)));
/// let app: Router = Router::new()
///     .route("/", get(home))
///     .route("/pay", post(pay).layer(strict))
///     .route("/news", get(news).layer(late))
///     .layer(SessionLayer::new(NearCache::new(store)));
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FreshnessLayer {
    freshness: Freshness,
}

/// Says of each request how old the knowledge may be; built by [`FreshnessLayer`].
#[derive(Clone, Copy, Debug)]
pub struct FreshnessService<S> {
    inner: S,
    freshness: Freshness,
}

// === impl FreshnessLayer ===

impl FreshnessLayer {
    /// Requests are answered by knowledge of this age at most.
    pub fn new(freshness: Freshness) -> Self {
        Self { freshness }
    }
}

impl<S> Layer<S> for FreshnessLayer {
    type Service = FreshnessService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FreshnessService {
            inner,
            freshness: self.freshness,
        }
    }
}

// === impl FreshnessService ===

impl<S, R> Service<Request<R>> for FreshnessService<S>
where
    S: Service<Request<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<R>) -> S::Future {
        match request.extensions().get::<Session>() {
            Some(session) => session.require(self.freshness),
            // The session comes further in, and looks for it.
            None => drop(request.extensions_mut().insert(self.freshness)),
        }
        self.inner.call(request)
    }
}
