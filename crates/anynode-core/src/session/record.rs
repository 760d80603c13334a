//! What a store keeps of a session, and what a node asks it to keep.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    session::{Epoch, Handle, SecretHash, UserEntry, UserId, Version, expiry},
    store::{Error, ErrorKind},
    time::Timestamp,
};

/// What a store keeps about one session, or about another thing with the same life.
///
/// The idle deadline is not part of it: being used is not a change (see [`Live`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its name.
    pub handle: Handle,
    /// What it is a record of.
    pub kind: Kind,
    /// The hash of the secret that opens it.
    pub secret: SecretHash,
    /// When that secret was issued.
    pub secret_since: Timestamp,
    /// The secret before it, while that is still admitted.
    pub previous: Option<Previous<Timestamp>>,
    /// The version that this write gave it.
    pub version: Version,
    /// Whose it is, once someone logged in.
    pub binding: Option<Binding>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its user last proved who they are.
    pub authenticated_at: Option<Timestamp>,
    /// How long it may go unused.
    pub idle_timeout: Duration,
    /// The absolute deadline, which nothing extends but a new authentication.
    pub deadline: Timestamp,
    /// The encoded data.
    pub payload: Payload,
    /// What its owner sees of it in a list of their sessions.
    pub device: Device,
}

/// A record as a node wants it kept; the store fills in its own time and the user's epoch.
///
/// Points in time that the write itself sets are given relative to it ([`Moment::After`]), so
/// that the clock of the node does not matter. The stamp of a bound session is missing on
/// purpose: the store reads the epoch from its own authority within the write.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// See [`Record::handle`].
    pub handle: Handle,
    /// See [`Record::kind`].
    pub kind: Kind,
    /// See [`Record::secret`].
    pub secret: SecretHash,
    /// See [`Record::secret_since`].
    pub secret_since: Moment,
    /// See [`Record::previous`].
    pub previous: Option<Previous<Moment>>,
    /// See [`Record::version`].
    pub version: Version,
    /// Whose it is to be.
    pub user: Option<UserId>,
    /// See [`Record::created_at`].
    pub created_at: Moment,
    /// See [`Record::authenticated_at`].
    pub authenticated_at: Option<Moment>,
    /// See [`Record::idle_timeout`].
    pub idle_timeout: Duration,
    /// See [`Record::deadline`].
    pub deadline: Moment,
    /// See [`Record::payload`].
    pub payload: Payload,
    /// See [`Record::device`].
    pub device: Device,
}

/// A point in time that a write names: one already known, or one counted from the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This point on the store's clock.
    At(Timestamp),
    /// This long after the store performs the write.
    After(Duration),
}

/// What a record is a record of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A visitor's session.
    Session,
    /// A family of refresh tokens.
    RefreshFamily,
    /// The keys that sign access tokens.
    KeySet,
    /// A web server.
    Node,
}

/// A secret that was replaced and is still admitted for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous<T> {
    /// Its hash.
    pub secret: SecretHash,
    /// When it ceases to be admitted.
    pub until: T,
}

/// The user of a session and the epoch under which they were bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whose session it is.
    pub user: UserId,
    /// The user's epoch at the time; compared with the [`UserEntry`] at every load.
    pub stamp: Epoch,
}

/// The encoded data of a record: opaque to a store, cheap to clone, never printed.
#[derive(Clone)]
pub struct Payload {
    /// What holds them, and may hold more before them.
    shared: Arc<[u8]>,
    begin: usize,
}

/// What a user needs to recognise a session of theirs in a list; empty where not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Such as the browser and system, at most [`Device::LABEL_BYTES_MAX`] bytes.
    pub label: Option<Arc<str>>,
    /// The address of the client, at most [`Device::ADDRESS_BYTES_MAX`] bytes.
    pub address: Option<Arc<str>>,
}

/// A record that is alive, with what the store knew beside it when it answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// The record.
    pub record: Arc<Record>,
    /// When it ends unless it is used before.
    pub idle_deadline: Timestamp,
    /// The entry of its user, if it is bound and the user has one.
    pub user: Option<UserEntry>,
    /// The store's clock when it answered: the zero of every deadline here.
    pub now: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where an answer comes from, as far as copies of it are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From servers whose writes the open channels of this handle on the store tell of. A store
    /// that is one server, or holds its calls to the primary that it follows, answers no other.
    Followed,
    /// At least in part from a server that a channel does not follow: a primary that was deposed
    /// and does not know it yet, or one that took over just now. It is as good as any answer, but
    /// nobody tells when it is no longer right.
    Elsewhere,
}

// === impl Live ===

impl Live {
    /// When the session was last used, as far as the store was told. `None` when the absolute
    /// deadline is the nearer one, because a use does not move that.
    pub fn last_used(&self) -> Option<Timestamp> {
        let is_told = self.idle_deadline < self.record.deadline;
        is_told.then(|| self.idle_deadline.back(self.record.idle_timeout))
    }
}

// === impl Record ===

impl Record {
    /// The user, if it is bound.
    pub fn user(&self) -> Option<&UserId> {
        self.binding.as_ref().map(|binding| &binding.user)
    }

    /// A draft that changes nothing but the version, to build a change on.
    pub fn draft(&self, version: Version) -> Draft {
        Draft {
            handle: self.handle,
            kind: self.kind,
            secret: self.secret,
            secret_since: Moment::At(self.secret_since),
            previous: self.previous.map(|previous| Previous {
                secret: previous.secret,
                until: Moment::At(previous.until),
            }),
            version,
            user: self.user().cloned(),
            created_at: Moment::At(self.created_at),
            authenticated_at: self.authenticated_at.map(Moment::At),
            idle_timeout: self.idle_timeout,
            deadline: Moment::At(self.deadline),
            payload: self.payload.clone(),
            device: self.device.clone(),
        }
    }
}

// === impl Draft ===

impl Draft {
    /// Refuses what no store may be asked to keep. Every store calls it before any I/O.
    ///
    /// # Errors
    /// `TooLarge` when the payload, label or address exceeds its bound; `Config` when the
    /// idle timeout is zero.
    pub fn check(&self, store: &'static str, verb: &'static str) -> Result<(), Error> {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let too_large = self.payload.len() > Payload::BYTES_MAX
            || text(&self.device.label) > Device::LABEL_BYTES_MAX
            || text(&self.device.address) > Device::ADDRESS_BYTES_MAX;
        if too_large {
            return Err(Error::new(ErrorKind::TooLarge, store, verb)
                .with_detail("the record exceeds what a store keeps"));
        }
        if self.idle_timeout.is_zero() {
            return Err(
                Error::new(ErrorKind::Config, store, verb).with_detail("the idle timeout is zero")
            );
        }
        Ok(())
    }

    /// The record that this draft becomes when it is written at `now` for a user whose
    /// current epoch is `epoch`.
    ///
    /// No deadline lies further ahead than [`expiry::ABSOLUTE_MAX`], because a user entry
    /// is kept for that long and has to outlive every session it outdates.
    pub fn settle(&self, now: Timestamp, epoch: Epoch) -> Record {
        Record {
            handle: self.handle,
            kind: self.kind,
            secret: self.secret,
            secret_since: self.secret_since.settle(now),
            previous: self.previous.map(|previous| Previous {
                secret: previous.secret,
                until: previous.until.settle(now),
            }),
            version: self.version,
            binding: self.user.clone().map(|user| Binding { user, stamp: epoch }),
            created_at: self.created_at.settle(now),
            authenticated_at: self.authenticated_at.map(|moment| moment.settle(now)),
            idle_timeout: self.idle_timeout,
            deadline: self.deadline.settle(now).min(now + expiry::ABSOLUTE_MAX),
            payload: self.payload.clone(),
            device: self.device.clone(),
        }
    }
}

// === impl Moment ===

impl Moment {
    /// The time of the write itself.
    pub const NOW: Self = Self::After(Duration::ZERO);

    /// The point it names for a write at `now`.
    pub fn settle(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::After(by) => now + by,
        }
    }
}

// === impl Kind ===

impl Kind {
    const ALL: [Self; 4] = [Self::Session, Self::RefreshFamily, Self::KeySet, Self::Node];

    /// The number that stores keep for the kind; it never changes its meaning.
    pub const fn code(self) -> u8 {
        match self {
            Self::Session => 1,
            Self::RefreshFamily => 2,
            Self::KeySet => 3,
            Self::Node => 4,
        }
    }

    /// The kind with this number, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

// === impl Payload ===

impl Payload {
    /// The largest payload that a store keeps. The size budget of sessions is well below it;
    /// this bound protects a store from a caller that has no budget.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// The payload with these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            shared: bytes.into(),
            begin: 0,
        }
    }

    /// The payload that is the end of these bytes, which stay for as long as it does.
    pub(crate) fn end_of(shared: Arc<[u8]>, begin: usize) -> Self {
        Self { shared, begin }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.shared[self.begin..]
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

// === impl Device ===

impl Device {
    /// The longest label, in bytes.
    pub const LABEL_BYTES_MAX: usize = 200;
    /// The longest address, in bytes: an IPv6 address with a scope fits.
    pub const ADDRESS_BYTES_MAX: usize = 64;

    /// A device with this label and address, each cut to its bound at a character boundary.
    pub fn new(label: Option<&str>, address: Option<&str>) -> Self {
        Self {
            label: label.map(|text| cut(text, Self::LABEL_BYTES_MAX).into()),
            address: address.map(|text| cut(text, Self::ADDRESS_BYTES_MAX).into()),
        }
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::session::WriteId;

    pub(crate) fn draft(handle: u8) -> Draft {
        let handle = Handle::from_bytes([handle; 16]);
        Draft {
            handle,
            kind: Kind::Session,
            secret: SecretHash::from_bytes([9; 32]),
            secret_since: Moment::NOW,
            previous: None,
            version: Version::first(WriteId::from_bytes([1; 8])),
            user: None,
            created_at: Moment::NOW,
            authenticated_at: None,
            idle_timeout: Duration::from_secs(60),
            deadline: Moment::After(Duration::from_secs(600)),
            payload: Payload::new(*b"data"),
            device: Device::default(),
        }
    }

    #[test]
    fn settling_counts_relative_moments_from_the_write() {
        let now = Timestamp::from_millis(5_000);
        let record = draft(1).settle(now, Epoch::ZERO);
        assert_eq!(record.created_at, now);
        assert_eq!(record.deadline, now + Duration::from_secs(600));
        let later = record
            .draft(record.version)
            .settle(now + Duration::from_secs(1), Epoch::ZERO);
        assert_eq!(later, record, "a settled draft does not move again");
    }

    #[test]
    fn no_deadline_outlives_the_user_entries() {
        let mut endless = draft(1);
        endless.deadline = Moment::After(Duration::MAX);
        let now = Timestamp::from_millis(5_000);
        assert_eq!(
            endless.settle(now, Epoch::ZERO).deadline,
            now + expiry::ABSOLUTE_MAX
        );
    }

    #[test]
    fn an_oversized_draft_is_refused_before_any_store_sees_it() {
        let mut large = draft(1);
        large.payload = Payload::new(vec![0; Payload::BYTES_MAX + 1]);
        let refused = large.check("memory", "create").expect_err("too large");
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_label_is_cut_at_a_character_boundary() {
        let device = Device::new(Some(&"é".repeat(150)), None);
        assert_eq!(device.label.expect("given").len(), 200);
    }

    #[test]
    fn debug_output_holds_no_data() {
        assert!(!format!("{:?}", draft(1)).contains("data\""));
        assert!(format!("{:?}", draft(1)).contains("Payload(4 bytes)"));
    }
}
