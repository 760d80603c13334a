//! How a node hears of changes: an ordered channel with a barrier.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    session::{Cause, Handle, UserEntry, UserId},
    store::Result,
    time::Timestamp,
};

/// The ordered invalidation channel of one node (L12).
///
/// Events come in an order in which no write that was acknowledged before a barrier began
/// comes after [`Event::Passed`] of that barrier. An error of [`Channel::next`] means that the
/// channel is lost; a channel that can resume then continues without a gap or answers
/// [`Event::Flush`] first.
#[async_trait]
pub trait Channel: fmt::Debug + Send {
    /// Whether copies are trusted under a lease or validated at every read.
    fn kind(&self) -> ChannelKind;

    /// The live revocations and user entries, to start from. Events that follow may repeat
    /// what is in it.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn snapshot(&mut self) -> Result<Snapshot>;

    /// The next event; waits for one. Dropping the future loses none.
    ///
    /// # Errors
    /// `Unavailable` when the channel is lost.
    async fn next(&mut self) -> Result<Event>;

    /// The next event that is there already; waits for none, and dropping the future loses none.
    ///
    /// `None` on a channel that is validated per read: everything that was acknowledged before
    /// this call has been delivered. On a leased one it says nothing of the store.
    ///
    /// # Errors
    /// As [`Channel::next`].
    async fn ready(&mut self) -> Result<Option<Event>>;

    /// Begins a barrier, which is also the heartbeat of the node: [`Channel::next`] answers
    /// [`Event::Passed`] once everything acknowledged before this call has been delivered.
    ///
    /// # Errors
    /// `Unavailable` when the store does not take the heartbeat.
    async fn barrier(&mut self) -> Result<BarrierId>;

    /// Tells who called the roll that this node has passed a barrier which began after it heard
    /// of that call: [`NodeEntry::answered`] says so soon, on every node. An answer to an earlier
    /// call changes nothing.
    ///
    /// It is told only on the connection on which the call was heard, so that no other server
    /// takes it for an answer to a call of its own. Nothing depends on it but a receipt.
    ///
    /// # Errors
    /// `Unavailable` when the channel is lost.
    async fn answer(&mut self, roll: RollId) -> Result<()>;
}

/// How a node may trust its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// For a bounded time after each barrier.
    Leased,
    /// Only after asking the channel at every read, which costs no round trip (SQLite).
    ValidatedPerRead,
}

/// Something that happened in the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The record of this handle was written or removed: a copy of it is old.
    Changed(Handle),
    /// A session was revoked.
    Revoked(Tombstone),
    /// All sessions of a user were revoked, perhaps but one.
    User(UserId, UserEntry),
    /// Anything may have happened: every copy is old, and the snapshot has to be read again.
    Flush,
    /// Everything acknowledged before this barrier began has been delivered. With the store's
    /// clock, so that a node can compare the rate of its own.
    Passed(BarrierId, Timestamp),
    /// The roll was called: somebody waits for every registered node to pass a barrier that
    /// begins after this was heard, and to say so by [`Channel::answer`].
    Roll(RollId),
}

/// The number of a barrier, increasing on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BarrierId(pub u64);

/// The number of a call of the roll: greater than that of every call before it, on the whole
/// store, also after a fail-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollId(pub u64);

/// What came of calling the roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roll {
    /// The nodes are asked, under this number.
    Called(RollId),
    /// Nobody is asked: copies are validated at every read, so that there is nothing to confirm.
    Validated,
}

/// What is left of a revoked session until its absolute deadline: at most 64 bytes, so that
/// dead stays dead at little cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Which session.
    pub handle: Handle,
    /// Why it ended.
    pub cause: Cause,
    /// When nothing could revive it any more.
    pub until: Timestamp,
}

/// The live revocations and user entries of a store.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The tombstones.
    pub revoked: Vec<Tombstone>,
    /// The entries of all users who have one.
    pub users: Vec<(UserId, UserEntry)>,
    /// The store's clock when it was read.
    pub now: Timestamp,
}

/// The name of a node, unique in the fleet for each start of its process: 1 to 64 characters
/// of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

/// A node that registered with the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEntry {
    /// Its name.
    pub node: NodeId,
    /// The store's clock at its last heartbeat.
    pub heartbeat_at: Timestamp,
    /// The last call of the roll that it answered, if it ever did.
    pub answered: Option<RollId>,
}

/// The text cannot name a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidNodeId;

// === impl NodeId ===

impl NodeId {
    /// The node named `text`.
    ///
    /// # Errors
    /// [`InvalidNodeId`] when it is empty, longer than 64 bytes, or has another character
    /// than `A-Z a-z 0-9 . _ -`.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidNodeId> {
        let text = text.as_ref();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(good) {
            return Err(InvalidNodeId);
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

impl fmt::Display for InvalidNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node id is 1 to 64 characters of A-Z a-z 0-9 . _ -")
    }
}

impl std::error::Error for InvalidNodeId {}
