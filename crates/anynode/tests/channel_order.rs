//! The trial of a channel's order sees a channel that breaks it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::VecDeque, sync::Arc};

use anynode::{
    core::{
        BarrierId, Channel, ChannelKind, Create, Draft, Event, Facts, Found, Handle, Item, Listing,
        Live, MemoryStore, NodeEntry, NodeId, Page, Replace, Revoke, Revoked, Roll, RollId,
        Snapshot, Store, Swept, Touch, UserId, Verdict, Version, Wanted, store::Result,
    },
    store::check_order,
};
use async_trait::async_trait;

/// What the channel does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// A revocation is told after the barrier that follows it.
    RevokedLate,
    /// A write is never told.
    ChangedNever,
    /// That a user's sessions were all ended is never told.
    UserNever,
}

#[derive(Debug)]
struct Broken(Arc<MemoryStore>, Wrong);

#[derive(Debug)]
struct BrokenChannel {
    channel: Box<dyn Channel>,
    wrong: Wrong,
    late: VecDeque<Event>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Channel for BrokenChannel {
    fn kind(&self) -> ChannelKind {
        self.channel.kind()
    }
    async fn snapshot(&mut self) -> Result<Snapshot> {
        self.channel.snapshot().await
    }
    async fn barrier(&mut self) -> Result<BarrierId> {
        self.channel.barrier().await
    }

    async fn answer(&mut self, roll: RollId) -> Result<()> {
        self.channel.answer(roll).await
    }
    async fn ready(&mut self) -> Result<Option<Event>> {
        unreachable!("the trial waits for events")
    }
    async fn next(&mut self) -> Result<Event> {
        if let Some(event) = self.late.pop_front() {
            return Ok(event);
        }
        let mut held = VecDeque::new();
        loop {
            let event = self.channel.next().await?;
            match (&event, self.wrong) {
                (Event::Revoked(_) | Event::User(..), Wrong::RevokedLate) => held.push_back(event),
                (Event::Changed(_), Wrong::ChangedNever) => {}
                (Event::User(..), Wrong::UserNever) => {}
                _ => {
                    self.late = held;
                    return Ok(event);
                }
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Broken {
    async fn create(&self, draft: &Draft) -> Result<Create> {
        self.0.create(draft).await
    }
    async fn load(&self, handle: &Handle) -> Result<Option<Live>> {
        self.0.load(handle).await
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
        self.0.replace(base, draft).await
    }
    async fn touch(&self, batch: &[Touch]) -> Result<()> {
        self.0.touch(batch).await
    }
    async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        self.0.revoke(revoke).await
    }
    async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        self.0.list(user, page).await
    }
    async fn scan(&self, cursor: Option<&Handle>, limit: usize) -> Result<Vec<Item>> {
        self.0.scan(cursor, limit).await
    }
    async fn watch(&self, node: &NodeId) -> Result<Box<dyn Channel>> {
        Ok(Box::new(BrokenChannel {
            channel: self.0.watch(node).await?,
            wrong: self.1,
            late: VecDeque::new(),
        }))
    }
    async fn nodes(&self) -> Result<Vec<NodeEntry>> {
        self.0.nodes().await
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        self.0.leave(node).await
    }

    async fn call_roll(&self) -> Result<Roll> {
        self.0.call_roll().await
    }
    async fn inspect(&self) -> Result<Facts> {
        self.0.inspect().await
    }
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.0.sweep(limit).await
    }
}

async fn verdict(wrong: Wrong) -> (String, Verdict) {
    let clock = Arc::new(anynode::SystemClock);
    let store = Broken(Arc::new(MemoryStore::new(clock)), wrong);
    let note = check_order(&store).await;
    assert_eq!(note.point, "channel order");
    assert!(store.nodes().await.unwrap().is_empty(), "no receipt waits");
    (note.found, note.verdict)
}

#[tokio::test]
async fn a_channel_that_keeps_its_order_is_safe() {
    let (found, verdict) = verdict(Wrong::Nothing).await;
    assert_eq!(verdict, Verdict::Safe, "{found}");
    assert!(found.starts_with("144 of 144 writes"), "{found}");
}

#[tokio::test]
async fn a_revocation_after_its_barrier_is_unsafe() {
    let (found, verdict) = verdict(Wrong::RevokedLate).await;
    assert!(matches!(verdict, Verdict::Unsafe { .. }), "{found}");
    assert!(found.starts_with("80 of 144 writes"), "{found}");
}

#[tokio::test]
async fn a_user_whose_end_is_never_told_is_unsafe() {
    let (found, verdict) = verdict(Wrong::UserNever).await;
    assert!(matches!(verdict, Verdict::Unsafe { .. }), "{found}");
    assert!(found.starts_with("16 of 144 writes"), "{found}");
}

#[tokio::test]
async fn a_write_that_is_never_told_is_unsafe() {
    let (found, verdict) = verdict(Wrong::ChangedNever).await;
    assert!(matches!(verdict, Verdict::Unsafe { .. }), "{found}");
}
