//! The store in memory: the model that every other store is tested against.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;

use crate::{
    session::{Draft, Handle, Live, Touch, UserEntry, UserId, Version},
    store::{
        Channel, ClockKind, Create, Deposed, Durability, Effect, Event, Facts, Found, Item,
        Listing, NodeEntry, NodeId, Note, Page, Replace, Result, Revoke, Revoked, Roll, Store,
        Swept, Target, Verdict, Wanted,
        memory::{
            shelf::{Shelf, Slot},
            watch::{MemoryChannel, Watchers},
        },
        rules,
    },
    time::Clock,
};

#[cfg(planted)]
mod seen;
mod shelf;
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
    #[cfg(planted)]
    seen: seen::Seen,
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
            #[cfg(planted)]
            seen: seen::Seen::default(),
        }
    }

    /// The entry by which a bind is stamped, read within its write: a node that remembered it
    /// would stamp sessions with an epoch that another node has ended.
    fn entry_at_bind(&self, shelf: &Shelf, user: &UserId) -> Option<UserEntry> {
        #[cfg(planted)]
        if crate::planted("epoch_read_from_memory_at_bind") {
            return self.seen.entry(user, shelf.entry(user));
        }
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

    fn keeps_copies(&self) -> bool {
        false
    }

    fn copy(&self, _: &Wanted) -> Option<Found> {
        None
    }

    async fn load_for(&self, wanted: &Wanted) -> Result<Found> {
        self.load(&wanted.handle).await.map(Found::asked)
    }

    async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        draft.check(NAME, "replace")?;
        let (mut shelf, now) = (self.write(), self.clock.now());
        let kept = shelf.kept(&draft.handle);
        if crate::planted("upsert_on_replace") && kept.is_none() {
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
            if crate::planted("touch_bumps_version") {
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

    async fn leave(&self, node: &NodeId) -> Result<()> {
        self.watchers.leave(node);
        Ok(())
    }

    async fn call_roll(&self) -> Result<Roll> {
        Ok(Roll::Called(self.watchers.call_roll()))
    }

    async fn inspect(&self) -> Result<Facts> {
        Ok(Facts {
            store: NAME,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock: ClockKind::Node,
            durability: Durability::Asynchronous,
            deposed: Deposed::Never,
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
