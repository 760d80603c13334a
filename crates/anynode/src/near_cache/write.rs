//! Writes go through, and the copies follow what was acknowledged.

use std::time::Duration;

use anynode_core::{
    Create, Draft, Effect, Handle, Listing, Live, Page, Replace, Revoke, Revoked, Target,
    Timestamp, Tombstone, Touch, UserId, Version, expiry,
    near::{Answer, Assertion, Token},
    store::{ErrorKind, Result},
};

use super::inner::{Copies, Inner, STORE};

/// A write of a record that is under way. If its outcome never becomes known, because it is
/// indeterminate or its caller went away, the copy from before it is forgotten.
struct Writing<'a> {
    inner: &'a Inner,
    handle: Handle,
    /// `None` when nothing could be kept as the write was sent.
    token: Option<Token>,
    sent: Duration,
    outcome: Outcome,
}

/// A revocation that is under way: as for a write, for all that it may end.
struct Revoking<'a> {
    inner: &'a Inner,
    target: &'a Target,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unknown,
    Known,
}

// === impl Inner ===

impl Inner {
    pub(super) async fn create(&self, draft: &Draft) -> Result<Create> {
        let writing = Writing::begin(self, draft);
        let created = self.store.create(draft).await;
        match &created {
            Ok(Create::Created(live)) => writing.keep(live),
            Ok(Create::Duplicate) => writing.nothing_happened(),
            Err(error) => writing.failed(error.kind()),
        }
        created
    }

    /// A write is judged by what was known before it was sent: a revocation of its user that was
    /// heard since is later than the write, which then was performed on a living session.
    pub(super) async fn replace(&self, base: &Version, draft: &Draft) -> Result<Replace> {
        let known = self.with_memory(|memory| memory.known_of(&draft.handle, draft.user.as_ref()));
        let writing = Writing::begin(self, draft);
        let replaced = self.store.replace(base, draft).await;
        let is_revoked =
            |live: &Live| self.with_memory(|memory| memory.refuses_record(&live.record));
        match replaced {
            Ok(Replace::Replaced(live)) if known.refuses(&live.record) => Ok(Replace::Gone),
            Ok(Replace::Conflict(live)) if is_revoked(&live) => Ok(Replace::Gone),
            Ok(Replace::Replaced(live)) => {
                writing.keep(&live);
                Ok(Replace::Replaced(live))
            }
            Ok(Replace::Conflict(live)) => {
                writing.keep(&live);
                Ok(Replace::Conflict(live))
            }
            // What the copy says was true no more when this was sent.
            Ok(Replace::Gone) => Ok(Replace::Gone),
            Err(error) => {
                writing.failed(error.kind());
                Err(error)
            }
        }
    }

    pub(super) async fn touch(&self, batch: &[Touch]) -> Result<()> {
        let sent = self.now();
        self.store.touch(batch).await?;
        if let Some(copies) = self.copies() {
            let acknowledged = self.now();
            for touch in batch {
                let used = sent.saturating_sub(touch.age);
                let mut desk = copies.desk(&touch.handle);
                desk.touched(&touch.handle, used, acknowledged);
            }
        }
        Ok(())
    }

    pub(super) async fn revoke(&self, revoke: &Revoke) -> Result<Revoked> {
        let revoking = Revoking::begin(self, &revoke.target);
        let revoked = self.store.revoke(revoke).await;
        match &revoked {
            Ok(revoked) => revoking.acknowledged(revoke, revoked),
            Err(error) => revoking.failed(error.kind()),
        }
        revoked
    }

    pub(super) async fn list(&self, user: &UserId, page: &Page) -> Result<Listing> {
        let mut listing = self.store.list(user, page).await?;
        let sessions = &mut listing.sessions;
        self.with_memory(|memory| sessions.retain(|live| !memory.refuses_record(&live.record)));
        Ok(listing)
    }
}

// === impl Writing ===

impl<'a> Writing<'a> {
    fn begin(inner: &'a Inner, draft: &Draft) -> Self {
        let write = |copies: &Copies| copies.desk(&draft.handle).write(draft, &copies.horizon);
        Self {
            inner,
            handle: draft.handle,
            token: inner.copies().map(write),
            sent: inner.now(),
            outcome: Outcome::Unknown,
        }
    }

    /// The record as it is now takes the place of the copy, unless more was heard meanwhile.
    fn keep(mut self, live: &Live) {
        let (Some(copies), Some(token)) = (self.inner.copies(), self.token) else {
            return;
        };
        self.outcome = Outcome::Known;
        let answer = Answer {
            token,
            sent: self.sent,
            live,
            shard: STORE,
            user_shard: STORE,
        };
        let (now, mut desk) = (self.inner.now(), copies.desk(&self.handle));
        let inner = self.inner;
        inner.with_memory(|memory| desk.wrote(&answer, now, &copies.horizon, memory));
    }

    fn nothing_happened(mut self) {
        self.outcome = Outcome::Known;
    }

    fn failed(self, kind: ErrorKind) {
        if kind != ErrorKind::Indeterminate {
            self.nothing_happened();
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.outcome == Outcome::Unknown
            && !anynode_core::planted("near_unknown_outcome_kept")
            && let Some(copies) = self.inner.copies()
        {
            copies.forget(&self.handle);
        }
    }
}

// === impl Revoking ===

impl<'a> Revoking<'a> {
    fn begin(inner: &'a Inner, target: &'a Target) -> Self {
        Self {
            inner,
            target,
            outcome: Outcome::Unknown,
        }
    }

    /// The sessions are refused here from now on, also where the channel is lost.
    fn acknowledged(mut self, revoke: &Revoke, revoked: &Revoked) {
        let (Some(copies), Some(assertion)) = (self.inner.copies(), assertion(revoke, revoked))
        else {
            return;
        };
        self.outcome = Outcome::Known;
        if anynode_core::planted("near_own_revocation_waits_for_its_event") {
            return;
        }
        self.inner.revoked(copies, assertion);
    }

    fn failed(mut self, kind: ErrorKind) {
        if kind != ErrorKind::Indeterminate {
            self.outcome = Outcome::Known;
        }
    }
}

impl Drop for Revoking<'_> {
    fn drop(&mut self) {
        if self.outcome == Outcome::Known {
            return;
        }
        let Some(copies) = self.inner.copies() else {
            return;
        };
        match self.target {
            Target::Session(handle) | Target::SessionOf(_, handle) => copies.forget(handle),
            Target::User(user) | Target::UserExcept(user, _) => copies.horizon.user_revoked(user),
        }
    }
}

/// What is to be remembered of a revocation; nothing of one that ended nothing of that user's.
fn assertion(revoke: &Revoke, revoked: &Revoked) -> Option<Assertion> {
    let stone = |handle, at: Timestamp| {
        Assertion::Session(Tombstone {
            handle,
            cause: revoke.cause,
            // Only the store knows when it could not rise any more, and this is no earlier.
            until: at + expiry::ABSOLUTE_MAX,
        })
    };
    match (&revoke.target, revoked.effect) {
        (Target::User(user) | Target::UserExcept(user, _), Effect::User(entry)) => {
            Some(Assertion::User(user.clone(), entry))
        }
        // Whatever it was, it never lives again.
        (Target::Session(handle), _) | (Target::SessionOf(_, handle), Effect::Session) => {
            Some(stone(*handle, revoked.at))
        }
        _ => None,
    }
}
