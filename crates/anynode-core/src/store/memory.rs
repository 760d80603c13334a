//! The store in memory: the model that every other store is tested against.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use async_trait::async_trait;

use crate::{
    session::{
        Cause, Draft, Handle, Live, Record, Touch, UserEntry, UserId, Version,
        expiry::{self, ABSOLUTE_MAX, UNKNOWN_TOMBSTONE},
    },
    store::{
        Channel, ClockKind, Create, Durability, Effect, Event, Facts, Item, Kept, Listing,
        NodeEntry, NodeId, Note, Page, Replace, Result, Revoke, Revoked, Snapshot, Store, Swept,
        Target, Tombstone, Verdict,
        memory::watch::{MemoryChannel, Watchers},
        rules,
    },
    time::{Clock, Timestamp},
};

#[cfg(planted = "epoch_read_from_memory_at_bind")]
mod seen;
mod watch;

/// Sessions in the memory of one process.
///
/// It is the model of the contract and fit for tests. In production it is the anti-pattern
/// that anynode exists to replace: no other node sees its sessions, and they die with it.
///
/// ```
/// # use anynode_core::{ManualClock, MemoryStore, Timestamp};
/// # use std::sync::Arc;
/// let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
/// let store = MemoryStore::new(clock);
/// ```
///
/// A clone is another handle on the same sessions, as another node would have.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    shelf: Arc<RwLock<Shelf>>,
    watchers: Arc<Watchers>,
    #[cfg(planted = "epoch_read_from_memory_at_bind")]
    seen: seen::Seen,
}

#[derive(Default)]
struct Shelf {
    slots: BTreeMap<Handle, Slot>,
    by_user: BTreeSet<(UserId, Handle)>,
    users: HashMap<UserId, Entry>,
    swept_to: Option<Handle>,
}

#[derive(Clone)]
enum Slot {
    Record(Arc<Record>, Timestamp),
    Tombstone(Tombstone),
}

#[derive(Clone, Copy)]
struct Entry {
    entry: UserEntry,
    until: Timestamp,
}

const NAME: &str = "memory";

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store that takes the time from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            watchers: Arc::new(Watchers::new(clock.clone())),
            clock,
            shelf: Arc::default(),
            #[cfg(planted = "epoch_read_from_memory_at_bind")]
            seen: seen::Seen::default(),
        }
    }

    /// The entry by which a bind is stamped, read within its write: a node that remembered it
    /// would stamp sessions with an epoch that another node has ended.
    fn entry_at_bind(&self, shelf: &Shelf, user: &UserId) -> Option<UserEntry> {
        #[cfg(planted = "epoch_read_from_memory_at_bind")]
        return self.seen.entry(user, shelf.entry(user));
        #[cfg(not(planted = "epoch_read_from_memory_at_bind"))]
        shelf.entry(user)
    }

    fn read(&self) -> RwLockReadGuard<'_, Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for MemoryStore {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        draft.check(NAME, "create")?;
        let (mut shelf, now) = (self.write(), self.clock.now());
        if shelf.slots.contains_key(&draft.handle) {
            return Ok(Create::Duplicate);
        }
        let user = draft.user.as_ref();
        let entry = user.and_then(|user| self.entry_at_bind(&shelf, user));
        let live = draft.live(now, entry);
        shelf.put(&live);
        Ok(Create::Created(live))
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        let (shelf, now) = (self.read(), self.clock.now());
        let kept = shelf.kept(handle).filter(|kept| kept.is_alive(now));
        Ok(kept.map(|kept| kept.live(now)))
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        draft.check(NAME, "replace")?;
        let (mut shelf, now) = (self.write(), self.clock.now());
        let kept = shelf.kept(&draft.handle);
        if cfg!(planted = "upsert_on_replace") && kept.is_none() {
            let live = draft.live(now, None);
            shelf.put(&live);
            return Ok(Replace::Replaced(live));
        }
        let entry_of = |user: &UserId| self.entry_at_bind(&shelf, user);
        let answer = rules::replace(kept, base, draft, now, entry_of);
        if let Replace::Replaced(live) = &answer {
            shelf.put(live);
            self.watchers.tell(&Event::Changed(draft.handle));
        }
        Ok(answer)
    }

    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        let (mut shelf, now) = (self.write(), self.clock.now());
        for touch in batch {
            shelf.touch(touch, now);
            if cfg!(planted = "touch_bumps_version") {
                shelf.bump(&touch.handle);
            }
        }
        Ok(())
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        let (mut shelf, now) = (self.write(), self.clock.now());
        let effect = match &revoke.target {
            Target::Session(handle) => shelf.bury(*handle, revoke.cause, now),
            Target::SessionOf(user, handle) if shelf.is_of(user, handle) => {
                shelf.bury(*handle, revoke.cause, now)
            }
            Target::SessionOf(..) => Effect::Nothing,
            Target::User(user) => shelf.outdate(user, None, now),
            Target::UserExcept(user, spared) => shelf.outdate(user, Some(*spared), now),
        };
        match (&revoke.target, effect) {
            (Target::User(user) | Target::UserExcept(user, _), Effect::User(entry)) => {
                self.watchers.tell(&Event::User(user.clone(), entry));
            }
            (Target::Session(handle) | Target::SessionOf(_, handle), _) => {
                if let Some(Slot::Tombstone(tombstone)) = shelf.slots.get(handle) {
                    self.watchers.tell(&Event::Revoked(*tombstone));
                }
            }
            _ => {}
        }
        Ok(Revoked {
            durability: Durability::Asynchronous,
            at: now,
            effect,
        })
    }

    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        let (shelf, now) = (self.read(), self.clock.now());
        let mut live = shelf
            .handles_of(user, page.after)
            .filter_map(|handle| shelf.kept(&handle))
            .filter(|kept| kept.is_alive(now))
            .map(|kept| kept.live(now));
        let sessions: Vec<_> = live.by_ref().take(page.limit()).collect();
        let next = live
            .next()
            .and_then(|_| sessions.last().map(|live| live.record.handle));
        Ok(Listing { sessions, next })
    }

    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        let shelf = self.read();
        let items = shelf.after(cursor.copied()).take(limit);
        Ok(items.map(|(_, slot)| slot.item()).collect())
    }

    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        Ok(Box::new(MemoryChannel::open(
            self.watchers.clone(),
            self.shelf.clone(),
            node.clone(),
        )))
    }

    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        Ok(self.watchers.nodes())
    }

    async fn inspect(&self) -> Result<Facts> {
        Ok(Facts {
            store: NAME,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock: ClockKind::Node,
            durability: Durability::Asynchronous,
            notes: vec![Note {
                point: "reach",
                found: "the memory of one process".to_owned(),
                verdict: Verdict::Unsafe {
                    why: "no other node sees these sessions, and they die with the process",
                    change: "use a store that nodes share, such as sqlite: or redis:",
                },
            }],
        })
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let (mut shelf, now) = (self.write(), self.clock.now());
        Ok(shelf.sweep(limit.max(1), now))
    }
}

// === impl Shelf ===

impl Shelf {
    fn kept(&self, handle: &Handle) -> Option<Kept> {
        let Some(Slot::Record(record, idle_deadline)) = self.slots.get(handle) else {
            return None;
        };
        Some(Kept {
            user: record.user().and_then(|user| self.entry(user)),
            record: record.clone(),
            idle_deadline: *idle_deadline,
        })
    }

    fn entry(&self, user: &UserId) -> Option<UserEntry> {
        self.users.get(user).map(|entry| entry.entry)
    }

    fn put(&mut self, live: &Live) {
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

    fn touch(&mut self, touch: &Touch, now: Timestamp) {
        let alive = self
            .kept(&touch.handle)
            .is_some_and(|kept| kept.is_alive(now));
        if let Some(Slot::Record(record, idle_deadline)) = self.slots.get_mut(&touch.handle)
            && (alive || cfg!(planted = "touch_revives"))
        {
            *idle_deadline = expiry::touched(record, *idle_deadline, now, touch.age);
        }
    }

    fn bump(&mut self, handle: &Handle) {
        if let Some(Slot::Record(record, _)) = self.slots.get_mut(handle) {
            let record = Arc::make_mut(record);
            record.version = record.version.next(record.version.write);
        }
    }

    fn is_of(&self, user: &UserId, handle: &Handle) -> bool {
        self.by_user.contains(&(user.clone(), *handle))
    }

    /// Replaces whatever is under the handle by a tombstone that stays until nothing could
    /// revive it.
    fn bury(&mut self, handle: Handle, cause: Cause, now: Timestamp) -> Effect {
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
        if !cfg!(planted = "no_tombstone") {
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

    fn outdate(&mut self, user: &UserId, spared: Option<Handle>, now: Timestamp) -> Effect {
        if cfg!(planted = "revoke_by_index_only") {
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

    fn handles_of(
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

    fn after(&self, cursor: Option<Handle>) -> impl Iterator<Item = (&Handle, &Slot)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.slots
            .range((cursor.map_or(Unbounded, Excluded), Unbounded))
    }

    fn snapshot(&self, now: Timestamp) -> Snapshot {
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
    fn sweep(&mut self, limit: usize, now: Timestamp) -> Swept {
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
                #[cfg(planted = "sweep_takes_the_living")]
                let idle_deadline = &expiry::idle_deadline(record, record.created_at);
                match expiry::ended(record, *idle_deadline, user.as_ref(), now) {
                    None => false,
                    // Its handle could be created anew and bear a stamp that is good again,
                    // so the revocation leaves its mark until the deadline.
                    Some(Cause::Epoch)
                        if now < record.deadline
                            && !cfg!(planted = "sweep_forgets_epoch_deaths") =>
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
    fn item(&self) -> Item {
        match self {
            Self::Record(record, idle_deadline) => Item::Record(record.clone(), *idle_deadline),
            Self::Tombstone(tombstone) => Item::Tombstone(*tombstone),
        }
    }
}
