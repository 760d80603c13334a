//! Writing what a request recorded: one compare-and-set, rebased while that is allowed.

use anynode_core::{
    Error, ErrorKind, Live, Replace,
    store::{REBASES_MAX, conflict_pause},
};

use super::{
    Session,
    plan::{self, Identity, Plan},
    state::{self, Base, CookieChange, Loaded, Phase, Race, Wish, Work},
};
use crate::{error::SessionError, random};

/// How often another handle is drawn when one is taken. The second time is already a sign of
/// a broken random source.
const DUPLICATES_MAX: u32 = 3;

impl Session {
    pub(super) async fn write(&self, work: &Work, phase: Phase) -> Result<(), SessionError> {
        let loaded = {
            let state = self.state();
            match &state.base {
                Base::Unread | Base::Failed(_) | Base::Gone if work.is_empty() => return Ok(()),
                Base::Failed(kind) => return Err(state::failed(*kind).into()),
                Base::Unread | Base::Gone => return Err(SessionError::Gone),
                Base::Empty(_) | Base::Outdated => None,
                Base::Loaded(loaded) => Some(loaded.clone()),
            }
        };
        let Some(loaded) = loaded else {
            return self.create(work).await;
        };
        let written = self.replace(loaded, work, phase).await;
        match written {
            // A rotation that nobody asked for and that did not come about is no failure: the
            // client keeps the secret it came with.
            Err(error) if work.is_empty() => {
                tracing::debug!(%error, "a due rotation was left to the next request");
                Ok(())
            }
            written => written,
        }
    }

    async fn create(&self, work: &Work) -> Result<(), SessionError> {
        let shared = &self.inner.shared;
        for _ in 0..DUPLICATES_MAX {
            let Some(plan) = plan::creation(&shared.config, &self.inner.arrival, work)? else {
                return Ok(());
            };
            let anonymous = plan.draft.user.is_none();
            // The session lives on under the cookie that another response set moments ago; a
            // new one's cookie would displace it.
            if anonymous && matches!(self.state().base, Base::Outdated) {
                return Err(SessionError::Gone);
            }
            if anonymous && !shared.admits_anonymous() {
                metrics::counter!("anynode_anonymous_refused_total").increment(1);
                return Err(SessionError::Quota);
            }
            if let Some(live) = shared.create(&plan.draft, self.tally()).await? {
                metrics::counter!("anynode_sessions_created_total").increment(1);
                self.settle(&plan, live);
                return Ok(());
            }
        }
        let error = Error::new(ErrorKind::Unavailable, "store", "create");
        Err(error.with_detail("every handle drawn is taken").into())
    }

    async fn replace(
        &self,
        mut loaded: Loaded,
        work: &Work,
        phase: Phase,
    ) -> Result<(), SessionError> {
        let shared = &self.inner.shared;
        let arrival = &self.inner.arrival;
        for attempt in 0..REBASES_MAX {
            let Some(plan) = plan::change(&shared.config, &mut loaded, arrival, work, phase)?
            else {
                match self.still_unchanged(&loaded, work).await? {
                    Ok(()) => {
                        self.state().base = Base::Loaded(loaded);
                        return Ok(());
                    }
                    Err(newest) => loaded = loaded.rebased(newest)?,
                }
                continue;
            };
            let base = loaded.live.record.version;
            let replaced = shared.replace(&base, &plan.draft, self.tally()).await?;
            let newer = match replaced {
                Replace::Replaced(live) => {
                    self.settle(&plan, live);
                    return Ok(());
                }
                Replace::Gone => return Err(SessionError::Gone),
                Replace::Conflict(newer) if anynode_core::planted("conflict_taken_for_written") => {
                    self.settle(&plan, newer);
                    return Ok(());
                }
                Replace::Conflict(newer) => newer,
            };
            metrics::counter!("anynode_rebases_total").increment(1);
            if loaded.lost_login(&work.wish, &newer) {
                self.state().race = Race::LostToSameUser;
            }
            loaded = loaded.rebased(newer)?;
            if attempt > 0 {
                loaded = self.after_a_pause(loaded, attempt).await?;
            }
        }
        Err(SessionError::Contended)
    }

    /// Whether what changes nothing on the record as it was seen changes nothing on the newest
    /// either; else that one. Without asking, a value set back to what it was when the request
    /// began would be taken for written while another node's stands.
    async fn still_unchanged(
        &self,
        loaded: &Loaded,
        work: &Work,
    ) -> Result<Result<(), Live>, SessionError> {
        if work.is_empty() || anynode_core::planted("unchanged_without_asking") {
            return Ok(Ok(()));
        }
        let record = &loaded.live.record;
        let newest = self
            .inner
            .shared
            .store
            .load(&record.handle, self.tally())
            .await?;
        let newest = newest.ok_or(SessionError::Gone)?;
        if newest.record.version == record.version {
            return Ok(Ok(()));
        }
        Ok(Err(newest))
    }

    /// The same request on the record as it is after a pause. What was read before it is old
    /// by then, under the very writers that made it necessary.
    async fn after_a_pause(&self, loaded: Loaded, attempt: u32) -> Result<Loaded, SessionError> {
        tokio::time::sleep(conflict_pause(attempt, random::number())).await;
        let handle = loaded.live.record.handle;
        let newest = self.inner.shared.store.load(&handle, self.tally()).await?;
        loaded.rebased(newest.ok_or(SessionError::Gone)?)
    }

    fn settle(&self, plan: &Plan, live: Live) {
        if let Some(stale) = &self.inner.shared.stale {
            stale.forget(&plan.draft.handle);
        }
        let mut state = self.state();
        if plan.identity == Identity::Replaced {
            state.cookie = CookieChange::Set(plan.id);
        }
        state.asked = Some(plan.id);
        state.written = Some(live.record.version);
        state.base = Base::Loaded(plan.kept(live));
    }
}

// === impl Loaded ===

impl Loaded {
    /// Whether the newer record is the work of another login of the same user.
    fn lost_login(&self, wish: &Wish, newer: &Live) -> bool {
        let Wish::Bind { user, .. } = wish else {
            return false;
        };
        let record = &newer.record;
        record.user() == Some(user) && !self.admission.holds(record, newer.now)
    }

    /// The same request on a newer record, if that still admits it as the same.
    fn rebased(self, newer: Live) -> Result<Self, SessionError> {
        if !self.admission.holds(&newer.record, newer.now) {
            return Err(SessionError::Gone);
        }
        let presented = anynode_core::admit(&newer.record, &self.id.secret_hash(), newer.now);
        Ok(Self {
            presented: presented.unwrap_or(self.presented),
            data: super::state::Decoded::Nothing,
            live: newer,
            ..self
        })
    }
}
