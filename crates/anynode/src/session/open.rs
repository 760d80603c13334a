//! Connections that outlive their request, and end with their session.

use super::{Session, state::Base};
use crate::{error::SessionError, open::OpenConnection};

impl Session {
    /// Holds a connection open: a WebSocket, an event stream, a long response. It tells when the
    /// session has ended, on whichever node that happens.
    ///
    /// Writes what was recorded first, because a login closes the connections from before it.
    ///
    /// # Errors
    /// [`SessionError::NotBound`] for a visitor without a session, and those of writing.
    pub async fn open_connection(&self) -> Result<OpenConnection, SessionError> {
        self.save().await?;
        let live = match &self.state().base {
            Base::Loaded(loaded) => loaded.live.clone(),
            _ => return Err(SessionError::NotBound),
        };
        let known = self.tally().known_at();
        Ok(OpenConnection::new(self.shared().clone(), &live, known))
    }
}
