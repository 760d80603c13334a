//! The revocations that a node remembers, to refuse by them and to write them again when a
//! fail-over may have lost them.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::Hash,
    time::Duration,
};

use super::Known;
use crate::{
    session::{Handle, Record, UserEntry, UserId},
    store::{Event, Snapshot, Tombstone},
};

/// What a node has heard of revocations lately, its own and those of other nodes.
///
/// A store that copies its writes asynchronously can lose an acknowledged revocation when its
/// primary fails, and the session is back. Every node that heard of it still knows: it refuses
/// the session at once, and writes the revocation again on the new primary.
///
/// Two kinds of memory: what was *heard* is acknowledged and kept for a window, longer than any
/// replica is behind; what is *owed* was not acknowledged as it had to be, and is kept until it
/// is. Time is a [`Duration`] on the node's boot clock.
///
/// ```
/// # use anynode_core::{Cause, Handle, Timestamp, Tombstone, near::{Assertion, Reassert}};
/// # use std::time::Duration;
/// let mut memory = Reassert::new(Duration::from_secs(600), 1_000);
/// let handle = Handle::from_bytes([1; 16]);
/// let until = Timestamp::from_millis(9);
/// let tombstone = Tombstone { handle, cause: Cause::User, until };
/// memory.heard(Assertion::Session(tombstone), Duration::ZERO)?;
/// assert!(memory.refuses(&handle));
/// memory.forget(Duration::from_secs(600));
/// assert!(!memory.refuses(&handle));
/// # Ok::<(), anynode_core::near::Full>(())
/// ```
pub struct Reassert {
    window: Duration,
    capacity: usize,
    sessions: HashMap<Handle, Kept<Tombstone>>,
    users: HashMap<UserId, Kept<UserEntry>>,
    incomplete_until: Duration,
    /// Nothing is old enough to be forgotten before this.
    oldest_until: Duration,
    /// Before this nothing is forgotten only to make room.
    make_room_from: Duration,
    /// How often everything was looked through.
    #[cfg(test)]
    scans: u32,
}

/// A revocation, in a form that can be written again: doing so twice changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// One session.
    Session(Tombstone),
    /// A generation of a user's sessions.
    User(UserId, UserEntry),
}

/// There is no room for another revocation. Those that are there were kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A revocation that is remembered.
#[derive(Clone, Copy, Debug)]
struct Kept<T> {
    what: T,
    /// Forgotten from then on.
    until: Duration,
    debt: Debt,
}

/// Whether a revocation was acknowledged as it had to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Debt {
    Settled,
    Owed,
}

/// How often in a window a full memory is looked through for what is to be forgotten.
const SCANS_A_WINDOW: u32 = 64;

// === impl Reassert ===

impl Reassert {
    /// How long a revocation that was heard is remembered: far longer than a replica may be
    /// behind and a fail-over may take.
    pub const WINDOW: Duration = Duration::from_secs(10 * 60);

    /// How many revocations are remembered: ten thousand a minute for a whole window, and half as
    /// many where as much as may be was recalled.
    pub const CAPACITY: usize = 100_000;

    /// An empty memory that keeps up to `capacity` revocations for `window` each.
    pub fn new(window: Duration, capacity: usize) -> Self {
        Self {
            window,
            capacity,
            sessions: HashMap::new(),
            users: HashMap::new(),
            incomplete_until: Duration::ZERO,
            oldest_until: Duration::MAX,
            make_room_from: Duration::ZERO,
            #[cfg(test)]
            scans: 0,
        }
    }

    /// Remembers an acknowledged revocation for a window from now.
    ///
    /// # Errors
    /// [`Full`]: it is not remembered, and [`Reassert::is_complete`] says so for a window.
    pub fn heard(&mut self, assertion: Assertion, now: Duration) -> Result<(), Full> {
        let until = now + self.window;
        self.keep(assertion, until, Debt::Settled, self.capacity, now)
    }

    /// Remembers for a window from now what was revoked before a channel was heard, as the store
    /// has it now: the entries of users that changed within the last window, and tombstones,
    /// because nothing tells how old they are.
    ///
    /// Whose sessions were revoked earlier is refused by the store that the snapshot is of, and
    /// no fail-over brings them back. What is recalled takes up to half of the room, and the other
    /// half is left for what is heard. The first tombstone that does not fit is the last one that
    /// is looked at: a snapshot may have millions, and whoever waits for this memory waits.
    ///
    /// # Errors
    /// [`Full`]: some are not remembered. Unlike one that was heard, such a revocation leaves the
    /// memory complete: the store that the snapshot is of refuses it, and whoever heard of it has
    /// it written again should another primary take over without it.
    pub fn recall(&mut self, snapshot: &Snapshot, now: Duration) -> Result<(), Full> {
        let (until, most) = (now + self.window, self.capacity / 2);
        if self.len() + snapshot.users.len() + snapshot.revoked.len() > most {
            self.forget(now);
        }
        let recent = snapshot.now.back(self.window).as_micros();
        let users = snapshot.users.iter();
        let users = users.filter(|(_, entry)| entry.epoch.as_micros() >= recent);
        let users = users.map(|(user, entry)| Assertion::User(user.clone(), *entry));
        let mut recalled = Ok(());
        // All of them: a later entry of a user that is known needs no room.
        for user in users {
            recalled = recalled.and(self.put(user, until, Debt::Settled, most));
        }
        let mut stones = snapshot.revoked.iter().copied().map(Assertion::Session);
        let fits = stones.try_for_each(|stone| self.put(stone, until, Debt::Settled, most));
        recalled.and(fits)
    }

    /// Remembers a revocation that was not acknowledged as it had to be, until it is settled or
    /// the boot clock says `until`: then what it revokes is dead anyway.
    ///
    /// # Errors
    /// [`Full`], as for [`Reassert::heard`].
    pub fn owe(
        &mut self,
        assertion: Assertion,
        until: Duration,
        now: Duration,
    ) -> Result<(), Full> {
        self.keep(assertion, until, Debt::Owed, self.capacity, now)
    }

    /// Notes that an owed revocation was acknowledged: it has been heard.
    pub fn settle(&mut self, assertion: &Assertion, now: Duration) {
        let until = now + self.window;
        match assertion {
            Assertion::Session(stone) => settle(&mut self.sessions, &stone.handle, |_| true, until),
            Assertion::User(user, entry) => {
                let same = |kept: &UserEntry| kept.merged(*entry) == *entry;
                settle(&mut self.users, user, same, until);
            }
        }
        self.oldest_until = self.oldest_until.min(until);
    }

    /// Whether this session is known to be revoked.
    pub fn refuses(&self, handle: &Handle) -> bool {
        self.sessions.contains_key(handle)
    }

    /// Whether this record is known to be revoked, by itself or with its user's sessions.
    pub fn refuses_record(&self, record: &Record) -> bool {
        self.refuses(&record.handle) || self.outdates(record)
    }

    /// What is known now of a session that is about to be written for this user.
    pub fn known_of(&self, handle: &Handle, user: Option<&UserId>) -> Known {
        let entry = user.and_then(|user| Some(self.users.get(user)?.what));
        Known::new(self.refuses(handle), entry)
    }

    /// What is to be written again after a fail-over: everything remembered.
    pub fn to_assert(&self) -> Vec<Assertion> {
        self.all(|_| true)
    }

    /// What is remembered of the end of this session by itself.
    pub fn end_of(&self, handle: &Handle) -> Option<Assertion> {
        let kept = self.sessions.get(handle)?;
        Some(Assertion::Session(kept.what))
    }

    /// What is to be written again because it is owed.
    pub fn owed(&self) -> Vec<Assertion> {
        self.all(|debt| debt == Debt::Owed)
    }

    /// Whether nothing was refused for want of room within the last window: only then does a
    /// fail-over lose no revocation that this node heard.
    pub fn is_complete(&self, now: Duration) -> bool {
        self.incomplete_until <= now
    }

    /// Forgets what was heard a window ago.
    pub fn forget(&mut self, now: Duration) {
        if now < self.oldest_until {
            return;
        }
        #[cfg(test)]
        {
            self.scans += 1;
        }
        let mut oldest = Duration::MAX;
        let mut is_kept = |until: Duration| {
            if now < until {
                oldest = oldest.min(until);
            }
            now < until
        };
        self.sessions.retain(|_, kept| is_kept(kept.until));
        self.users.retain(|_, kept| is_kept(kept.until));
        self.oldest_until = oldest;
    }

    /// How many revocations are remembered.
    pub fn len(&self) -> usize {
        self.sessions.len() + self.users.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep(
        &mut self,
        assertion: Assertion,
        until: Duration,
        debt: Debt,
        most: usize,
        now: Duration,
    ) -> Result<(), Full> {
        if self.len() >= most && self.make_room_from <= now {
            // Now and then only: it looks at everything, and there is always one that is just
            // too old where revocations come faster than there is room for.
            self.make_room_from = now + self.window / SCANS_A_WINDOW;
            self.forget(now);
        }
        let kept = self.put(assertion, until, debt, most);
        if kept.is_err() {
            self.incomplete_until = now + self.window;
        }
        kept
    }

    /// Puts it where there is room or its like is, without looking at any other.
    fn put(
        &mut self,
        assertion: Assertion,
        until: Duration,
        debt: Debt,
        most: usize,
    ) -> Result<(), Full> {
        if crate::planted("full_memory_evicts") && self.len() >= self.capacity {
            self.sessions.clear();
        }
        let room = self.len() < most;
        let kept = match assertion {
            Assertion::Session(what) => {
                let kept = Kept { what, until, debt };
                insert(&mut self.sessions, what.handle, kept, room, |_, new| new)
            }
            Assertion::User(user, what) => {
                let kept = Kept { what, until, debt };
                insert(&mut self.users, user, kept, room, UserEntry::merged)
            }
        };
        if kept.is_ok() {
            self.oldest_until = self.oldest_until.min(until);
        }
        kept
    }

    fn outdates(&self, record: &Record) -> bool {
        let Some(binding) = &record.binding else {
            return false;
        };
        let kept = self.users.get(&binding.user);
        kept.is_some_and(|kept| kept.what.outdates(&record.handle, binding.stamp))
    }

    fn all(&self, wanted: impl Fn(Debt) -> bool) -> Vec<Assertion> {
        let sessions = self.sessions.values().filter(|kept| wanted(kept.debt));
        let sessions = sessions.map(|kept| Assertion::Session(kept.what));
        let users = self.users.iter().filter(|(_, kept)| wanted(kept.debt));
        let users = users.map(|(user, kept)| Assertion::User(user.clone(), kept.what));
        sessions.chain(users).collect()
    }
}

impl fmt::Debug for Reassert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reassert({} of {})", self.len(), self.capacity)
    }
}

/// Puts it where there is room or its like is. What is owed stays owed.
fn insert<K: Eq + Hash, T: Copy>(
    all: &mut HashMap<K, Kept<T>>,
    key: K,
    new: Kept<T>,
    room: bool,
    merged: impl Fn(T, T) -> T,
) -> Result<(), Full> {
    match all.entry(key) {
        Entry::Occupied(mut old) => {
            let old = old.get_mut();
            let debt = match old.debt {
                Debt::Owed => Debt::Owed,
                Debt::Settled => new.debt,
            };
            *old = Kept {
                what: merged(old.what, new.what),
                until: old.until.max(new.until),
                debt,
            };
            Ok(())
        }
        Entry::Vacant(place) if room => {
            place.insert(new);
            Ok(())
        }
        Entry::Vacant(_) => Err(Full),
    }
}

fn settle<K: Eq + Hash, T>(
    all: &mut HashMap<K, Kept<T>>,
    key: &K,
    same: impl Fn(&T) -> bool,
    until: Duration,
) {
    if let Some(kept) = all.get_mut(key)
        && same(&kept.what)
    {
        (kept.debt, kept.until) = (Debt::Settled, until);
    }
}

// === impl Assertion ===

impl Assertion {
    /// The revocation that an event tells of, if it tells of one.
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Revoked(tombstone) => Some(Self::Session(*tombstone)),
            Event::User(user, entry) => Some(Self::User(user.clone(), *entry)),
            Event::Changed(_) | Event::Flush | Event::Passed(..) | Event::Roll(_) => None,
        }
    }

    /// The event that tells of it.
    pub fn event(&self) -> Event {
        match self {
            Self::Session(tombstone) => Event::Revoked(*tombstone),
            Self::User(user, entry) => Event::User(user.clone(), *entry),
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room to remember another revocation")
    }
}

impl std::error::Error for Full {}

#[cfg(test)]
mod tests;
