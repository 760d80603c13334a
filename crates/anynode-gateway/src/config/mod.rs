//! What a gateway is started with: where it listens, its first backends, who is chosen, and a limit on everything.

mod check;
mod health;
mod limits;

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};

use anynode_core::balance::{
    AddressPrefix, BackendId, Balance, CookieAffinity, Duty, Ejection, Incarnation, SourceAffinity,
};

pub use self::check::ConfigError;
pub use self::health::{HealthCheck, Probe};
pub use self::limits::{HEADER_COUNT_MAX, Limits};

/// One node as the gateway sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name in the pool, which it keeps when it restarts on another port.
    ///
    /// Logs and metrics show it, clients never see it.
    pub name: String,
    /// Where it answers HTTP/1.1 without TLS.
    pub address: SocketAddr,
    /// Its share of the requests relative to the other backends; 1 by default.
    pub weight: NonZeroU16,
    /// Which of the lives of this backend it is; by default [`Incarnation::at`] its address.
    ///
    /// A node that keeps sessions in its memory needs another one after each restart.
    pub incarnation: Incarnation,
    /// Whether it gets new clients; [`Duty::Serving`] by default.
    pub duty: Duty,
    /// The most requests in flight there at once, `None` for no bound, which is the default.
    ///
    /// A WebSocket counts while it is open.
    /// A backend that has as many is full: new clients go to others, and its own wait for it as
    /// [`Limits::queue_timeout`] says.
    /// Every gateway counts for itself: several before one backend share what it can bear.
    pub in_flight_max: Option<NonZeroU32>,
}

/// What keeps a client on one backend.
#[derive(Clone, Debug, Default)]
pub enum Affinity {
    /// Nothing: any backend serves any request.
    #[default]
    None,
    /// A signed cookie that the gateway adds to responses and takes out of requests.
    Cookie(CookieAffinity),
    /// The client's address.
    Source(SourceAffinity),
}

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The address to listen on; port 0 lets the system choose a free one.
    pub listen: SocketAddr,
    /// The backends at the start, fewer than [`BACKENDS_MAX`](anynode_core::balance::BACKENDS_MAX).
    ///
    /// None is allowed: until one is inserted every request is answered 503.
    pub backends: Vec<Backend>,
    /// How many threads serve connections; by default one for each core of the machine.
    pub workers: Option<NonZeroUsize>,
    /// By what rule a backend is chosen; round robin by default.
    pub balance: Balance,
    /// What keeps a client on one backend; nothing by default.
    pub affinity: Affinity,
    /// How backends are asked whether they are well; by default they are not.
    ///
    /// A failed connect and a bad answer are noticed anyway, and which path tells that an application is
    /// well, only its operator knows.
    pub health: Option<HealthCheck>,
    /// When a backend is left alone for what it answers; [`Ejection::default`] by default, `None` for never.
    pub ejection: Option<Ejection>,
    /// The proxies whose word about the client's address, scheme and host is taken; none by default.
    pub trusted_proxies: Vec<AddressPrefix>,
    /// What happens to a safe request whose connection to the backend closed without an answer.
    pub after_silence: AfterSilence,
    /// The bounds on connections, messages and waiting.
    pub limits: Limits,
}

/// What happens when a backend closes the connection after the request was written and before it answered.
///
/// A request with a body or with a method that is not safe (RFC 9110, 9.2.1) is never sent
/// twice, whatever is chosen here: it may have been run, and is answered 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AfterSilence {
    /// GET, HEAD and OPTIONS without a body are sent once more, on a new connection.
    ///
    /// The default, because a backend may close an idle connection at the very moment the gateway
    /// uses it, which RFC 9112, 9.3.1 asks clients to be ready for; and because safe methods ask for nothing
    /// that could not be asked twice.
    #[default]
    RetrySafeOnce,
    /// Every such request is answered 502.
    ///
    /// For applications whose GET handlers do what must not be done twice.
    Fail,
}

// === impl Backend ===

impl Backend {
    /// Returns a backend of weight 1 that serves, in the incarnation of its address.
    #[must_use]
    pub fn new(name: impl Into<String>, address: SocketAddr) -> Self {
        let name = name.into();
        Self {
            incarnation: Incarnation::at(&name, address),
            name,
            address,
            weight: NonZeroU16::MIN,
            duty: Duty::Serving,
            in_flight_max: None,
        }
    }

    /// Returns its id in the pool, which follows from its name.
    #[must_use]
    pub fn id(&self) -> BackendId {
        BackendId::of(&self.name)
    }
}

// === impl GatewayConfig ===

impl GatewayConfig {
    /// Returns the defaults for this address and these backends.
    #[must_use]
    pub fn new(listen: SocketAddr, backends: Vec<Backend>) -> Self {
        Self {
            listen,
            backends,
            workers: None,
            balance: Balance::default(),
            affinity: Affinity::default(),
            health: None,
            ejection: Some(Ejection::default()),
            trusted_proxies: Vec::new(),
            after_silence: AfterSilence::default(),
            limits: Limits::default(),
        }
    }

    /// Finds out whether a gateway could be started with this, as far as that can be known without starting it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first thing that cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        check::check(self)
    }
}
