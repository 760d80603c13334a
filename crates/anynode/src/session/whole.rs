//! A session taken and changed as a whole: what adapters need beyond the handlers' methods.

use anynode_core::{Data, Delta, Handle, Timestamp};

use super::{Session, state::Base};
use crate::error::SessionError;

impl Session {
    /// The handle in the request's cookie, whether or not there is such a session. Asks nothing.
    pub(crate) fn arrived_with(&self) -> Option<Handle> {
        self.inner.arrival.id().map(|id| id.handle())
    }

    /// All keys as this request sees them, and the absolute deadline; `None` without a session.
    pub(crate) async fn whole(&self) -> Result<Option<(Data, Timestamp)>, SessionError> {
        self.ready().await?;
        let mut state = self.state();
        let base = state.data(&self.inner.shared.config.sealer)?;
        let Base::Loaded(loaded) = &state.base else {
            return Ok(None);
        };
        Ok(Some((
            state.work.delta.apply(&base)?,
            loaded.live.record.deadline,
        )))
    }

    /// Records changes of several keys; an empty delta is none.
    pub(crate) async fn record(&self, delta: Delta) -> Result<(), SessionError> {
        if delta.is_empty() {
            return Ok(());
        }
        self.change(|state, _| {
            state.work.delta = std::mem::take(&mut state.work.delta).then(delta);
            Ok(())
        })
        .await?;
        Ok(())
    }
}
