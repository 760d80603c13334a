//! What really happened in the store, as an onlooker who sees everything writes it down.

use std::collections::HashMap;

use crate::{
    plan::At,
    shelf::{Id, SESSIONS, USERS, id_of, true_time},
    verb::Deed,
};

/// All writes, in the order in which they took effect and as far as no fail-over lost them.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) sessions: [Session; SESSIONS],
    pub(crate) users: [User; USERS],
    /// What every write of a record said, lost or not.
    values: HashMap<Id, Value>,
    /// Of what was lost: how many of the session's writes were there before it.
    lost: HashMap<Id, usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) log: Vec<Write>,
    /// How many of the writes the last fail-over left.
    fork: usize,
    /// Whether one ever lost any.
    pub(crate) has_lost: bool,
    /// Whether anybody asked for its end, heard or not.
    pub(crate) is_given_up: bool,
    /// The latest time until which it was ever to live.
    pub(crate) until: At,
}

#[derive(Debug, Default)]
pub(crate) struct User {
    pub(crate) log: Vec<Revocation>,
    pub(crate) lost: Vec<Revocation>,
}

/// A write of a record, or its end.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) id: Id,
    pub(crate) is_end: bool,
    pub(crate) acked: Option<At>,
}

/// All of a user's sessions were revoked.
#[derive(Clone, Debug)]
pub(crate) struct Revocation {
    pub(crate) id: Id,
    /// When it was executed first.
    pub(crate) moment: At,
    pub(crate) spared: Option<usize>,
    pub(crate) acked: Option<At>,
}

/// What a write made of a record.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) session: usize,
    pub(crate) user: Option<usize>,
    /// The moment of the revocation of its user that it knows of.
    pub(crate) since: At,
    pub(crate) secret: u64,
    /// The secret before it, and until when that is good.
    pub(crate) previous: Option<(u64, At)>,
    /// How often it was changed.
    pub(crate) changes: u64,
}

// === impl History ===

impl History {
    /// Notes what a server executed. What a deposed one executes is lost already.
    ///
    /// # Errors
    /// An update was lost or doubled: each adds one to a number in the record.
    pub(crate) fn executed(&mut self, deed: &Deed, is_lost: bool) -> Result<(), String> {
        match deed {
            Deed::Wrote { id, live, since } => {
                let record = &live.record;
                let session = crate::shelf::session_of(&record.handle);
                let previous = record.previous;
                let value = Value {
                    session,
                    user: record.user().map(crate::shelf::user_number),
                    since: *since,
                    secret: crate::record::secret_of(&record.secret),
                    previous: previous.map(|previous| {
                        let secret = crate::record::secret_of(&previous.secret);
                        (secret, true_time(previous.until))
                    }),
                    changes: crate::record::changes_of(&record.payload),
                };
                let before = u64::try_from(self.sessions[session].log.len()).unwrap();
                let changes = value.changes;
                self.values.insert(id_of(&record.version), value);
                self.write(session, *id, false, is_lost);
                self.touched(session, true_time(live.idle_deadline));
                if !is_lost && changes != before {
                    return Err(format!("write {id} is number {before} and says {changes}"));
                }
            }
            Deed::Ended { id, session } => self.write(*session, *id, true, is_lost),
            Deed::EndedUser {
                id,
                user,
                moment,
                spared,
            } => {
                let revocation = Revocation {
                    id: *id,
                    moment: *moment,
                    spared: *spared,
                    acked: None,
                };
                let user = &mut self.users[*user];
                match is_lost {
                    true => user.lost.push(revocation),
                    false => user.log.push(revocation),
                }
            }
            Deed::Touched { session, until } => self.touched(*session, true_time(*until)),
        }
        Ok(())
    }

    /// Notes that an acknowledgement left the store.
    pub(crate) fn acked(&mut self, id: Id, now: At) {
        let writes = self
            .sessions
            .iter_mut()
            .flat_map(|session| &mut session.log);
        for write in writes.filter(|write| write.id == id) {
            write.acked.get_or_insert(now);
        }
        let users = self.users.iter_mut().flat_map(|user| &mut user.log);
        for revocation in users.filter(|revocation| revocation.id == id) {
            revocation.acked.get_or_insert(now);
        }
    }

    /// Notes that a fail-over lost these writes of the sessions and users of one part.
    pub(crate) fn forked(&mut self, lost: &[Id], is_of_part: impl Fn(usize) -> bool) {
        for (number, session) in self.sessions.iter_mut().enumerate() {
            if !is_of_part(number) {
                continue;
            }
            let before = session.log.len();
            let (left, gone): (Vec<_>, Vec<_>) = session
                .log
                .drain(..)
                .partition(|write| !lost.contains(&write.id));
            self.lost
                .extend(gone.iter().map(|write| (write.id, left.len())));
            session.has_lost |= left.len() < before;
            (session.fork, session.log) = (left.len(), left);
        }
        for user in &mut self.users {
            let (left, gone): (Vec<_>, Vec<_>) = user
                .log
                .drain(..)
                .partition(|revocation| !lost.contains(&revocation.id));
            user.log = left;
            user.lost.extend(gone);
        }
    }

    pub(crate) fn value(&self, id: Id) -> Option<&Value> {
        self.values.get(&id)
    }

    /// How many of the session's writes a value with this name reflects.
    pub(crate) fn place(&self, session: usize, id: Id) -> usize {
        let mut log = self.sessions[session].log.iter();
        match log.position(|write| write.id == id) {
            Some(at) => at + 1,
            None => self.lost.get(&id).copied().unwrap_or(0),
        }
    }

    /// The value of a session by all that was executed, if it has not ended.
    pub(crate) fn now(&self, session: usize) -> Option<(Id, &Value)> {
        let last = self.sessions[session].log.last()?;
        let ended = self.sessions[session].log.iter().any(|write| write.is_end);
        if ended {
            return None;
        }
        let value = self.value(last.id)?;
        let kills = |revocation: &Revocation| revocation.kills(value);
        let is_over = value
            .user
            .is_some_and(|user| self.users[user].log.iter().any(kills));
        (!is_over).then_some((last.id, value))
    }

    /// Whether the session was ended by anyone ever, lost or not.
    pub(crate) fn ever_ended(&self, session: usize) -> bool {
        let of = &self.sessions[session];
        let user = of.log.last().and_then(|write| self.value(write.id)?.user);
        let lost = user.is_some_and(|user| !self.users[user].lost.is_empty());
        of.has_lost || of.is_given_up || lost || self.now(session).is_none()
    }

    fn touched(&mut self, session: usize, until: At) {
        let session = &mut self.sessions[session];
        session.until = session.until.max(until);
    }

    fn write(&mut self, session: usize, id: Id, is_end: bool, is_lost: bool) {
        let session = &mut self.sessions[session];
        if is_lost {
            session.has_lost = true;
            self.lost.insert(id, session.fork);
            return;
        }
        let acked = None;
        session.log.push(Write { id, is_end, acked });
    }
}

// === impl Revocation ===

impl Revocation {
    /// Whether it ended a session that has this value.
    pub(crate) fn kills(&self, value: &Value) -> bool {
        self.moment > value.since && self.spared != Some(value.session)
    }
}
