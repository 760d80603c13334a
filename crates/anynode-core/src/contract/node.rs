//! A store as one node sees it, and what the laws ask of it.

use std::{sync::Arc, time::Duration};

use crate::{
    Cause, Create, Draft, Effect, Handle, Item, Live, Page, Record, Replace, Revoke, Revoked,
    Store, Swept, Touch, UserEntry, UserId, Version,
};

/// A store as one node sees it. Every verb panics on an error: an answer is owed.
#[derive(Clone, Debug)]
pub(super) struct Node(pub(super) Arc<dyn Store>);

// === impl Node ===

impl Node {
    pub(super) async fn create(&self, draft: &Draft) -> Create {
        self.0.create(draft).await.expect("create answers")
    }

    /// Creates a session whose handle is free.
    pub(super) async fn created(&self, draft: &Draft) -> Live {
        match self.create(draft).await {
            Create::Created(live) => live,
            Create::Duplicate => panic!("the handle was free"),
        }
    }

    pub(super) async fn load(&self, handle: &Handle) -> Option<Live> {
        self.0.load(handle).await.expect("load answers")
    }

    pub(super) async fn is_alive(&self, handle: &Handle) -> bool {
        self.load(handle).await.is_some()
    }

    /// Loads a session that is alive.
    pub(super) async fn loaded(&self, handle: &Handle) -> Live {
        self.load(handle).await.expect("the session is alive")
    }

    pub(super) async fn replace(&self, base: &Version, draft: &Draft) -> Replace {
        self.0.replace(base, draft).await.expect("replace answers")
    }

    /// Replaces a record that nobody else writes.
    pub(super) async fn replaced(&self, base: &Record, draft: &Draft) -> Live {
        match self.replace(&base.version, draft).await {
            Replace::Replaced(live) => live,
            other => panic!("nobody else wrote, but: {other:?}"),
        }
    }

    pub(super) async fn touch(&self, handle: Handle, age: Duration) {
        self.touch_all(&[Touch { handle, age }]).await;
    }

    pub(super) async fn touch_all(&self, batch: &[Touch]) {
        self.0.touch(batch).await.expect("touch answers");
    }

    pub(super) async fn revoke(&self, revoke: &Revoke) -> Revoked {
        self.0.revoke(revoke).await.expect("revoke answers")
    }

    pub(super) async fn revoke_session(&self, handle: Handle) -> Revoked {
        self.revoke(&Revoke::session(handle, Cause::User)).await
    }

    pub(super) async fn revoke_user(&self, user: &UserId) -> UserEntry {
        let revoke = Revoke::user(user.clone(), Cause::User);
        entry(&self.revoke(&revoke).await)
    }

    pub(super) async fn revoke_all_but(&self, user: &UserId, spared: Handle) -> UserEntry {
        let revoke = Revoke::user_except(user.clone(), spared, Cause::User);
        entry(&self.revoke(&revoke).await)
    }

    /// The live sessions of a user, read page by page.
    pub(super) async fn list(&self, user: &UserId, limit: usize) -> Vec<Live> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit };
            let listing = self.0.list(user, &page).await.expect("list answers");
            assert!(listing.sessions.len() <= page.limit(), "a page is bounded");
            all.extend(listing.sessions);
            let Some(next) = listing.next else {
                return all;
            };
            assert!(Some(next) > after, "every page moves on");
            after = Some(next);
        }
    }

    /// The handles of the live sessions of a user.
    pub(super) async fn handles(&self, user: &UserId) -> Vec<Handle> {
        let sessions = self.list(user, Page::LIMIT_MAX).await;
        sessions.iter().map(|live| live.record.handle).collect()
    }

    pub(super) async fn sweep(&self, limit: usize) -> Swept {
        self.0.sweep(limit).await.expect("sweep answers")
    }

    /// Sweeps until everything had its turn at least twice.
    pub(super) async fn sweep_all(&self) {
        for _ in 0..2 {
            let mut calls = 0;
            while self.sweep(100).await.more {
                calls += 1;
                assert!(calls < 10_000, "sweeping comes to an end");
            }
        }
    }

    /// Everything the store keeps, read page by page.
    pub(super) async fn scan(&self, limit: usize) -> Vec<Item> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let items = self.0.scan(cursor.as_ref(), limit).await;
            let items = items.expect("scan answers");
            assert!(items.len() <= limit, "a scan is bounded");
            let Some(last) = items.last().map(handle_of) else {
                return all;
            };
            assert!(Some(last) > cursor, "every scan moves on");
            cursor = Some(last);
            all.extend(items);
        }
    }
}

/// The handle of what a scan gave.
pub(super) fn handle_of(item: &Item) -> Handle {
    match item {
        Item::Record(record, _) => record.handle,
        Item::Tombstone(tombstone) => tombstone.handle,
    }
}

fn entry(revoked: &Revoked) -> UserEntry {
    match revoked.effect {
        Effect::User(entry) => entry,
        other => panic!("a user was revoked, but: {other:?}"),
    }
}

/// The session is dead to every verb that could tell, on every node.
pub(super) async fn assert_dead(nodes: &[Node], handle: &Handle) {
    for node in nodes {
        assert_eq!(node.load(handle).await, None, "a dead session is loaded");
    }
}
