//! The sessions of a user: to list them and to end them.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    Cause, Device, Effect, Handle, Listing, Live, Page, Receipt, Revoke, Revoked, Store, Target,
    Timestamp, UserId, near::Horizon,
};

use crate::{
    confirm::confirm,
    error::SessionError,
    session::Session,
    timely::{Tally, Timely},
};

/// All sessions of the user of one [`Session`], and of nobody else: who owns what is checked
/// within each write, not before it.
///
/// ```no_run
/// # use anynode::{Session, SessionError};
/// # async fn log_out_elsewhere(session: Session) -> Result<(), SessionError> {
/// let sessions = session.sessions().await?;
/// for other in sessions.list(None).await?.0 {
///     println!("{} on {:?}", other.handle, other.device.label);
/// }
/// sessions.revoke_others().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions {
    session: Session,
    user: UserId,
    current: Handle,
    lease: Duration,
}

/// One session in a list. It holds nothing that opens the session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The public name, to end it by.
    pub handle: Handle,
    /// Whose it is; `None` while nobody has logged in.
    pub user: Option<UserId>,
    /// When it was created, by the store's clock.
    pub created_at: Timestamp,
    /// When it was last used, as far as the store was told: uses within an eighth of the idle
    /// timeout of one another are reported once. `None` when the absolute deadline is so near
    /// that a use no longer moves anything.
    pub last_used: Option<Timestamp>,
    /// The store's clock when it answered: what the other times are to be compared with.
    pub listed_at: Timestamp,
    /// When its user last proved who they are.
    pub authenticated_at: Option<Timestamp>,
    /// How long it goes on if it is not used.
    pub idle_left: Duration,
    /// How long it goes on at most.
    pub absolute_left: Duration,
    /// What is known of the client.
    pub device: Device,
    /// Whether the list was asked for from this session.
    pub is_current: bool,
}

/// The administrator's view of sessions: any user, any session. Hand it only to code that has
/// checked who is asking.
#[derive(Clone, Debug)]
pub struct AdminSessions {
    store: Timely,
    lease: Duration,
}

const CALL_TIMEOUT: Duration = Duration::from_secs(5);

// === impl Sessions ===

impl Sessions {
    pub(crate) fn new(session: Session, user: UserId, current: Handle) -> Self {
        Self {
            session,
            user,
            current,
            lease: Horizon::TERM,
        }
    }

    /// The longest lease that a node of the fleet may hold, which is waited for where nodes do
    /// not confirm. Default: that of a near cache, 1 second.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// A page of the user's live sessions, and where the next page starts.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn list(
        &self,
        after: Option<Handle>,
    ) -> Result<(Vec<SessionInfo>, Option<Handle>), SessionError> {
        let (store, tally) = (&self.session.shared().store, self.session.tally());
        page(store, &self.user, after, Some(self.current), tally).await
    }

    /// Ends one of the user's sessions; `false` when it is not theirs or has ended already.
    ///
    /// # Errors
    /// [`SessionError::Store`] when it is not certain; end it again.
    pub async fn revoke(&self, handle: Handle) -> Result<bool, SessionError> {
        let revoke = Revoke {
            target: Target::SessionOf(self.user.clone(), handle),
            cause: Cause::User,
        };
        let revoked = if handle == self.current {
            self.session.end_by(&revoke, &handle).await?
        } else {
            self.session
                .shared()
                .revoke(&revoke, self.session.tally())
                .await?
        };
        Ok(revoked.effect != Effect::Nothing)
    }

    /// Ends all sessions of the user but this one.
    ///
    /// # Errors
    /// [`SessionError::Store`] when it is not certain; end them again.
    pub async fn revoke_others(&self) -> Result<Revoked, SessionError> {
        let revoke = Revoke::user_except(self.user.clone(), self.current, Cause::User);
        Ok(self
            .session
            .shared()
            .revoke(&revoke, self.session.tally())
            .await?)
    }

    /// Ends all sessions of the user, this one too: log out everywhere.
    ///
    /// # Errors
    /// [`SessionError::Store`] when it is not certain; end them again.
    pub async fn revoke_all(&self) -> Result<Revoked, SessionError> {
        let revoke = Revoke::user(self.user.clone(), Cause::User);
        self.session.end_by(&revoke, &self.current).await
    }

    /// As [`Sessions::revoke`], and waits for a [`Receipt`], as [`Sessions::confirm`] does.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the revocation is not certain; end it again.
    pub async fn revoke_and_confirm(
        &self,
        handle: Handle,
    ) -> Result<(bool, Receipt), SessionError> {
        let is_ended = self.revoke(handle).await?;
        Ok((is_ended, self.confirm().await))
    }

    /// As [`Sessions::revoke_others`], and waits for a [`Receipt`].
    ///
    /// # Errors
    /// [`SessionError::Store`] when the revocation is not certain; end them again.
    pub async fn revoke_others_and_confirm(&self) -> Result<(Revoked, Receipt), SessionError> {
        let revoked = self.revoke_others().await?;
        Ok((revoked, self.confirm().await))
    }

    /// As [`Sessions::revoke_all`], and waits for a [`Receipt`].
    ///
    /// # Errors
    /// [`SessionError::Store`] when the revocation is not certain; end them again.
    pub async fn revoke_all_and_confirm(&self) -> Result<(Revoked, Receipt), SessionError> {
        let revoked = self.revoke_all().await?;
        Ok((revoked, self.confirm().await))
    }

    /// Waits until every registered node has confirmed that it knows of all that was acknowledged
    /// before this call, or until no node may serve from what it knew before: see
    /// [`AdminSessions::confirm`].
    pub async fn confirm(&self) -> Receipt {
        confirm(&self.session.shared().store, self.lease).await
    }
}

// === impl AdminSessions ===

impl AdminSessions {
    /// The sessions in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store: Timely::new(store, CALL_TIMEOUT),
            lease: Horizon::TERM,
        }
    }

    /// The longest lease that a node of the fleet may hold, which is waited for where nodes do
    /// not confirm. Default: that of a near cache, 1 second.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// A page of a user's live sessions, and where the next page starts.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn list(
        &self,
        user: &UserId,
        after: Option<Handle>,
    ) -> Result<(Vec<SessionInfo>, Option<Handle>), SessionError> {
        page(&self.store, user, after, None, &Tally::default()).await
    }

    /// One live session, whoever's it is; `None` when it has ended or never was.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn find(&self, handle: Handle) -> Result<Option<SessionInfo>, SessionError> {
        let live = self.store.load(&handle, &Tally::default()).await?;
        Ok(live.map(|live| info(&live, None)))
    }

    /// Ends one session, whoever's it is.
    ///
    /// # Errors
    /// [`SessionError::Store`] when it is not certain; end it again.
    pub async fn revoke(&self, handle: Handle) -> Result<Revoked, SessionError> {
        let revoke = Revoke::session(handle, Cause::Admin);
        Ok(self.store.revoke(&revoke, &Tally::default()).await?)
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// [`SessionError::Store`] when it is not certain; end them again.
    pub async fn revoke_user(&self, user: &UserId) -> Result<Revoked, SessionError> {
        let revoke = Revoke::user(user.clone(), Cause::Admin);
        Ok(self.store.revoke(&revoke, &Tally::default()).await?)
    }

    /// As [`AdminSessions::revoke`], and waits for a [`Receipt`].
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use anynode::{AdminSessions, SystemClock, core::{Handle, MemoryStore}};
    /// # use std::sync::Arc;
    /// # let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    /// let sessions = AdminSessions::new(store);
    /// let handle = Handle::from_bytes([7; 16]);
    /// let (_revoked, receipt) = sessions.revoke_and_confirm(handle).await?;
    /// println!("{receipt}"); // 3 of 3 nodes, 2 ms
    /// # assert!(receipt.is_proven());
    /// # Ok::<(), anynode::SessionError>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`SessionError::Store`] when the revocation is not certain; end it again.
    pub async fn revoke_and_confirm(
        &self,
        handle: Handle,
    ) -> Result<(Revoked, Receipt), SessionError> {
        let revoked = self.revoke(handle).await?;
        Ok((revoked, self.confirm().await))
    }

    /// As [`AdminSessions::revoke_user`], and waits for a [`Receipt`].
    ///
    /// # Errors
    /// [`SessionError::Store`] when the revocation is not certain; end them again.
    pub async fn revoke_user_and_confirm(
        &self,
        user: &UserId,
    ) -> Result<(Revoked, Receipt), SessionError> {
        let revoked = self.revoke_user(user).await?;
        Ok((revoked, self.confirm().await))
    }

    /// Waits until every registered node has confirmed that it knows of all that was acknowledged
    /// before this call: one wait for as many revocations as there were.
    ///
    /// A node that does not confirm is waited for until no lease from before is left, and nobody
    /// who was deposed could have renewed one: L + D, by which no node may serve a revoked session,
    /// whoever confirmed. Where it cannot be known that this time has come, the receipt says so;
    /// what was acknowledged stands all the same. Routes that may be shown copies of any age
    /// ([`Freshness::StaleOk`](crate::Freshness::StaleOk)) are outside of this.
    ///
    /// It costs each node a heartbeat and a small write.
    pub async fn confirm(&self) -> Receipt {
        confirm(&self.store, self.lease).await
    }
}

async fn page(
    store: &Timely,
    user: &UserId,
    after: Option<Handle>,
    current: Option<Handle>,
    tally: &Tally,
) -> Result<(Vec<SessionInfo>, Option<Handle>), SessionError> {
    let page = Page {
        after,
        limit: Page::LIMIT_MAX,
    };
    let Listing { sessions, next } = store.list(user, &page, tally).await?;
    let sessions = sessions.iter().map(|live| info(live, current));
    Ok((sessions.collect(), next))
}

fn info(live: &Live, current: Option<Handle>) -> SessionInfo {
    let record = &live.record;
    SessionInfo {
        handle: record.handle,
        user: record.user().cloned(),
        created_at: record.created_at,
        last_used: live.last_used(),
        listed_at: live.now,
        authenticated_at: record.authenticated_at,
        idle_left: live.idle_deadline.since(live.now),
        absolute_left: record.deadline.since(live.now),
        device: record.device.clone(),
        is_current: current == Some(record.handle),
    }
}
