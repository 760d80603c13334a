//! The layer that gives every request its session.

use std::{
    any::Any,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use anynode_core::{
    Budget, Freshness, Lifetime, Quota, Rotation, Store, expiry::Touches, session::QuotaLeft,
    store::Result,
};
use tower_layer::Layer;

use crate::{
    clock::boot_time,
    codec::Sealer,
    config::{AgeHeader, ClearSiteData, Config, FailurePolicy, LoginByLink},
    cookie::{CookieConfig, Transport},
    csrf::Csrf,
    maintain,
    near_cache::NearCache,
    service::SessionService,
    stale::StaleCopies,
    timely::Timely,
};

/// Gives every request a [`Session`](crate::Session) whose data lives in `store`.
///
/// A request that does not use its session costs no round trip to the store and no
/// `Set-Cookie`; a visitor without data has no session at all. Around the service it guards
/// against cross-site requests ([`Csrf`]), and it keeps shared caches from mixing up visitors.
///
/// In the background, from the first request on, it reports uses of sessions in batches and
/// sweeps what is dead; both end when the layer and its services are dropped.
///
/// ```
/// use anynode::{SessionLayer, SystemClock, core::MemoryStore};
/// use std::sync::Arc;
///
/// let store = MemoryStore::new(Arc::new(SystemClock));
/// let layer = SessionLayer::new(store);
/// ```
#[derive(Clone, Debug)]
pub struct SessionLayer {
    /// One for all services of the layer, so that they share one background task, one quota
    /// and one set of touches. A router may build a service for every request.
    shared: Arc<Shared>,
}

/// What all requests of a layer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Timely,
    /// Whether another node may have older copies than this one's writes.
    pub(crate) keeps_copies: bool,
    pub(crate) config: Config,
    pub(crate) stale: Option<StaleCopies>,
    pub(crate) touches: Mutex<Touches>,
    pub(crate) quota: Mutex<QuotaLeft>,
    pub(crate) maintenance: OnceLock<()>,
    /// Follows a store that keeps no copies, from the first open connection on.
    pub(crate) follower: OnceLock<NearCache>,
}

/// Sessions whose use waits to be reported. One that does not fit is offered again by its
/// next request.
const TOUCHES_MAX: usize = 100_000;

// === impl SessionLayer ===

impl SessionLayer {
    /// Sessions that live in `store`, everything else at its default.
    pub fn new(store: impl Store) -> Self {
        Self::from_arc(Arc::new(store))
    }

    /// As [`SessionLayer::new`], for a store that others hold too or that was opened by URL.
    pub fn from_arc(store: Arc<dyn Store>) -> Self {
        Self::configured(store, Config::default())
    }

    /// Name and attributes of the cookie. Default: [`CookieConfig::default`].
    #[must_use]
    pub fn with_cookie(self, cookie: CookieConfig) -> Self {
        self.with(|config| config.cookie = cookie)
    }

    /// The defence against cross-site requests. Default: [`Csrf::default`].
    #[must_use]
    pub fn with_csrf(self, csrf: Csrf) -> Self {
        self.with(|config| config.csrf = csrf)
    }

    /// Codec and keys of the data. Default: JSON, not encrypted.
    #[must_use]
    pub fn with_sealer(self, sealer: Sealer) -> Self {
        self.with(|config| config.sealer = sealer)
    }

    /// How large a session may grow. Default: 16 KiB encoded.
    #[must_use]
    pub fn with_budget(self, budget: Budget) -> Self {
        self.with(|config| config.budget = budget)
    }

    /// How long the session of a user lives. Default: 30 minutes idle, 12 hours in all.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Lifetime) -> Self {
        self.with(|config| config.lifetime = lifetime)
    }

    /// How long an anonymous session lives. Default: 15 minutes idle, 2 hours in all.
    #[must_use]
    pub fn with_anonymous_lifetime(self, lifetime: Lifetime) -> Self {
        self.with(|config| config.anonymous = lifetime)
    }

    /// How many anonymous sessions this node creates. Default: 1,000 at once, 100 a second.
    #[must_use]
    pub fn with_anonymous_quota(self, quota: Quota) -> Self {
        self.with(|config| config.quota = quota)
    }

    /// Replaces secrets in use every so often. Default: only when a user is bound, because
    /// every rotation is two writes.
    #[must_use]
    pub fn with_rotation(self, rotation: Rotation) -> Self {
        self.with(|config| config.rotation = Some(rotation))
    }

    /// What happens when the store cannot be reached. Default: [`FailurePolicy::FailClosed`].
    #[must_use]
    pub fn with_failure_policy(self, failure: FailurePolicy) -> Self {
        self.with(|config| config.failure = failure)
    }

    /// Whether a GET may bind a session to a user. Default: [`LoginByLink::Refused`].
    #[must_use]
    pub fn with_login_by_link(self, login_by_link: LoginByLink) -> Self {
        self.with(|config| config.login_by_link = login_by_link)
    }

    /// Whether a logout clears what the site left in the browser. Default: it does.
    #[must_use]
    pub fn with_clear_site_data(self, clear_site_data: ClearSiteData) -> Self {
        self.with(|config| config.clear_site_data = clear_site_data)
    }

    /// How long a call of the store may take. Default: 5 seconds.
    #[must_use]
    pub fn with_call_timeout(self, call_timeout: Duration) -> Self {
        self.with(|config| config.call_timeout = call_timeout)
    }

    /// How often this node sweeps what is dead; `None` for never, when something else does.
    /// Default: every minute, give or take a quarter.
    #[must_use]
    pub fn with_sweep_every(self, sweep_every: Option<Duration>) -> Self {
        self.with(|config| config.sweep_every = sweep_every)
    }

    /// How old the knowledge may be that requests are answered by, if the store keeps copies and
    /// their route says nothing else by a [`FreshnessLayer`](crate::FreshnessLayer). Default:
    /// [`Freshness::Bounded`].
    #[must_use]
    pub fn with_freshness(self, freshness: Freshness) -> Self {
        self.with(|config| config.freshness = freshness)
    }

    /// Whether responses tell how old the knowledge is that they were answered by. Default:
    /// [`AgeHeader::Omitted`].
    #[must_use]
    pub fn with_age_header(self, age_header: AgeHeader) -> Self {
        self.with(|config| config.age_header = age_header)
    }

    /// Ends the layer in order: reports the uses of sessions that wait to be reported, which else
    /// are lost with the node, a quarter of a second of them, and closes the near cache
    /// ([`NearCache::close`]), be it the store that the layer is on or the one without copies that
    /// it follows the store by while connections are open.
    ///
    /// To be called when the server has answered its last request and closed its connections.
    /// Requests are still answered after it, by the store alone.
    ///
    /// ```
    /// # use anynode::{SessionLayer, SystemClock, core::MemoryStore};
    /// # use std::sync::Arc;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), anynode::core::store::Error> {
    /// # let serving = async {};
    /// let sessions = SessionLayer::new(MemoryStore::new(Arc::new(SystemClock)));
    /// // let app = Router::new().layer(sessions.clone());
    /// serving.await;
    /// sessions.close().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Store::touch`] and [`Store::leave`]. The near cache is closed all the same.
    pub async fn close(&self) -> Result<()> {
        let reported = maintain::report(&self.shared).await;
        if let Some(near) = self.shared.near_cache_if_any() {
            near.close().await?;
        }
        reported
    }

    fn with(self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.shared.config.clone();
        change(&mut config);
        Self::configured(self.shared.store.store().clone(), config)
    }

    fn configured(store: Arc<dyn Store>, config: Config) -> Self {
        let shared = Arc::new(Shared::new(store, config));
        Self { shared }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, self.shared.clone())
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(store: Arc<dyn Store>, config: Config) -> Self {
        let stale = match config.failure {
            FailurePolicy::ReadOnlyStale(age_max) => Some(StaleCopies::new(age_max)),
            FailurePolicy::FailClosed | FailurePolicy::Anonymous => None,
        };
        Self {
            keeps_copies: store.keeps_copies(),
            store: Timely::new(store, config.call_timeout),
            stale,
            touches: Mutex::new(Touches::new(TOUCHES_MAX)),
            quota: Mutex::new(QuotaLeft::new(config.quota)),
            config,
            maintenance: OnceLock::new(),
            follower: OnceLock::new(),
        }
    }

    /// Starts the background task once, from within a request: there a runtime is at hand.
    pub(crate) fn maintain(self: &Arc<Self>) {
        self.maintenance.get_or_init(|| {
            if self.config.cookie.transport() == Transport::Loopback {
                tracing::warn!(
                    "the session cookie travels in the clear: requests for any host but this \
                     machine are refused"
                );
            }
            maintain::start(self);
        });
    }

    /// What tells open connections of the end of their session: the near cache that the layer is
    /// on, or one without copies, which costs a channel to the store and nothing per connection.
    pub(crate) fn near_cache(&self) -> &NearCache {
        self.own_near_cache().unwrap_or_else(|| {
            let store = self.store.store();
            let options = NearCache::options().with_copies_max(0).with_bytes_max(0);
            self.follower
                .get_or_init(|| options.over_arc(store.clone()))
        })
    }

    fn near_cache_if_any(&self) -> Option<&NearCache> {
        self.own_near_cache().or_else(|| self.follower.get())
    }

    /// The near cache that the layer is on.
    fn own_near_cache(&self) -> Option<&NearCache> {
        let any: &dyn Any = &**self.store.store();
        any.downcast_ref()
    }

    /// Whether one more anonymous session may be created now.
    pub(crate) fn admits_anonymous(&self) -> bool {
        let mut quota = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        quota.take(boot_time())
    }
}
