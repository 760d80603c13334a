//! What the store in memory keeps, and how each verb changes it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    session::{
        Cause, Handle, Live, Record, Touch, UserEntry, UserId,
        expiry::{self, ABSOLUTE_MAX, UNKNOWN_TOMBSTONE},
    },
    store::{Effect, Item, Kept, Snapshot, Swept, Tombstone},
    time::Timestamp,
};

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) slots: BTreeMap<Handle, Slot>,
    by_user: BTreeSet<(UserId, Handle)>,
    users: HashMap<UserId, Entry>,
    swept_to: Option<Handle>,
}

#[derive(Clone)]
pub(super) enum Slot {
    Record(Arc<Record>, Timestamp),
    Tombstone(Tombstone),
}

#[derive(Clone, Copy)]
struct Entry {
    entry: UserEntry,
    until: Timestamp,
}

// === impl Shelf ===

impl Shelf {
    pub(super) fn kept(&self, handle: &Handle) -> Option<Kept> {
        let Some(Slot::Record(record, idle_deadline)) = self.slots.get(handle) else {
            return None;
        };
        Some(Kept {
            user: record.user().and_then(|user| self.entry(user)),
            record: record.clone(),
            idle_deadline: *idle_deadline,
        })
    }

    pub(super) fn entry(&self, user: &UserId) -> Option<UserEntry> {
        self.users.get(user).map(|entry| entry.entry)
    }

    pub(super) fn put(&mut self, live: &Live) {
        let handle = live.record.handle;
        self.unlist(&handle);
        if let Some(user) = live.record.user() {
            self.by_user.insert((user.clone(), handle));
            if let Some(entry) = self.users.get_mut(user) {
                entry.until = entry.until.max(live.record.deadline);
            }
        }
        let slot = Slot::Record(live.record.clone(), live.idle_deadline);
        self.slots.insert(handle, slot);
    }

    fn unlist(&mut self, handle: &Handle) {
        if let Some(Slot::Record(record, _)) = self.slots.get(handle)
            && let Some(user) = record.user()
        {
            self.by_user.remove(&(user.clone(), *handle));
        }
    }

    pub(super) fn touch(&mut self, touch: &Touch, now: Timestamp) {
        let alive = self
            .kept(&touch.handle)
            .is_some_and(|kept| kept.is_alive(now));
        if let Some(Slot::Record(record, idle_deadline)) = self.slots.get_mut(&touch.handle)
            && (alive || crate::planted("touch_revives"))
        {
            *idle_deadline = expiry::touched(record, *idle_deadline, now, touch.age);
        }
    }

    pub(super) fn bump(&mut self, handle: &Handle) {
        if let Some(Slot::Record(record, _)) = self.slots.get_mut(handle) {
            let record = Arc::make_mut(record);
            record.version = record.version.next(record.version.write);
        }
    }

    pub(super) fn is_of(&self, user: &UserId, handle: &Handle) -> bool {
        self.by_user.contains(&(user.clone(), *handle))
    }

    /// Replaces whatever is under the handle by a tombstone that stays until nothing could
    /// revive it.
    pub(super) fn bury(&mut self, handle: Handle, cause: Cause, now: Timestamp) -> Effect {
        let alive = self.kept(&handle).is_some_and(|kept| kept.is_alive(now));
        let unseen = now + UNKNOWN_TOMBSTONE;
        let until = match self.slots.get_mut(&handle) {
            Some(Slot::Record(record, _)) => record.deadline,
            Some(Slot::Tombstone(tombstone)) => {
                // It may stand for a handle that was never seen, whose `create` may be on its
                // way at this revocation as it was at the first.
                tombstone.until = tombstone.until.max(unseen);
                return Effect::Nothing;
            }
            None => unseen,
        };
        self.unlist(&handle);
        self.slots.remove(&handle);
        if !crate::planted("no_tombstone") {
            let tombstone = Tombstone {
                handle,
                cause,
                until,
            };
            self.slots.insert(handle, Slot::Tombstone(tombstone));
        }
        if alive {
            Effect::Session
        } else {
            Effect::Nothing
        }
    }

    pub(super) fn outdate(
        &mut self,
        user: &UserId,
        spared: Option<Handle>,
        now: Timestamp,
    ) -> Effect {
        if crate::planted("revoke_by_index_only") {
            let handles: Vec<_> = self.handles_of(user, None).collect();
            for handle in handles.into_iter().filter(|handle| Some(*handle) != spared) {
                self.bury(handle, Cause::Epoch, now);
            }
            return Effect::User(UserEntry::default());
        }
        let entry = self.entry(user).unwrap_or_default().revoked(spared, now);
        let until = now + ABSOLUTE_MAX;
        self.users.insert(user.clone(), Entry { entry, until });
        Effect::User(entry)
    }

    pub(super) fn handles_of(
        &self,
        user: &UserId,
        after: Option<Handle>,
    ) -> impl Iterator<Item = Handle> + use<'_> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = match after {
            Some(handle) => Excluded((user.clone(), handle)),
            None => Included((user.clone(), Handle::from_bytes([0; 16]))),
        };
        let user = user.clone();
        self.by_user
            .range((from, Unbounded))
            .take_while(move |(owner, _)| *owner == user)
            .map(|(_, handle)| *handle)
    }

    pub(super) fn after(&self, cursor: Option<Handle>) -> impl Iterator<Item = (&Handle, &Slot)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.slots
            .range((cursor.map_or(Unbounded, Excluded), Unbounded))
    }

    pub(super) fn snapshot(&self, now: Timestamp) -> Snapshot {
        let revoked = self.slots.values().filter_map(|slot| match slot {
            Slot::Tombstone(tombstone) => Some(*tombstone).filter(|it| now < it.until),
            Slot::Record(..) => None,
        });
        let users = self.users.iter();
        Snapshot {
            revoked: revoked.collect(),
            users: users
                .map(|(user, kept)| (user.clone(), kept.entry))
                .collect(),
            now,
        }
    }

    /// Looks at up to `limit` slots from where the last sweep stopped; at the end it starts
    /// over, so that every slot has its turn however often it is called.
    pub(super) fn sweep(&mut self, limit: usize, now: Timestamp) -> Swept {
        let looked: Vec<_> = self
            .after(self.swept_to)
            .take(limit)
            .map(|(h, _)| *h)
            .collect();
        let more = looked.len() == limit;
        self.swept_to = looked.last().copied().filter(|_| more);
        let removed = looked
            .into_iter()
            .filter(|handle| self.sweep_one(handle, now));
        let mut removed = removed.collect::<Vec<_>>().len();
        if !more {
            let before = self.users.len();
            self.users.retain(|_, entry| now < entry.until);
            removed += before - self.users.len();
        }
        Swept { removed, more }
    }

    fn sweep_one(&mut self, handle: &Handle, now: Timestamp) -> bool {
        let Some(slot) = self.slots.get(handle) else {
            return false;
        };
        match slot {
            Slot::Tombstone(tombstone) if now < tombstone.until => false,
            Slot::Record(record, idle_deadline) => {
                let user = record.user().and_then(|user| self.entry(user));
                let idle_deadline = if crate::planted("sweep_takes_the_living") {
                    expiry::idle_deadline(record, record.created_at)
                } else {
                    *idle_deadline
                };
                match expiry::ended(record, idle_deadline, user.as_ref(), now) {
                    None => false,
                    // Its handle could be created anew and bear a stamp that is good again,
                    // so the revocation leaves its mark until the deadline.
                    Some(Cause::Epoch)
                        if now < record.deadline
                            && !crate::planted("sweep_forgets_epoch_deaths") =>
                    {
                        self.bury(*handle, Cause::Epoch, now);
                        true
                    }
                    Some(_) => self.discard(handle),
                }
            }
            Slot::Tombstone(_) => self.discard(handle),
        }
    }

    fn discard(&mut self, handle: &Handle) -> bool {
        self.unlist(handle);
        self.slots.remove(handle).is_some()
    }
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shelf({} items)", self.slots.len())
    }
}

// === impl Slot ===

impl Slot {
    pub(super) fn item(&self) -> Item {
        match self {
            Self::Record(record, idle_deadline) => Item::Record(record.clone(), *idle_deadline),
            Self::Tombstone(tombstone) => Item::Tombstone(*tombstone),
        }
    }
}
