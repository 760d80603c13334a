//! The copies of one shard: found by handle, bounded by number and bytes, and what goes first.

mod index;
mod queue;

use std::{fmt, time::Duration};

use self::{
    index::Index,
    queue::{Links, Queue, at},
};
use super::{
    horizon::{StoreShard, Token, UserSlot},
    packed::Packed,
};
use crate::session::Handle;

/// The copies of one shard.
///
/// What goes first is decided by two rows. A new copy comes into the row of those on trial; if
/// it was not used when its turn comes, it goes. If it was, it moves to the row of the proven,
/// where each use since its last turn saves it once. A crawler that comes by once per session
/// thus costs a quarter of the room and no proven copy. It was chosen by measurement
/// (`cargo xtask bench near-trace`).
pub(super) struct Copies {
    bounds: Bounds,
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: Index,
    trial: Queue,
    proven: Queue,
    bytes: usize,
}

/// How much a shard holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many copies at most.
    pub copies_max: usize,
    /// How many bytes they take together at most, everything counted.
    pub bytes_max: usize,
}

/// One copy: 72 bytes on a machine of 64 bits.
pub(super) struct Slot {
    pub(super) handle: Handle,
    /// `None` in a slot that is free.
    pub(super) packed: Option<Packed>,
    /// When the load that brought it was sent.
    pub(super) sent: Nanos,
    /// When it ends, by what was known at the load.
    pub(super) ends: Nanos,
    pub(super) token: Token,
    links: Links,
    /// Where to look whether its user's sessions were revoked, and on which shard that is known.
    pub(super) user: Option<(UserSlot, StoreShard)>,
    row: Row,
    used: bool,
}

/// A time of the boot clock in half the bytes of a [`Duration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nanos(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Trial,
    Proven,
}

/// The row of those on trial is a quarter of all: a tenth keeps out a little more of what is
/// never used again, and loses more when other visitors become the most active ones.
const TRIAL_SHARE: usize = 4;

/// The slots grow by this part of them.
const SLACK: usize = 16;

/// What the index takes for a copy: four bytes, and the table may be up to five eighths empty.
const INDEX_BYTES: usize = 11;

// === impl Copies ===

impl Copies {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            slots: Vec::new(),
            free: Vec::new(),
            index: Index::default(),
            trial: Queue::EMPTY,
            proven: Queue::EMPTY,
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.trial.len() + self.proven.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The copy of this handle, whether it may be used or not.
    pub(super) fn find(&mut self, handle: &Handle) -> Option<&mut Slot> {
        let place = self.place_of(handle)?;
        Some(&mut self.slots[at(place)])
    }

    pub(super) fn remove(&mut self, handle: &Handle) {
        if let Some(place) = self.place_of(handle) {
            self.free(place);
        }
    }

    /// Keeps a copy in place of the one of its handle, and lets others go to make room. One that
    /// is larger than all room together is not kept.
    pub(super) fn insert(&mut self, slot: Slot) {
        let (handle, bytes) = (slot.handle, slot.bytes());
        if bytes > self.bounds.bytes_max || self.bounds.copies_max == 0 {
            self.remove(&handle);
            return;
        }
        if let Some(old) = self.find(&handle) {
            // The place in its row stays: to be loaded again is not to be used again.
            let (links, row, used) = (old.links, old.row, old.used);
            let was = old.bytes();
            *old = Slot {
                links,
                row,
                used,
                ..slot
            };
            self.bytes = self.bytes - was + bytes;
            self.make_room(0, 0);
            return;
        }
        self.make_room(1, bytes);
        let place = self.take_place(slot);
        self.bytes += bytes;
        self.trial.push(&mut self.slots, place);
        let slots = &self.slots;
        let hash_of = |place| spread(&slots[at(place)].handle);
        self.index.insert(spread(&handle), place, hash_of);
    }

    fn make_room(&mut self, copies: usize, bytes: usize) {
        while self.len() + copies > self.bounds.copies_max
            || self.bytes + bytes > self.bounds.bytes_max
        {
            let Some(place) = self.first_to_go() else {
                return;
            };
            self.free(place);
        }
    }

    /// Whose turn it is. Each step either ends or takes a mark away, so there are no more steps
    /// than marks.
    fn first_to_go(&mut self) -> Option<u32> {
        loop {
            let is_trial = self.trial.len() * TRIAL_SHARE >= self.len();
            let row = if is_trial { &self.trial } else { &self.proven };
            let place = row.oldest()?;
            if !std::mem::take(&mut self.slots[at(place)].used) {
                return Some(place);
            }
            self.unlink(place);
            self.slots[at(place)].row = Row::Proven;
            self.proven.push(&mut self.slots, place);
        }
    }

    fn place_of(&self, handle: &Handle) -> Option<u32> {
        let is_right = |place| self.slots[at(place)].handle == *handle;
        self.index.find(spread(handle), is_right)
    }

    fn take_place(&mut self, slot: Slot) -> u32 {
        if let Some(place) = self.free.pop() {
            self.slots[at(place)] = slot;
            return place;
        }
        if self.slots.len() == self.slots.capacity() {
            // Doubling would leave up to as much room unused as is used.
            let more = (self.slots.len() / SLACK).max(SLACK);
            self.slots.reserve_exact(more);
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("far fewer copies")
    }

    fn free(&mut self, place: u32) {
        let slots = &self.slots;
        let hash_of = |place| spread(&slots[at(place)].handle);
        self.index.remove(hash_of(place), place, hash_of);
        self.bytes -= self.slots[at(place)].bytes();
        self.unlink(place);
        self.slots[at(place)].packed = None;
        self.free.push(place);
    }

    fn unlink(&mut self, place: u32) {
        match self.slots[at(place)].row {
            Row::Trial => self.trial.remove(&mut self.slots, place),
            Row::Proven => self.proven.remove(&mut self.slots, place),
        }
    }
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Copies({} in {} bytes)", self.len(), self.bytes)
    }
}

// === impl Slot ===

impl Slot {
    pub(super) fn new(
        handle: Handle,
        packed: Packed,
        user: Option<(UserSlot, StoreShard)>,
        token: Token,
        sent: Nanos,
        ends: Nanos,
    ) -> Self {
        Self {
            handle,
            packed: Some(packed),
            sent,
            ends,
            token,
            links: Links::NONE,
            user,
            row: Row::Trial,
            used: false,
        }
    }

    /// Notes a use, which saves it at its next turn.
    pub(super) fn mark_used(&mut self) {
        self.used = true;
    }

    fn bytes(&self) -> usize {
        let packed = self.packed.as_ref().map_or(0, Packed::bytes);
        size_of::<Self>() + INDEX_BYTES + packed
    }
}

// === impl Nanos ===

impl Nanos {
    pub(super) fn of(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn time(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

/// A number that spreads handles: they are random already, unless someone numbers them.
pub(super) fn spread(handle: &Handle) -> u64 {
    let mut halves = [[0; 8]; 2];
    let (low, high) = handle.as_bytes().split_at(8);
    halves[0].copy_from_slice(low);
    halves[1].copy_from_slice(high);
    let [low, high] = halves.map(u64::from_le_bytes);
    let mixed = low.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ high;
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests;
