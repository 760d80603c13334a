//! Where records live: the verbs of a store, and what each may answer.

mod authority;
mod channel;
mod error;
mod facts;
mod fence;
mod memory;
mod replicas;
mod rules;
mod silence;
mod standbys;
mod wanted;

use std::{any::Any, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

pub use self::{
    authority::{Authority, Belief},
    channel::{
        BarrierId, Channel, ChannelKind, Event, InvalidNodeId, NodeEntry, NodeId, Roll, RollId,
        Snapshot, Tombstone,
    },
    error::{Error, ErrorKind, Result},
    facts::{ClockKind, Deposed, Durability, Facts, Note, Verdict},
    fence::{Asked, Continued, Disk, Fence, History, Loss, Reign},
    memory::MemoryStore,
    replicas::Replicas,
    rules::{Kept, replace},
    silence::Silence,
    standbys::Standbys,
    wanted::{Found, Wanted},
};
use crate::{
    session::{Cause, Draft, Handle, Live, Record, Touch, UserEntry, UserId, Version},
    time::Timestamp,
};

/// Where the records of sessions live, and those of everything else with the same life.
///
/// Every implementation passes the laws of `anynode_core::contract` (feature `contract`), L1 to
/// L13, which say precisely what each verb promises. No verb has a default body, so that a
/// wrapper cannot forget to forward one.
///
/// Every call ends within a deadline of the store's choosing. Results that a caller has to
/// expect (absent, conflict, gone) are answers; an [`Error`] says what to do next.
#[async_trait]
pub trait Store: Any + fmt::Debug + Send + Sync {
    /// Inserts the record if its handle is free (L1).
    ///
    /// A handle that exists, dead or alive, or that was revoked, is [`Create::Duplicate`].
    ///
    /// # Errors
    /// `TooLarge` before any I/O, `Unavailable`, or `Indeterminate` when it may have happened.
    async fn create(&self, draft: &Draft) -> Result<Create>;

    /// The record, while it is alive (L2). A copy is no answer, whoever keeps one.
    ///
    /// `None` when it is absent, expired, revoked or outdated by its user's entry.
    ///
    /// # Errors
    /// `Unavailable`, or `Corrupt` when it is there and cannot be read.
    async fn load(&self, handle: &Handle) -> Result<Option<Live>>;

    /// Whether this handle on the store keeps copies, so that another one may know of a write
    /// before it does.
    fn keeps_copies(&self) -> bool;

    /// The copy of a record that may answer this request, without asking anybody.
    ///
    /// `None` where there is none, as in every store that keeps no copies: then the request
    /// goes on to [`Store::load_for`].
    fn copy(&self, wanted: &Wanted) -> Option<Found>;

    /// As [`Store::load`], for a request that may be answered from a copy. A store that keeps
    /// none performs a `load`.
    ///
    /// # Errors
    /// Those of [`Store::load`].
    async fn load_for(&self, wanted: &Wanted) -> Result<Found>;

    /// Writes the draft over the record that still has the version `base` (L3, L4).
    ///
    /// Counts as a use of the session. Stamps a bound record with its user's current epoch,
    /// read within the write (L6). Never inserts: what is not alive is [`Replace::Gone`].
    ///
    /// A record that is bound to another user than before is judged by the entry of the user
    /// before as it stood at some moment of the write. So a revocation of that user which was
    /// acknowledged before the write began has ended it; one that overlaps the write may come
    /// after it in effect, and a read between the two may still find the session ended.
    ///
    /// # Errors
    /// `TooLarge` before any I/O, `Unavailable`, or `Indeterminate` when it may have happened;
    /// then the caller loads and looks for its own write id.
    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace>;

    /// Moves idle deadlines forward (L5): revives nothing, changes no version, tells no node.
    ///
    /// # Errors
    /// `Unavailable` or `Indeterminate`; touching again is harmless.
    async fn touch(&self, batch: &[Touch]) -> Result<()>;

    /// Ends sessions, for good (L4, L6, L13). Idempotent.
    ///
    /// # Errors
    /// `Unavailable`, or `Indeterminate` when it may have happened; revoking again is right.
    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked>;

    /// Exactly the live sessions of a user, a page at a time, in the order of their handles
    /// (L7). The cost depends on that user's sessions only.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing>;

    /// Everything the store keeps, dead or alive, in the order of handles: for migration and
    /// operators. At most `limit` items from just after `cursor`.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>>;

    /// Registers `node` and opens the invalidation channel (L12).
    ///
    /// # Errors
    /// `Unavailable` or `Config`.
    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>>;

    /// The nodes that have registered and not been silent for longer than their lease.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn nodes(&self) -> Result<Vec<NodeEntry>>;

    /// Takes a node out of the registry (L12) that uses no copy any more, so that no receipt
    /// waits for it. One that is not registered, or not any more, is no error; one that beats
    /// again is registered again.
    ///
    /// # Errors
    /// `Unavailable`, or `Indeterminate` when it may have happened; leaving again is harmless.
    async fn leave(&self, node: &NodeId) -> Result<()>;

    /// Asks every registered node to pass a barrier and to say so: each hears [`Event::Roll`] on
    /// its channel, as it hears of a write (L12). Goes through on a full store (L13).
    ///
    /// Whoever revoked calls it after the acknowledgement, then reads in [`Store::nodes`] who
    /// answered; [`Confirmation`](crate::near::Confirmation) says when that is enough.
    ///
    /// # Errors
    /// `Unavailable`, or `Indeterminate` when it may have happened; calling again is harmless.
    async fn call_roll(&self) -> Result<Roll>;

    /// What the store is and what it can promise.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn inspect(&self) -> Result<Facts>;

    /// Removes up to `limit` items that are dead, and nothing else (L8). Many nodes may sweep
    /// at once.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn sweep(&self, limit: usize) -> Result<Swept>;
}

/// What became of a `create`.
#[derive(Clone, Debug, PartialEq)]
pub enum Create {
    /// The record is there; this is how it was kept.
    Created(Live),
    /// The handle is taken or was revoked. Nothing was written.
    Duplicate,
}

/// What became of a `replace`.
#[derive(Clone, Debug, PartialEq)]
pub enum Replace {
    /// The record was written; this is how it was kept.
    Replaced(Live),
    /// Someone else wrote first; this is the record now. Nothing was written.
    Conflict(Live),
    /// The session is dead or was never there. Nothing was written.
    Gone,
}

/// Which sessions to end, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// Which.
    pub target: Target,
    /// Why: kept in the tombstone.
    pub cause: Cause,
}

/// Which sessions to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This one.
    Session(Handle),
    /// This one, if it is this user's; the check is part of the write.
    SessionOf(UserId, Handle),
    /// All of this user.
    User(UserId),
    /// All of this user but this one.
    UserExcept(UserId, Handle),
}

/// An acknowledged revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// How safe it is against the loss of the store's primary.
    pub durability: Durability,
    /// The store's clock at the revocation.
    pub at: Timestamp,
    /// Whether it ended anything.
    pub effect: Effect,
}

/// Whether a revocation ended anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// One session.
    Session,
    /// A generation of a user's sessions; how many there were is not counted.
    User(UserEntry),
    /// Nothing: it was dead, absent, or another user's.
    Nothing,
}

/// Which part of a list to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Start just after this handle; `None` from the beginning.
    pub after: Option<Handle>,
    /// At most this many, and never more than [`Page::LIMIT_MAX`].
    pub limit: usize,
}

/// A part of a user's sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The sessions, in the order of their handles.
    pub sessions: Vec<Live>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Handle>,
}

/// One thing that a store keeps.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A record, with its idle deadline, dead or alive.
    Record(Arc<Record>, Timestamp),
    /// What is left of a revoked session.
    Tombstone(Tombstone),
}

/// What a `sweep` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// How many items it removed or shrank to tombstones.
    pub removed: usize,
    /// Whether the limit stopped it, so that another call would find more.
    pub more: bool,
}

// === impl Revoke ===

impl Revoke {
    /// Ends one session.
    pub fn session(handle: Handle, cause: Cause) -> Self {
        Self {
            target: Target::Session(handle),
            cause,
        }
    }

    /// Ends all sessions of a user.
    pub fn user(user: UserId, cause: Cause) -> Self {
        Self {
            target: Target::User(user),
            cause,
        }
    }

    /// Ends all sessions of a user but `spared`.
    pub fn user_except(user: UserId, spared: Handle, cause: Cause) -> Self {
        Self {
            target: Target::UserExcept(user, spared),
            cause,
        }
    }
}

// === impl Page ===

impl Page {
    /// The most sessions a page holds.
    pub const LIMIT_MAX: usize = 100;

    /// The first page, as large as pages get.
    pub const FIRST: Self = Self {
        after: None,
        limit: Self::LIMIT_MAX,
    };

    /// The limit that a store applies: at least one, at most [`Page::LIMIT_MAX`].
    pub fn limit(&self) -> usize {
        self.limit.clamp(1, Self::LIMIT_MAX)
    }
}

/// How long to wait before another try after the `attempt`-th conflict, counted from 0: a
/// random part of 1 ms, doubled with each attempt up to 64 ms (full jitter).
///
/// `random` is any number from the operating system's random source.
pub fn conflict_pause(attempt: u32, random: u64) -> Duration {
    let most_micros = 1_000_u64 << attempt.min(6);
    Duration::from_micros(random % most_micros)
}

/// How many times a write is rebased on a newer record before its request is told that the
/// session is contended. Each try waits at most 64 ms, so it gives up after some seconds.
pub const REBASES_MAX: u32 = 64;
