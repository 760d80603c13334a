//! The session of one request as tower-sessions sees it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anynode_core::{Data, Timestamp};
use http::StatusCode;

use super::{
    json::{self, JsonData},
    login::LoginKey,
    naming,
};
use crate::{error::SessionError, session::Session};

/// Carries what a `tower_sessions::Session` loads, saves and deletes over to our [`Session`].
#[derive(Debug)]
pub(super) struct RequestSession {
    session: Session,
    login: LoginKey,
    /// What the request last loaded or saved: its next save is compared with it.
    seen: Mutex<Option<Data>>,
    refused: Mutex<Option<StatusCode>>,
    head_is_next: AtomicBool,
}

// === impl RequestSession ===

impl RequestSession {
    pub(super) fn new(session: Session, login: LoginKey) -> Self {
        Self {
            session,
            login,
            seen: Mutex::default(),
            refused: Mutex::default(),
            head_is_next: AtomicBool::new(false),
        }
    }

    /// The id to show for the session that the request's cookie names.
    pub(super) fn arrived(&self) -> Option<i128> {
        let handle = self.session.arrived_with()?;
        Some(naming::shown_id(&handle))
    }

    /// The id to show for the session now; `None` until it is written for the first time.
    pub(super) async fn shown_id(&self) -> Result<Option<i128>, SessionError> {
        let handle = self.session.handle().await?;
        Ok(handle.map(|handle| naming::shown_id(&handle)))
    }

    /// The session's data and deadline; `None` when there is none.
    pub(super) async fn load(&self) -> Result<Option<(JsonData, Timestamp)>, SessionError> {
        let again = self.seen().is_some();
        if again {
            self.session.reload().await?;
        }
        let Some((data, deadline)) = self.session.whole().await? else {
            return Ok(None);
        };
        let theirs = json::write(&data)?;
        *self.seen() = Some(data);
        Ok(Some((theirs, deadline)))
    }

    /// Records what the request changed. It is written at once, or with everything else when
    /// the head of the response is next.
    pub(super) async fn save(
        &self,
        theirs: &JsonData,
        idle_timeout: Option<Duration>,
    ) -> Result<(), SessionError> {
        let saved = self.record(theirs, idle_timeout).await;
        if let Err(error) = &saved {
            *lock(&self.refused) = Some(error.status());
        }
        saved?;
        if self.head_is_next.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.session.save().await
    }

    /// Ends the session before it returns.
    pub(super) async fn end(&self) -> Result<(), SessionError> {
        self.session.revoke().await?;
        *self.seen() = None;
        Ok(())
    }

    /// Replaces the id in the cookie with the next write.
    pub(super) async fn rotate(&self) -> Result<(), SessionError> {
        self.session.rotate().await
    }

    /// From here on, saves are left to the response's head; until [`RequestSession::head_left`].
    pub(super) fn head_is_next(&self) {
        self.head_is_next.store(true, Ordering::Relaxed);
    }

    /// From here on, every save is written by itself again.
    pub(super) fn head_left(&self) {
        self.head_is_next.store(false, Ordering::Relaxed);
    }

    /// What the client is told when a save was refused.
    pub(super) fn refused(&self) -> StatusCode {
        lock(&self.refused).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    async fn record(
        &self,
        theirs: &JsonData,
        idle_timeout: Option<Duration>,
    ) -> Result<(), SessionError> {
        let wanted = json::read(theirs)?;
        let seen = self.seen().clone();
        let mut seen = match seen {
            Some(seen) => seen,
            // Cleared unread: whatever is there goes.
            None => self.session.whole().await?.unwrap_or_default().0,
        };
        let (before, now) = (self.login.user(&seen)?, self.login.user(&wanted)?);
        match now {
            Some(user)
                if before.as_ref() != Some(&user)
                    && self.session.user().await?.as_ref() != Some(&user) =>
            {
                self.session.bind(user.as_str()).await?;
            }
            None if before.is_some() => {
                self.session.revoke().await?;
                seen = Data::default();
            }
            _ => {}
        }
        self.session
            .record(json::difference(&seen, &wanted))
            .await?;
        if let Some(idle_timeout) = idle_timeout {
            self.session.set_idle_timeout(idle_timeout).await?;
        }
        *self.seen() = Some(wanted);
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Option<Data>> {
        lock(&self.seen)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
