//! What a request knows of its session, and what it wants to become of it.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    Admission, Data, Delta, Error, ErrorKind, Handle, Lifetime, Live, Presented, SessionId, UserId,
    Value, ValueError, Version, session::Update,
};

use super::commit::Head;
use crate::{
    codec::{Place, Sealer},
    error::SessionError,
};

/// The mutable part of a request's session.
pub(crate) struct State {
    pub(super) base: Base,
    pub(super) work: Work,
    pub(super) cookie: CookieChange,
    pub(super) phase: Phase,
    pub(super) usage: Usage,
    pub(super) race: Race,
    /// The id under which the store is asked, whatever it answered last.
    pub(super) asked: Option<SessionId>,
    /// Whether there was nothing under that id: it may have ended moments ago.
    pub(super) is_absent: bool,
    /// What this request wrote last.
    pub(super) written: Option<Version>,
}

/// What the request's changes build on.
pub(super) enum Base {
    /// The request brought an id that was not looked up yet.
    Unread,
    /// There is no session.
    Empty(Access),
    /// The session lives under a secret that replaced the one presented moments ago: the
    /// request is older than a login that ran beside it. It reads as no session.
    Outdated,
    /// The session as it was last seen.
    Loaded(Loaded),
    /// It could not be read, so nothing is written either.
    Failed(ErrorKind),
    /// It died or changed hands while the request ran.
    Gone,
}

/// A session that admitted the request.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) live: Live,
    /// The id that the client holds, or gets with this response.
    pub(super) id: SessionId,
    pub(super) admission: Admission,
    pub(super) presented: Presented,
    pub(super) data: Decoded,
    pub(super) access: Access,
}

/// How much of the payload has been decoded.
#[derive(Clone)]
pub(super) enum Decoded {
    /// Nothing: the first key asked for is picked out on its own.
    Nothing,
    /// One key was picked out; the next one decodes the whole.
    OneKey,
    /// All of it.
    Whole(Arc<Data>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    /// The store is down and the failure policy lets the request go on without it.
    ReadOnly,
}

/// What the request recorded and was not written yet.
#[derive(Clone, Default)]
pub(super) struct Work {
    pub(super) delta: Delta,
    pub(super) wish: Wish,
    pub(super) idle_timeout: Option<Duration>,
}

/// What the request wants to become of the session's identity.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) enum Wish {
    #[default]
    Keep,
    Rotate,
    Bind {
        user: UserId,
        lifetime: Lifetime,
    },
}

/// What the response does to the cookie.
#[derive(Clone, Copy, Default)]
pub(crate) enum CookieChange {
    #[default]
    Keep,
    Set(SessionId),
    Remove,
    /// Remove it, and whatever else the site left in the browser.
    LogOut,
}

/// How far the response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The handler runs; a cookie can still be set.
    Handler,
    /// The body streams; changes are written before its last byte.
    Body,
    /// The response is out; each change is written by the call that makes it.
    Finished,
}

/// Whether the request used its session, so that its response depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Unused,
    Used,
}

/// What became of a login that ran at the same time as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Race {
    None,
    LostToSameUser,
}

// === impl State ===

impl State {
    pub(super) fn new(asked: Option<SessionId>) -> Self {
        Self {
            base: match asked {
                Some(_) => Base::Unread,
                None => Base::Empty(Access::ReadWrite),
            },
            work: Work::default(),
            cookie: CookieChange::default(),
            phase: Phase::Handler,
            usage: Usage::Unused,
            race: Race::None,
            asked,
            is_absent: false,
            written: None,
        }
    }

    /// What the response's head must bear. A session that died or changed hands meanwhile
    /// leaves the cookie to whoever ended it.
    pub(super) fn head(&self) -> Head {
        let cookie = match self.base {
            Base::Gone => CookieChange::Keep,
            _ => self.cookie,
        };
        Head {
            cookie,
            usage: self.usage,
            written: self.written,
        }
    }

    /// Enters the next phase, unless that would strand a change that waits to be written: all
    /// of them when nothing more is written for the response, and those that need a cookie
    /// once its head has left.
    pub(super) fn leave(&mut self, next: Phase) -> Option<Head> {
        let needs_cookie =
            self.work.wish != Wish::Keep || matches!(self.base, Base::Empty(_) | Base::Outdated);
        if !self.work.is_empty() && (next == Phase::Finished || needs_cookie) {
            return None;
        }
        self.phase = next;
        Some(self.head())
    }

    /// An error when the session could not be read, whatever the handler made of that.
    pub(super) fn readable(&self) -> Result<(), SessionError> {
        match self.base {
            Base::Failed(kind) => Err(failed(kind).into()),
            _ => Ok(()),
        }
    }

    /// Nothing is known of the session any more, so nothing is built on it.
    pub(super) fn fail(&mut self, kind: ErrorKind) {
        self.base = Base::Failed(kind);
        self.work = Work::default();
    }

    /// Whether there is a session that may be written.
    pub(super) fn is_writable_session(&self) -> bool {
        matches!(&self.base, Base::Loaded(loaded) if loaded.access == Access::ReadWrite)
    }

    /// Whether a change can be recorded now.
    pub(super) fn changeable(&self) -> Result<(), SessionError> {
        self.writable()?;
        let absent = matches!(self.base, Base::Empty(_) | Base::Outdated);
        if absent && self.phase != Phase::Handler {
            return Err(SessionError::HeadSent);
        }
        Ok(())
    }

    /// Records an update and returns what it makes of the value that this request sees. One
    /// that this value refuses is not recorded.
    pub(super) fn update(
        &mut self,
        sealer: &Sealer,
        key: &str,
        update: Update,
    ) -> Result<Option<Value>, SessionError> {
        self.work.delta.update(key, update)?;
        let seen = self.value(sealer, key, |value| Ok(value.cloned()));
        let seen = seen.and_then(|seen| Ok(seen?));
        if seen.is_err() {
            self.work.delta.take_back_update(key);
        }
        seen
    }

    /// Whether the base is known; an error when it cannot be.
    pub(super) fn known(&self) -> Result<bool, SessionError> {
        match &self.base {
            Base::Unread => Ok(false),
            Base::Empty(_) | Base::Outdated | Base::Loaded(_) => Ok(true),
            Base::Failed(kind) => Err(failed(*kind).into()),
            Base::Gone => Err(SessionError::Gone),
        }
    }

    pub(super) fn writable(&self) -> Result<(), SessionError> {
        match &self.base {
            Base::Empty(Access::ReadOnly) => Err(SessionError::ReadOnly),
            Base::Loaded(loaded) if loaded.access == Access::ReadOnly => {
                Err(SessionError::ReadOnly)
            }
            _ => Ok(()),
        }
    }

    /// Hands `read` the value of `key` as this request sees it.
    pub(super) fn value<T>(
        &mut self,
        sealer: &Sealer,
        key: &str,
        read: impl FnOnce(Option<&Value>) -> Result<T, ValueError>,
    ) -> Result<Result<T, ValueError>, SessionError> {
        if let Base::Loaded(loaded) = &mut self.base
            && matches!(loaded.data, Decoded::Nothing)
        {
            loaded.data = Decoded::OneKey;
            let value = loaded.one_key(sealer, key)?;
            let value = self.work.delta.value_over(key, value.as_ref())?;
            return Ok(read(value.as_deref()));
        }
        let base = self.data(sealer)?;
        let value = self.work.delta.value(key, &base)?;
        Ok(read(value.as_deref()))
    }

    /// The data of the base, decoded whole.
    pub(super) fn data(&mut self, sealer: &Sealer) -> Result<Arc<Data>, SessionError> {
        match &mut self.base {
            Base::Loaded(loaded) => loaded.whole(sealer),
            _ => Ok(Arc::default()),
        }
    }

    pub(super) fn user(&self) -> Option<UserId> {
        if let Wish::Bind { user, .. } = &self.work.wish {
            return Some(user.clone());
        }
        let Base::Loaded(loaded) = &self.base else {
            return None;
        };
        loaded.live.record.user().cloned()
    }

    pub(super) fn handle(&self) -> Option<Handle> {
        self.id().map(|id| id.handle())
    }

    pub(super) fn id(&self) -> Option<SessionId> {
        match &self.base {
            Base::Loaded(loaded) => Some(loaded.id),
            _ => None,
        }
    }

    /// The session was ended by this request: nothing recorded survives it, and the response
    /// takes the cookie away.
    pub(super) fn end(&mut self) {
        self.base = Base::Empty(Access::ReadWrite);
        self.work = Work::default();
        self.asked = None;
        self.cookie = CookieChange::LogOut;
    }
}

// === impl Loaded ===

impl Loaded {
    pub(super) fn whole(&mut self, sealer: &Sealer) -> Result<Arc<Data>, SessionError> {
        if let Decoded::Whole(data) = &self.data {
            return Ok(data.clone());
        }
        let data = self.place(|place, payload| sealer.decode(&place, payload))?;
        let data = Arc::new(data);
        self.data = Decoded::Whole(data.clone());
        Ok(data)
    }

    fn one_key(&self, sealer: &Sealer, key: &str) -> Result<Option<Value>, SessionError> {
        self.place(|place, payload| sealer.decode_key(&place, payload, key))
    }

    fn place<T>(
        &self,
        read: impl FnOnce(Place<'_>, &[u8]) -> Result<T, crate::codec::CodecError>,
    ) -> Result<T, SessionError> {
        let record = &self.live.record;
        let place = Place {
            handle: record.handle,
            user: record.user().map(UserId::as_str),
            version: record.version,
        };
        Ok(read(place, record.payload.as_bytes())?)
    }
}

// === impl Work ===

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.delta.is_empty() && self.wish == Wish::Keep && self.idle_timeout.is_none()
    }

    /// This work followed by `later`: for putting back what could not be written.
    pub(super) fn then(self, later: Self) -> Self {
        Self {
            delta: self.delta.then(later.delta),
            wish: match later.wish {
                Wish::Keep => self.wish,
                wish => wish,
            },
            idle_timeout: later.idle_timeout.or(self.idle_timeout),
        }
    }
}

pub(super) fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "store", "load").with_detail("the session could not be read")
}
