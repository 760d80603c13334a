//! Calls of the store whose outcome may be unknown, and finding out what became of them.

use anynode_core::{
    Create, Draft, Error, ErrorKind, Live, Replace, Revoke, Revoked, Target, Version, store::Result,
};

use crate::{layer::Shared, timely::Tally};

/// How often a call with an unknown outcome is repeated.
const UNKNOWN_OUTCOMES_MAX: u32 = 3;

impl Shared {
    /// Creates, and finds out what became of a call whose outcome is unknown. `None` when the
    /// handle is taken.
    pub(crate) async fn create(&self, draft: &Draft, tally: &Tally) -> Result<Option<Live>> {
        let mut unknown: Option<Error> = None;
        for _ in 0..UNKNOWN_OUTCOMES_MAX {
            match (self.store.create(draft, tally).await, unknown.take()) {
                (Ok(Create::Created(live)), _) => return Ok(Some(live)),
                (Ok(Create::Duplicate), None) => return Ok(None),
                (Ok(Create::Duplicate), before) => unknown = before,
                (Err(error), before) => unknown = Some(still_unknown(error, before)?),
            }
            let found = self.store.load(&draft.handle, tally).await;
            let found = found.or_else(|error| unknown.take().map_or(Err(error), Err))?;
            if let Some(live) = found.filter(|live| live.record.version == draft.version) {
                return Ok(Some(live));
            }
        }
        Err(unknown.unwrap_or_else(|| indeterminate("create")))
    }

    /// Replaces, and finds out what became of a call whose outcome is unknown: the own write
    /// id found means written, the base unchanged means that it may be tried again. Anything
    /// else is reported as indeterminate and never rebased, or an increment could count twice.
    pub(crate) async fn replace(
        &self,
        base: &Version,
        draft: &Draft,
        tally: &Tally,
    ) -> Result<Replace> {
        let mut unknown: Option<Error> = None;
        for _ in 0..UNKNOWN_OUTCOMES_MAX {
            match (self.store.replace(base, draft, tally).await, unknown.take()) {
                (Ok(Replace::Conflict(newer)), _) if newer.record.version == draft.version => {
                    return Ok(Replace::Replaced(newer));
                }
                (Ok(Replace::Conflict(newer)), Some(error)) => {
                    if anynode_core::planted("rebase_after_unknown_outcome") {
                        return Ok(Replace::Conflict(newer));
                    }
                    return Err(error);
                }
                (Ok(answer), _) => return Ok(answer),
                (Err(error), before) => unknown = Some(still_unknown(error, before)?),
            }
            // Whatever keeps the store from being asked now, the write before may have
            // happened: that is what the caller has to know.
            let found = self.store.load(&draft.handle, tally).await;
            match found.or_else(|error| unknown.take().map_or(Err(error), Err))? {
                None => return Ok(Replace::Gone),
                Some(live) if live.record.version == draft.version => {
                    return Ok(Replace::Replaced(live));
                }
                Some(live) if live.record.version == *base => {}
                Some(live) if anynode_core::planted("rebase_after_unknown_outcome") => {
                    return Ok(Replace::Conflict(live));
                }
                Some(_) => break,
            }
        }
        Err(unknown.unwrap_or_else(|| indeterminate("replace")))
    }

    /// Revokes; an unknown outcome is repeated, which is harmless.
    pub(crate) async fn revoke(&self, revoke: &Revoke, tally: &Tally) -> Result<Revoked> {
        let mut last = indeterminate("revoke");
        for _ in 0..UNKNOWN_OUTCOMES_MAX {
            match self.store.revoke(revoke, tally).await {
                Ok(revoked) => {
                    let cause = revoke.cause.as_str();
                    metrics::counter!("anynode_revocations_total", "cause" => cause).increment(1);
                    self.forget(&revoke.target);
                    return Ok(revoked);
                }
                Err(error) if error.kind() == ErrorKind::Indeterminate => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Drops the copies of what was ended here, whoever ended it.
    fn forget(&self, target: &Target) {
        let Some(stale) = &self.stale else {
            return;
        };
        match target {
            Target::Session(handle) | Target::SessionOf(_, handle) => stale.forget(handle),
            Target::User(user) => stale.forget_user(user, None),
            Target::UserExcept(user, spared) => stale.forget_user(user, Some(spared)),
        }
    }
}

/// The error to go on with while it is not known whether a write happened; an error at once
/// when it is certain that it did not.
fn still_unknown(error: Error, before: Option<Error>) -> Result<Error> {
    match before {
        Some(before) => Ok(before),
        None if error.kind() == ErrorKind::Indeterminate => Ok(error),
        None => Err(error),
    }
}

fn indeterminate(verb: &'static str) -> Error {
    Error::new(ErrorKind::Indeterminate, "store", verb).with_detail("the outcome is unknown")
}
