//! The bounds on connections, messages and waiting.

use std::time::Duration;

/// The most header fields of one message; a request with more is answered 431.
///
/// It is hyper's default and the size of its array on the stack; setting any number, even this one, would
/// make every request allocate.
pub const HEADER_COUNT_MAX: usize = 100;

/// The bounds on connections, messages and waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "written with struct update syntax"
)]
pub struct Limits {
    /// The most client connections at once, WebSockets included; 10,000 by default.
    ///
    /// Above it clients wait in the listening socket's queue, as long as that is.
    /// Each takes two file descriptors, one for the client and one for its backend.
    pub connections_max: usize,
    /// The most bytes of a message's head, at least 8 KiB; 32 KiB by default.
    ///
    /// A longer request is answered 431, a longer response 502.
    pub head_bytes_max: usize,
    /// The most bytes of a request's target, a longer one is answered 414; 8 KiB by default.
    pub target_bytes_max: usize,
    /// How long a client may take to send a request's head, and stay idle between two requests; 30 s by default.
    pub head_timeout: Duration,
    /// How long connecting to a backend may take; 2 s by default.
    ///
    /// A backend in the same data centre answers in milliseconds. But a packet that was lost, or met a full queue
    /// of connections, is sent again after 1 s, and that one should be given the time to arrive.
    pub connect_timeout: Duration,
    /// How long a request waits for a place at backends that are [full](super::Backend::in_flight_max); 1 s by default.
    ///
    /// A client that belongs to one backend is then served by another this once, or answered 503 where it is
    /// strict; every other is answered 503.
    /// Short, because requests that wait are requests in flight for everybody before the gateway.
    pub queue_timeout: Duration,
    /// The most requests that wait at once; 1,024 by default.
    ///
    /// Above it nobody waits: what would happen after [`queue_timeout`](Self::queue_timeout) happens at once.
    /// Every place that becomes free is offered along the queue, so this also bounds what that costs.
    pub queue_max: usize,
    /// How long a backend may be silent before the head of its answer, and a client in the
    /// middle of its request's body; 60 s by default.
    pub answer_timeout: Duration,
    /// How long a client or a backend may take nothing of what is written to it; 60 s by default.
    ///
    /// The time begins anew whenever the system has room for more, which is when a third of its buffer was read,
    /// about a megabyte at most: a reader slower than some 20 kB/s may be cut with the default, as one is that does
    /// not read at all.
    /// A client whose upload was answered while its backend no longer read is cut then as well.
    pub write_timeout: Duration,
    /// How long an answer that has begun, or a WebSocket, may be silent before it is cut; 1 h by default.
    ///
    /// Long, because chats and server-sent events are often silent; not endless, because a peer that lost
    /// its power says nothing either. It is cut after this time at the earliest and twice of it at the latest.
    pub silence_timeout: Duration,
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
pub(super) const HEAD_BYTES_LEAST: usize = 8 * 1024;

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            head_bytes_max: 32 * 1024,
            target_bytes_max: 8 * 1024,
            head_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(2),
            queue_timeout: Duration::from_secs(1),
            queue_max: 1_024,
            answer_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            silence_timeout: Duration::from_secs(60 * 60),
            idle_per_backend_max: 64,
            idle_timeout: Duration::from_secs(4),
            stop_timeout: Duration::from_secs(10),
        }
    }
}
