//! The store: what it executed in which order, what it acknowledged, and its replica.

use crate::channel::Side;

/// What the store can be asked to write. There is one session of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    /// The session's data change.
    Change,
    /// The session is bound anew: another secret, and the user's epoch stamped into it.
    Login,
    /// This session is revoked.
    Revoke,
    /// All of the user's sessions are revoked: the next epoch.
    RevokeUser,
}

/// A write that was executed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    /// Unique, also across a fail-over: the random bytes of a version.
    pub(crate) id: u8,
    pub(crate) write: Write,
    /// The epoch that a login stamped.
    pub(crate) stamp: u8,
    /// The tick in which the acknowledgement left.
    pub(crate) acked: Option<u8>,
    /// Whether the events of its cycle were queued.
    pub(crate) queued: bool,
}

/// The record, as somebody read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Value {
    /// The write that made it; 0 for the record that was there at the start.
    pub(crate) id: u8,
    /// The counter of its version.
    pub(crate) version: u8,
    /// The id of the login that gave the secret.
    pub(crate) secret: u8,
    /// The user's epoch when it was bound, or [`ANONYMOUS`].
    pub(crate) stamp: u8,
    pub(crate) alive: bool,
}

/// The stamp of a session that is nobody's: no epoch outdates it.
pub(crate) const ANONYMOUS: u8 = u8::MAX;

/// A transaction that has begun and is not visible yet. Its place in `Store::log` is the order
/// of commits; its number is the order of beginnings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Begun {
    pub(crate) id: u8,
    pub(crate) write: Write,
}

/// A primary that was replaced and does not know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Deposed {
    /// What it executed until then.
    pub(crate) log: Vec<Entry>,
    /// How much of that its successor has.
    pub(crate) fork: usize,
    /// The last tick in which it takes a write, a heartbeat's or a load's. None: it is gone.
    pub(crate) until: Option<u8>,
}

/// One logical store: the primary's log, and how much of it the replica has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Store {
    /// In the order of execution (of visibility, for a store with transactions).
    pub(crate) log: Vec<Entry>,
    /// How many entries the replica, or the disk, has.
    pub(crate) copied: usize,
    pub(crate) deposed: Option<Deposed>,
    pub(crate) begun: Vec<Begun>,
    /// Changes before this place are forgotten by the table of changes.
    pub(crate) trimmed: usize,
    /// The tick in which the session ends by itself, in configurations that look at it.
    pub(crate) expires: u8,
    /// The stamp of the record that was there at the start.
    pub(crate) first_stamp: u8,
    /// How many ids were given out.
    pub(crate) ids: u8,
}

// === impl Write ===

impl Write {
    /// Whether it changes the user's entry and not the record.
    pub(crate) fn is_of_user(self) -> bool {
        self == Self::RevokeUser
    }
}

// === impl Store ===

impl Store {
    pub(crate) fn next_id(&mut self) -> u8 {
        self.ids += 1;
        self.ids
    }

    /// Whether the write would be answered with anything but `Gone`: dead stays dead.
    pub(crate) fn admits(&self, write: Write) -> bool {
        let record = self.record(&self.log);
        match write {
            Write::Change | Write::Login => record.alive && record.stamp >= epoch(&self.log),
            Write::Revoke => record.alive,
            Write::RevokeUser => true,
        }
    }

    pub(crate) fn execute(&mut self, id: u8, write: Write, stamp: u8) {
        self.log.push(Entry {
            id,
            write,
            stamp,
            acked: None,
            queued: false,
        });
    }

    /// The record after these writes.
    pub(crate) fn record(&self, log: &[Entry]) -> Value {
        let first = Value {
            id: 0,
            version: 0,
            secret: 0,
            stamp: self.first_stamp,
            alive: true,
        };
        log.iter().fold(first, |value, entry| entry.after(value))
    }

    /// How much of the present log a value with this id reflects. A value that only a lost
    /// write could make reflects what both primaries have; one that was invented, nothing.
    pub(crate) fn reflected(&self, id: u8) -> usize {
        if let Some(at) = self.log.iter().position(|entry| entry.id == id) {
            return at + 1;
        }
        let lost = |deposed: &&Deposed| deposed.log.iter().any(|entry| entry.id == id);
        let deposed = self.deposed.as_ref().filter(lost);
        deposed.map_or(0, |deposed| deposed.fork)
    }

    /// What the server of this side executed.
    pub(crate) fn log_of(&self, side: Side) -> &[Entry] {
        match &self.deposed {
            Some(deposed) if side == Side::Deposed => &deposed.log,
            _ => &self.log,
        }
    }

    /// Whether a server of this side takes a write in this tick.
    pub(crate) fn takes_writes(&self, side: Side, now: u8) -> bool {
        let deposed = self.deposed.as_ref().filter(|_| side == Side::Deposed);
        deposed.is_none_or(|deposed| deposed.until.is_some_and(|until| now <= until))
    }

    /// Whether a replaced primary still answers anything at all.
    pub(crate) fn has_deposed(&self) -> bool {
        self.deposed
            .as_ref()
            .is_some_and(|deposed| deposed.until.is_some())
    }

    /// Whether some primary ever held this value.
    pub(crate) fn held(&self, id: u8) -> bool {
        let deposed = self.deposed.iter().flat_map(|deposed| &deposed.log);
        id == 0 || self.log.iter().chain(deposed).any(|entry| entry.id == id)
    }

    /// The user's epoch as of all that is acknowledged.
    pub(crate) fn epoch_acked(&self) -> u8 {
        let end = self.log.iter().rposition(|entry| entry.acked.is_some());
        epoch(&self.log[..end.map_or(0, |at| at + 1)])
    }

    /// The secret that the client of the last acknowledged login holds.
    pub(crate) fn secret_acked(&self) -> u8 {
        let mut logins = self.log.iter().filter(|entry| entry.write == Write::Login);
        let last = logins.rfind(|entry| entry.acked.is_some());
        last.map_or(0, |entry| entry.id)
    }

    /// Whether the session is alive by all that was executed.
    pub(crate) fn lives(&self) -> bool {
        let record = self.record(&self.log);
        record.alive && record.stamp >= epoch(&self.log)
    }
}

/// The user's epoch after these writes.
pub(crate) fn epoch(log: &[Entry]) -> u8 {
    log.iter()
        .map(|entry| u8::from(entry.write.is_of_user()))
        .sum()
}

// === impl Value ===

impl Value {
    /// Whether it was stamped with an epoch that whoever knows this one has not heard of.
    pub(crate) fn is_stamped_after(self, epoch: u8) -> bool {
        self.stamp != ANONYMOUS && self.stamp > epoch
    }
}

// === impl Entry ===

impl Entry {
    /// The record after this write, if it was `value` before.
    pub(crate) fn after(&self, value: Value) -> Value {
        let changed = Value {
            id: self.id,
            version: value.version + 1,
            ..value
        };
        match self.write {
            Write::RevokeUser => value,
            Write::Change => changed,
            Write::Login => Value {
                secret: self.id,
                stamp: self.stamp,
                ..changed
            },
            Write::Revoke => Value {
                alive: false,
                ..changed
            },
        }
    }
}
