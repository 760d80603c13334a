//! What the store under measurement is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anynode_core::{Draft, Handle, Replace, Store, Version, WriteId};

use super::{SESSIONS, Verb};
use crate::{fill, session};

/// A store, and sessions that are written back and forth between two versions.
pub(crate) struct Ours {
    store: Arc<dyn Store>,
    sessions: Vec<Session>,
}

struct Session {
    handle: Handle,
    drafts: [Draft; 2],
    /// Which of the two is there.
    turned: AtomicUsize,
}

// === impl Ours ===

impl Ours {
    /// Opens the store and creates the sessions, each of a user.
    pub(crate) async fn fill(url: &str) -> Self {
        let store = anynode::store::open(url).await.unwrap();
        let count = u32::try_from(SESSIONS).unwrap();
        let draft = |number| session::draft(number, Some(session::user(number)));
        fill::create(&store, count, draft).await;
        let mut sessions = Vec::with_capacity(SESSIONS);
        for number in 0..count {
            let handle = session::handle(number);
            let live = store.load(&handle).await.unwrap().expect("alive");
            let other = live.record.version.next(WriteId::from_bytes([2; 8]));
            let drafts = [live.record.version, other].map(|version| live.record.draft(version));
            sessions.push(Session {
                handle,
                drafts,
                turned: AtomicUsize::new(0),
            });
        }
        Self { store, sessions }
    }

    /// Which version of the session is there, the first or the second.
    pub(crate) fn turned(&self, session: usize) -> usize {
        self.sessions[session].turned.load(Ordering::Relaxed)
    }

    /// Says that the other version is there now.
    pub(crate) fn turn(&self, session: usize) {
        let other = 1 - self.turned(session);
        self.sessions[session]
            .turned
            .store(other, Ordering::Relaxed);
    }

    pub(crate) async fn perform(&self, verb: Verb, session: usize) {
        self.perform_by(&*self.store, verb, session).await;
    }

    /// As [`Self::perform`], through another opening of the same store.
    pub(crate) async fn perform_by(&self, store: &dyn Store, verb: Verb, session: usize) {
        let of = &self.sessions[session];
        match verb {
            Verb::Load => {
                let live = store.load(&of.handle).await.unwrap();
                assert!(live.is_some(), "the session is alive");
            }
            Verb::Replace => {
                let turned = self.turned(session);
                let base = &of.drafts[turned].version;
                let replaced = store.replace(base, &of.drafts[1 - turned]).await;
                assert!(
                    matches!(replaced, Ok(Replace::Replaced(_))),
                    "nobody else writes"
                );
                self.turn(session);
            }
        }
    }

    /// Makes sure that every write was one, whoever sent it.
    pub(crate) async fn check(&self) {
        for (number, session) in self.sessions.iter().enumerate() {
            let live = self.store.load(&session.handle).await.unwrap();
            let version: Version = live.expect("alive").record.version;
            let expected = session.drafts[self.turned(number)].version;
            assert!(version == expected, "a write was none");
        }
    }
}
