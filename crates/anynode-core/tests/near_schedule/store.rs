//! A store that loses nothing, and the history by which a node is judged.

use std::{collections::VecDeque, time::Duration};

use anynode_core::{
    Cause, Draft, Event, Handle, Kind, Live, Moment, Payload, SecretHash, Snapshot, Timestamp,
    Tombstone, UserEntry, UserId, Version, WriteId,
};

/// Three sessions, one user, and what is on its way on the channels of records and of users.
#[derive(Default)]
pub(crate) struct Store {
    sessions: [Session; 3],
    entry: UserEntry,
    epochs: u64,
    pub(crate) queues: [VecDeque<Event>; 2],
}

#[derive(Default)]
struct Session {
    version: u64,
    stamp: Option<UserEntry>,
    is_dead: bool,
    /// From when on at least which version is right.
    history: Vec<(Duration, u64)>,
}

/// SplitMix64.
pub(crate) struct Draws(u64);

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const DEAD: u64 = u64::MAX;

pub(crate) fn handle(which: u8) -> Handle {
    Handle::from_bytes([which; 16])
}

// === impl Store ===

impl Store {
    /// Every verb is acknowledged at once, and told on its channel before.
    pub(crate) fn write(&mut self, which: u8, now: Duration) {
        if self.load(which).is_none() && self.session(which).version > 0 {
            return;
        }
        self.change(which, now);
    }

    /// Binds the session, under the user's epoch of now.
    pub(crate) fn log_in(&mut self, which: u8, now: Duration) {
        let entry = self.entry;
        if !self.session(which).is_dead {
            self.session(which).stamp = Some(entry);
            self.change(which, now);
        }
    }

    pub(crate) fn revoke(&mut self, which: u8, now: Duration) {
        let session = self.session(which);
        session.is_dead = true;
        session.history.push((now, DEAD));
        self.queues[0].push_back(Event::Revoked(tombstone(which)));
    }

    pub(crate) fn revoke_user(&mut self, now: Duration) {
        self.epochs += 1;
        let at = Timestamp::from_millis(self.epochs);
        self.entry = self.entry.revoked(None, at);
        for session in &mut self.sessions {
            if session.stamp.is_some() && !session.is_dead {
                session.history.push((now, session.version + 1));
            }
        }
        self.queues[1].push_back(Event::User(ada(), self.entry));
    }

    pub(crate) fn load(&self, which: u8) -> Option<Live> {
        let session = &self.sessions[usize::from(which)];
        let is_outdated = session.stamp.is_some_and(|stamp| stamp != self.entry);
        if session.version == 0 || session.is_dead || is_outdated {
            return None;
        }
        Some(draft(which, session).live(NOW, session.stamp))
    }

    /// What a channel starts from: that of records, or that of users.
    pub(crate) fn snapshot(&self, channel: usize) -> Snapshot {
        let dead = (0..).zip(&self.sessions);
        let dead = dead.filter(|(_, session)| session.is_dead && channel == 0);
        Snapshot {
            revoked: dead.map(|(which, _)| tombstone(which)).collect(),
            users: (channel == 1)
                .then(|| (ada(), self.entry))
                .into_iter()
                .collect(),
            now: Timestamp::from_millis(self.epochs),
        }
    }

    /// Which version was right at this time, and every later one after it.
    pub(crate) fn least(&self, which: u8, at: Duration) -> u64 {
        let history = &self.sessions[usize::from(which)].history;
        let before = history.iter().filter(|(since, _)| *since < at);
        before.map(|(_, version)| *version).max().unwrap_or(0)
    }

    fn change(&mut self, which: u8, now: Duration) {
        let session = self.session(which);
        session.version += 1;
        session.history.push((now, session.version));
        self.queues[0].push_back(Event::Changed(handle(which)));
    }

    fn session(&mut self, which: u8) -> &mut Session {
        &mut self.sessions[usize::from(which)]
    }
}

fn tombstone(which: u8) -> Tombstone {
    Tombstone {
        handle: handle(which),
        cause: Cause::User,
        until: NOW,
    }
}

fn ada() -> UserId {
    UserId::new("ada").unwrap()
}

fn draft(which: u8, session: &Session) -> Draft {
    Draft {
        handle: handle(which),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([9; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version {
            counter: session.version,
            write: WriteId::from_bytes([0; 8]),
        },
        user: session.stamp.map(|_| ada()),
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(3_600),
        deadline: Moment::After(Duration::from_secs(3_600)),
        payload: Payload::new(*b"data"),
        device: anynode_core::Device::default(),
    }
}

// === impl Draws ===

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u8) -> u8 {
        let [.., high] = (self.next() % u64::from(bound)).to_be_bytes();
        high
    }

    pub(crate) fn place_in<T>(&mut self, of: &[T]) -> Option<usize> {
        let length = u64::try_from(of.len()).unwrap();
        let place = self.next().checked_rem(length)?;
        Some(usize::try_from(place).unwrap())
    }

    pub(crate) fn one_of<'a, T>(&mut self, of: &'a mut [T]) -> Option<&'a mut T> {
        let place = self.place_in(of)?;
        of.get_mut(place)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
