//! A TCP proxy between a node and its store that does to their connections what networks do.
//!
//! What it does can be changed at any time, for connections that are open as well. A stream never
//! has a hole: where bytes were swallowed, none that follow them arrive, as in TCP itself. What
//! is left to chance follows from the seed, the number of the connection and the direction.

mod connection;
mod flow;
mod orders;
mod overtaking;
mod owner;
mod piece;
mod proxy;
mod wall_clock;

use std::time::Duration;

pub(crate) use self::orders::Callers;
pub use self::overtaking::Overtaking;
pub use self::proxy::Proxy;
pub use self::wall_clock::WallClocks;

/// What is done to connections, from now until something else is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Everything arrives `by` later, and up to `jitter` more; the order stays.
    Delay {
        /// Where to.
        way: Way,
        /// How much later at least.
        by: Duration,
        /// How much later than that at most.
        jitter: Duration,
    },
    /// Everything is accepted and swallowed, the end of a connection included. A connection that
    /// lost bytes so stays silent even afterwards.
    BlackHole(Way),
    /// Nothing arrives until something else is done; then all of it does, late.
    Stall(Way),
    /// The server's ends are closed, and the clients are never told: what they send is swallowed,
    /// and once this is over it is answered by a reset.
    HalfOpen,
    /// Every connection is reset, and so is each new one, once it is open.
    Reset,
    /// Every connection is closed in order, and so is each new one, once it is open.
    Cut,
    /// One byte arrives each time that so much time has passed.
    Drip {
        /// Where to.
        way: Way,
        /// The time from one byte to the next.
        every: Duration,
    },
    /// Each byte is sent by itself.
    SingleBytes(Way),
    /// Something is done to chosen replies.
    Reply {
        /// To which.
        which: Which,
        /// What is done.
        act: Act,
    },
    /// New connections are refused; those that are open go on.
    Refuse,
}

/// A direction, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
    /// Both.
    Both,
}

/// Which replies are meant. A reply is what was read from the server at once: one answer, or
/// several that came together, or a part of one that is longer than 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The n-th from now on, of all connections together; the next one is the first.
    Nth(u64),
    /// Each n-th from now on, of all connections together.
    Every(u64),
    /// Each in which these bytes stand.
    Matching(Vec<u8>),
}

/// What is done to a chosen reply. What follows it on its connection waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Random bytes arrive in its place, as many.
    Garble,
    /// It arrives once something else is done.
    Hold,
    /// It arrives so much later.
    Delay(Duration),
    /// Its connection is reset in its place.
    Reset,
    /// Its connection is closed in its place.
    Cut,
}

// === impl Way ===

impl Way {
    fn covers(self, direction: Self) -> bool {
        self == Self::Both || self == direction
    }
}
