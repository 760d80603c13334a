//! Any of our stores as a store of tower-sessions.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anynode_core::{
    Admission, Budget, Cause, Data, Device, Draft, Effect, Kind, Live, Moment, Payload, Record,
    Replace, Revoke, SessionId, Store, Timestamp, UserId, Version, admit,
    expiry::ABSOLUTE_MAX,
    store::{REBASES_MAX, conflict_pause},
};

use super::{
    bases::{Base, Bases},
    json::{self, JsonData},
    login::LoginKey,
    mark::Mark,
    naming,
};
use crate::{
    codec::{Place, Sealer},
    config::Config,
    error::SessionError,
    layer::Shared,
    random,
    session::fill,
    timely::Tally,
};

/// A `tower_sessions::SessionStore` on any of our stores, for every version of tower-sessions
/// whose feature is on.
///
/// What it promises beyond the trait:
///
/// - `save` writes what its request changed, key by key, and only to a session that is alive:
///   two requests that change different keys both survive, and nothing revives a session that
///   was deleted or revoked while a request ran. Such a `save` is an error, and tower-sessions
///   answers 500.
/// - `create` refuses to carry a session on under a new id after it was revoked.
/// - The store never sees the cookie: handle and secret are halves of a hash of it, so a copy
///   of the store or a log opens no session.
/// - A session in which axum-login has logged somebody in is bound to that user ([`user_id`]),
///   so [`AdminSessions`] lists and revokes it.
///
/// `expiry_date` becomes the absolute deadline, to the millisecond, at most 400 days ahead, by
/// the clock of the store. Values may be nested 32 deep. Records bear one more key, which
/// begins with NUL, between `load` and `save`.
///
/// Its clones share everything. Dead sessions are swept in the background.
///
/// ```
/// use anynode::{SystemClock, adapter::StoreAdapter, core::MemoryStore};
/// use std::sync::Arc;
///
/// let store = StoreAdapter::new(MemoryStore::new(Arc::new(SystemClock)));
/// # #[cfg(feature = "tower-sessions-015")]
/// # {
/// let layer = tower_sessions::SessionManagerLayer::new(store);
/// # }
/// ```
///
/// [`AdminSessions`]: crate::AdminSessions
/// [`user_id`]: super::user_id
#[derive(Clone, Debug)]
pub struct StoreAdapter {
    store: Arc<dyn Store>,
    config: Config,
    login: LoginKey,
    shared: Arc<Shared>,
    bases: Arc<Mutex<Bases>>,
}

// === impl StoreAdapter ===

impl StoreAdapter {
    /// The sessions in `store`.
    pub fn new(store: impl Store) -> Self {
        Self::from_arc(Arc::new(store))
    }

    /// As [`StoreAdapter::new`], for a store that others hold too.
    pub fn from_arc(store: Arc<dyn Store>) -> Self {
        let config = Config::default();
        Self {
            shared: Arc::new(Shared::new(store.clone(), config.clone())),
            store,
            config,
            login: LoginKey::default(),
            bases: Arc::default(),
        }
    }

    /// Codec and keys of the data. Default: JSON, not encrypted.
    #[must_use]
    pub fn with_sealer(self, sealer: Sealer) -> Self {
        self.with(|config| config.sealer = sealer)
    }

    /// How large a session may grow. Default: 16 KiB encoded.
    #[must_use]
    pub fn with_budget(self, budget: Budget) -> Self {
        self.with(|config| config.budget = budget)
    }

    /// How long a call of the store may take. Default: 5 seconds.
    #[must_use]
    pub fn with_call_timeout(self, call_timeout: Duration) -> Self {
        self.with(|config| config.call_timeout = call_timeout)
    }

    /// How often this node sweeps what is dead; `None` for never. Default: every minute.
    #[must_use]
    pub fn with_sweep_every(self, sweep_every: Option<Duration>) -> Self {
        self.with(|config| config.sweep_every = sweep_every)
    }

    /// The key under which axum-login keeps its data, if the application has changed it.
    /// Default: `axum-login.data`.
    #[must_use]
    pub fn with_login_key(self, key: impl Into<String>) -> Self {
        Self {
            login: LoginKey::new(key),
            ..self
        }
    }

    /// Inserts a session under an id that is free, and marks its data; `None` when the id is
    /// taken.
    pub(super) async fn insert(
        &self,
        id: i128,
        theirs: &JsonData,
        expiry: Timestamp,
    ) -> Result<Option<Mark>, SessionError> {
        self.shared.maintain();
        let before = Mark::of(theirs);
        // The session goes on under another id. If somebody else ended it before this node
        // did, it would rise from the dead.
        if let Some(before) = &before
            && !self.bases().was_ended_here(&before.handle)
        {
            return Err(SessionError::Gone);
        }
        let data = json::read(theirs)?;
        let user = self.login.user(&data)?;
        let mut draft = new_draft(&naming::session_id(id), user, expiry);
        fill(&self.config, &mut draft, &data)?;
        let Some(live) = self.shared.create(&draft, &Tally::default()).await? else {
            return Ok(None);
        };
        if before.is_some_and(|before| outdated(&before, &live)) {
            let revoke = Revoke::session(live.record.handle, Cause::Epoch);
            self.shared.revoke(&revoke, &Tally::default()).await?;
            return Err(SessionError::Gone);
        }
        Ok(Some(self.lend(live, data.into())))
    }

    /// The session's marked data and deadline, while it is alive.
    pub(super) async fn find(
        &self,
        id: i128,
    ) -> Result<Option<(JsonData, Timestamp)>, SessionError> {
        self.shared.maintain();
        let id = naming::session_id(id);
        let Some(live) = self.load(&id).await? else {
            return Ok(None);
        };
        let (data, deadline) = (self.decode(&live.record)?, live.record.deadline);
        let mut theirs = json::write(&data)?;
        self.lend(live, data.into()).put(&mut theirs);
        Ok(Some((theirs, deadline)))
    }

    /// Applies what the request changed to the session as it is now.
    pub(super) async fn write(
        &self,
        id: i128,
        theirs: &JsonData,
        expiry: Timestamp,
    ) -> Result<(), SessionError> {
        self.shared.maintain();
        let id = naming::session_id(id);
        let base = self.base(&id, Mark::of(theirs)).await?;
        let wanted = json::read(theirs)?;
        let user = self.login.user(&wanted)?;
        let delta = json::difference(&base.data, &wanted);
        let admission = Admission::new(&base.live.record, id.secret_hash());
        let (mut live, mut data) = (base.live.clone(), base.data.clone());
        for attempt in 0..REBASES_MAX {
            let draft = self.draft(&live.record, &delta.apply(&data)?, expiry)?;
            match self
                .shared
                .replace(&live.record.version, &draft, &Tally::default())
                .await?
            {
                Replace::Replaced(_) => return Ok(()),
                Replace::Gone => return Err(SessionError::Gone),
                Replace::Conflict(newer) => live = newer,
            }
            // The second save of one request meets the first: its login is its own.
            let is_own_login =
                user.as_ref() != base.live.record.user() && live.record.user() == user.as_ref();
            if !is_own_login && !admission.holds(&live.record, live.now) {
                return Err(SessionError::Gone);
            }
            data = self.decode(&live.record)?.into();
            tokio::time::sleep(conflict_pause(attempt, random::number())).await;
        }
        Err(SessionError::Contended)
    }

    /// Ends the session, for good and on every node. Idempotent.
    pub(super) async fn end(&self, id: i128) -> Result<(), SessionError> {
        self.shared.maintain();
        let handle = naming::session_id(id).handle();
        let revoke = Revoke::session(handle, Cause::User);
        if self.shared.revoke(&revoke, &Tally::default()).await?.effect != Effect::Nothing {
            self.bases().ended(handle);
        }
        Ok(())
    }

    /// Sweeps until nothing dead is left.
    pub(super) async fn sweep(&self) -> Result<(), SessionError> {
        while self.shared.store.sweep(SWEEP_AT_ONCE).await?.more {}
        Ok(())
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self.shared = Arc::new(Shared::new(self.store.clone(), self.config.clone()));
        self
    }

    fn bases(&self) -> MutexGuard<'_, Bases> {
        self.bases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a request is given, and names it.
    fn lend(&self, live: Live, data: Arc<Data>) -> Mark {
        let mark = Mark::new(&live.record);
        self.bases().keep(Base { live, data });
        mark
    }

    /// What the request's changes are measured against: what it loaded, or, when it cleared
    /// the session unread, the session as it is now.
    async fn base(&self, id: &SessionId, mark: Option<Mark>) -> Result<Base, SessionError> {
        let mark = mark.filter(|mark| mark.handle == id.handle());
        if let Some(mark) = &mark
            && let Some(base) = self.bases().base(mark.handle, &mark.version)
        {
            return Ok(base);
        }
        let live = self.load(id).await?.ok_or(SessionError::Gone)?;
        if mark.is_some_and(|mark| mark.version != live.record.version) {
            // What the request loaded is forgotten and no longer there to compare with.
            return Err(SessionError::Contended);
        }
        let data = self.decode(&live.record)?.into();
        Ok(Base { live, data })
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Live>, SessionError> {
        let live = self
            .shared
            .store
            .load(&id.handle(), &Tally::default())
            .await?;
        Ok(live.filter(|live| {
            let record = &live.record;
            record.kind == Kind::Session && admit(record, &id.secret_hash(), live.now).is_some()
        }))
    }

    fn decode(&self, record: &Record) -> Result<Data, SessionError> {
        let place = Place {
            handle: record.handle,
            user: record.user().map(UserId::as_str),
            version: record.version,
        };
        let payload = record.payload.as_bytes();
        Ok(self.config.sealer.decode(&place, payload)?)
    }

    fn draft(
        &self,
        record: &Record,
        data: &Data,
        expiry: Timestamp,
    ) -> Result<Draft, SessionError> {
        let mut draft = record.draft(record.version.next(random::write_id()));
        let user = self.login.user(data)?;
        if user != draft.user {
            draft.authenticated_at = user.is_some().then_some(Moment::NOW);
            draft.user = user;
        }
        draft.deadline = Moment::At(expiry);
        fill(&self.config, &mut draft, data)?;
        Ok(draft)
    }
}

/// Items in one call of `sweep`.
const SWEEP_AT_ONCE: usize = 1_000;

/// Whether the session from before the id was cycled had been outdated by the time the new one
/// was bound to the same user.
fn outdated(before: &Mark, live: &Live) -> bool {
    let (Some(old), Some(new)) = (&before.binding, &live.record.binding) else {
        return false;
    };
    let entry = live.user.unwrap_or_default();
    old.user == new.user && !entry.admits(&before.handle, old.stamp)
}

fn new_draft(id: &SessionId, user: Option<UserId>, expiry: Timestamp) -> Draft {
    Draft {
        handle: id.handle(),
        kind: Kind::Session,
        secret: id.secret_hash(),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(random::write_id()),
        authenticated_at: user.is_some().then_some(Moment::NOW),
        user,
        created_at: Moment::NOW,
        // tower-sessions knows one deadline, which its layer moves with each save. The idle
        // timeout is the longest there is, so that it never ends a session before that.
        idle_timeout: ABSOLUTE_MAX,
        deadline: Moment::At(expiry),
        payload: Payload::new(Vec::new()),
        device: Device::default(),
    }
}
