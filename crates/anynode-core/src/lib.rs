//! The words and the rules of anynode: pure, without I/O, clock or randomness.
//!
//! Whoever has read this crate has understood anynode. It decides and never acts: whether a
//! session is alive, whether a change still applies, which secret opens a record, what a store
//! owes its callers. Time and random bytes come in as arguments, so everything here can be run
//! on one thread from a seed.
//!
//! Read in this order:
//!
//! - [`Handle`], [`Secret`] and [`SessionId`]: how a session is named and opened;
//! - [`Record`] and [`Draft`]: what a store keeps, and what it is asked to keep;
//! - [`Delta`] and [`Admission`]: what a request changed, and to which newer record that may
//!   still be applied;
//! - [`UserEntry`]: how one write ends all sessions of a user;
//! - [`expiry`]: idle and absolute deadlines, and which uses are worth reporting;
//! - [`Store`]: the verbs of a store, and [`MemoryStore`], the model of all others;
//! - [`near`]: which copies of sessions a node may trust and for how long, and what was revoked;
//! - [`balance`]: which backend answers next, and what a failed connect changes;
//! - `contract` (feature `contract`): the laws of a store as tests that run on any.

pub mod balance;
#[cfg(feature = "contract")]
pub mod contract;
pub mod near;
mod planted;
pub mod session;
pub mod store;
mod time;

pub use self::{
    near::{Freshness, Receipt},
    planted::planted,
    session::{
        Admission, Binding, Budget, Cause, Data, Delta, Device, Draft, Due, Epoch, Handle, Kind,
        Lifetime, Live, Moment, Origin, OverBudget, Payload, Presented, Previous, Quota, Record,
        Room, Rotation, Secret, SecretHash, SessionId, Spared, Touch, Update, UserEntry, UserId,
        Value, ValueError, Version, WriteId, admit, expiry,
    },
    store::{
        BarrierId, Channel, ChannelKind, ClockKind, Create, Deposed, Durability, Effect, Error,
        ErrorKind, Event, Facts, Found, Item, Listing, MemoryStore, NodeEntry, NodeId, Note, Page,
        Replace, Revoke, Revoked, Roll, RollId, Snapshot, Store, Swept, Target, Tombstone, Verdict,
        Wanted,
    },
    time::{Clock, ManualClock, Timestamp},
};
