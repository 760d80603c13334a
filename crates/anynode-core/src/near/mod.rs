//! What a node that keeps copies has to know: which barriers have passed, what was revoked, which
//! copies may be trusted and for which request.
//!
//! Everything here is a function of what it is told and when: no I/O, no clock, no randomness.
//! Read in this order:
//!
//! - [`Barriers`]: when a barrier over several primaries has passed;
//! - [`Lease`]: until when what is known is complete, counted from when a barrier was sent;
//! - [`Reassert`]: which revocations are remembered;
//! - [`Muster`]: when a primary that took over may be read;
//! - [`Feed`]: what one channel tells, in the order in which it may be believed;
//! - [`Horizon`]: what all shards of a node read of that, without a lock;
//! - [`Shard`]: which copies get in, and for which [`Ask`] one may be used;
//! - [`Flights`]: who may share the answer of a load;
//! - [`Owed`]: when a node has proved what whoever called the roll wants to know;
//! - [`Confirmation`]: when everybody has, and what the [`Receipt`] may claim;
//! - [`OpenConnections`]: which connections are closed because their session ended.

mod ask;
mod barrier;
mod copies;
mod ear;
mod ending;
mod feed;
mod flight;
mod horizon;
mod known;
mod lease;
mod muster;
mod open;
mod owed;
mod pace;
mod packed;
mod rate;
mod reassert;
mod receipt;
mod shard;
mod varint;

pub use self::{
    ask::{Ask, Freshness, Hit, Look, Miss, Through, Why, through},
    barrier::{Barriers, Passed, Sign},
    copies::Bounds,
    ear::{Ear, Missed, Turned},
    ending::Ending,
    feed::{Act, Condition, Feed, revoked},
    flight::{FlightId, Flights, Role, Ticket},
    horizon::{Horizon, StoreShard, Token},
    known::Known,
    lease::Lease,
    muster::{Followed, Member, MemberId, Muster, Mustered},
    open::{Agenda, OpenConnections, OpenId, Query, Said},
    owed::Owed,
    pace::{beat_every, overdue_after, reconnect_pause},
    reassert::{Assertion, Full, Reassert},
    receipt::{Attendance, Confirmation, Proof, Receipt, Step},
    shard::{Answer, Fill, Limits, Shard},
};
