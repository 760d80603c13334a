//! What a gateway is started with: where it listens, its first backends, and a limit on everything.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use anynode_core::balance::BackendId;

/// The most header fields of one message; a request with more is answered 431.
///
/// It is hyper's default and the size of its array on the stack; setting any number, even this one, would
/// make every request allocate.
pub const HEADER_COUNT_MAX: usize = 100;

/// One node as the gateway sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name in the pool, which it keeps when it restarts on another port.
    pub id: BackendId,
    /// Where it answers HTTP/1.1 without TLS.
    pub address: SocketAddr,
    /// Its share of the requests relative to the other backends; 1 by default.
    pub weight: NonZeroU16,
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

/// The bounds on connections, messages and waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "written with struct update syntax"
)]
pub struct Limits {
    /// The most client connections at once, WebSockets included; 10,000 by default.
    ///
    /// Above it clients wait in the listening socket's queue.
    pub connections_max: usize,
    /// The most bytes of a message's head, at least 8 KiB; 32 KiB by default.
    ///
    /// A longer request is answered 431, a longer response 502.
    pub head_bytes_max: usize,
    /// How long a client may take to send a request's head, and stay idle between two requests; 30 s by default.
    pub head_timeout: Duration,
    /// How long connecting to a backend may take; 1 s by default.
    ///
    /// A backend in the same data centre answers in milliseconds, and the next one may take over at once.
    pub connect_timeout: Duration,
    /// How long a backend may be silent before the head of its answer, and a client in the
    /// middle of its request's body; 60 s by default.
    pub answer_timeout: Duration,
    /// The most idle connections each worker keeps to each backend; 64 by default.
    pub idle_per_backend_max: usize,
    /// How long an idle connection to a backend is kept; 4 s by default.
    ///
    /// Shorter than the shortest common default of web servers (5 s, Node), so that it is nearly always the
    /// gateway that closes, and a request seldom meets a connection that is about to go.
    pub idle_timeout: Duration,
    /// How long requests in flight may take to finish once the gateway stops; 10 s by default.
    pub stop_timeout: Duration,
}

/// The least value of [`Limits::head_bytes_max`], below which common requests would not fit.
pub(crate) const HEAD_BYTES_LEAST: usize = 8 * 1024;

// === impl Backend ===

impl Backend {
    /// Returns a backend of weight 1.
    #[must_use]
    pub const fn new(id: BackendId, address: SocketAddr) -> Self {
        Self {
            id,
            address,
            weight: NonZeroU16::MIN,
        }
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
            after_silence: AfterSilence::default(),
            limits: Limits::default(),
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            head_bytes_max: 32 * 1024,
            head_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(60),
            idle_per_backend_max: 64,
            idle_timeout: Duration::from_secs(4),
            stop_timeout: Duration::from_secs(10),
        }
    }
}
