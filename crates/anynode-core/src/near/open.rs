//! Which open connections are closed, and when.

mod due;
mod held;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, mem,
    ops::RangeInclusive,
    time::Duration,
};

pub use self::due::{Agenda, Query};
use self::held::{Held, Login, Settled, Verdict};
use super::Ending;
use crate::{
    session::{Cause, Handle, Live, UserEntry, UserId},
    store::{Event, Snapshot},
};

/// The open connections of one node: WebSockets, event streams and long responses, each of which
/// has to be closed when its session ends, wherever that was ended.
///
/// A session of which nothing was heard is known to live as of when the lease says, and nobody
/// asks for it. What is heard decides:
///
/// - its revocation, or that of its user's sessions, closes its connections at once;
/// - a write, a flush or another channel leaves it in doubt: the store is asked, once for all its
///   connections and a few sessions at a time, and the answer decides;
/// - so does its deadline, which a touch on another node may have moved: nobody tells of that.
///
/// Without a lease, or with one that is about to run out, the store is asked for every session
/// again and again. Nothing passes the connections of a session that nothing has been known of for
/// their *patience* ([`OpenConnections::may_pass`]), and they are closed: at once, unless the node
/// stood still and the store had no time to answer.
///
/// So a connection is closed as soon as the node hears of the end of its session; before the
/// lease has run out where the node hears nothing and the store answers; and when its patience
/// has run out in any case. All of it counts from the acknowledgement, and what a deposed
/// primary may still say comes on top.
///
/// A login closes the connections that were opened before it, as it ends the requests that were
/// admitted before it: whoever planted the session may hold one of them. So does a user who logs
/// in again. The replacement of a secret closes none: it happens by the clock, and tells nothing
/// of who holds them.
///
/// Time is a [`Duration`] on the node's boot clock.
pub struct OpenConnections {
    term: Duration,
    held: BTreeMap<OpenId, Held>,
    users: BTreeSet<(UserId, OpenId)>,
    /// What is in doubt: it is being asked for, or is to be asked for, not before then.
    doubted: BTreeSet<OpenId>,
    asked: BTreeSet<OpenId>,
    wanted: BTreeSet<(Duration, OpenId)>,
    deadlines: BTreeSet<(Duration, OpenId)>,
    /// As of when the lease says that all is known.
    as_of: Option<Duration>,
    /// When all that is in question is looked at again.
    look_at: Duration,
    ended: Vec<(OpenId, Ending)>,
    last: u64,
}

/// The connections of one login that a session has on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenId {
    handle: Handle,
    number: u64,
}

/// What a store said of a session when it was asked.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// It lives, and this is how it was at that time.
    Alive(&'a Live, Duration),
    /// There was none at that time.
    Dead(Duration),
    /// It could not be asked.
    Nothing,
}

// === impl OpenConnections ===

impl OpenConnections {
    /// How long a store has for its answer after a lease has run out, by default.
    pub const GRACE: Duration = Duration::from_secs(1);

    /// The shortest time between two questions for one session.
    pub const PACE: Duration = Duration::from_millis(100);

    /// None is open on this node, whose leases are for `term`.
    pub fn new(term: Duration) -> Self {
        Self {
            term,
            held: BTreeMap::new(),
            users: BTreeSet::new(),
            doubted: BTreeSet::new(),
            asked: BTreeSet::new(),
            wanted: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            as_of: None,
            look_at: Duration::ZERO,
            ended: Vec::new(),
            last: 0,
        }
    }

    /// Notes a connection of a session that was so as of `known`, and answers with which others
    /// it will be closed: those of the same login and patience.
    pub fn opened(&mut self, live: &Live, known: Duration, patience: Duration) -> OpenId {
        let (login, handle) = (Login::of(live), live.record.handle);
        for (id, held) in self.held.range_mut(all_of(handle)) {
            if held.login == login && held.patience == patience {
                held.connections += 1;
                return *id;
            }
        }
        self.last += 1;
        let id = OpenId {
            handle,
            number: self.last,
        };
        let held = Held::new(live, known, patience);
        if let Some(user) = login.user {
            self.users.insert((user, id));
        }
        self.deadlines.insert((held.deadline(), id));
        self.doubted.insert(id);
        self.wanted.insert((held.again(), id));
        self.held.insert(id, held);
        id
    }

    /// Notes another connection beside these, unless they are closed already.
    pub fn joined(&mut self, id: OpenId) {
        if let Some(held) = self.held.get_mut(&id) {
            held.connections += 1;
        }
    }

    /// Notes that one of these was closed by whoever has it. Answers whether none of them is open
    /// any more.
    pub fn closed(&mut self, id: OpenId) -> bool {
        let Some(held) = self.held.get_mut(&id) else {
            return true;
        };
        held.connections = held.connections.saturating_sub(1);
        let is_last = held.connections == 0;
        if is_last {
            self.forget(id);
        }
        is_last
    }

    /// Applies an event: one that was heard, or what the store acknowledged to this node.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Changed(handle) => {
                for id in self.of(*handle) {
                    self.doubt(id);
                }
            }
            Event::Revoked(tombstone) => {
                for id in self.of(tombstone.handle) {
                    self.end(id, Ending::Ended(Some(tombstone.cause)));
                }
            }
            Event::User(..) if crate::planted("open_ignores_user_entries") => {}
            Event::User(user, entry) => self.judge(user, entry),
            Event::Flush => self.flush(),
            Event::Passed(..) | Event::Roll(_) => {}
        }
    }

    /// Learns why sessions ended before the channel was opened.
    pub fn learn(&mut self, snapshot: &Snapshot) {
        if self.held.is_empty() {
            return;
        }
        for tombstone in &snapshot.revoked {
            self.hear(&Event::Revoked(*tombstone));
        }
    }

    /// Notes that anything may have happened.
    pub fn flush(&mut self) {
        let all: Vec<_> = self.held.keys().copied().collect();
        for id in all {
            self.doubt(id);
        }
    }

    /// Notes as of when all is known that was to be heard; `None` without a lease.
    pub fn trusts(&mut self, as_of: Option<Duration>) {
        if as_of.is_none() && self.as_of.is_some() {
            for held in self.held.values_mut() {
                held.remember(self.as_of);
            }
        }
        self.as_of = as_of;
    }

    /// Learns what the store said.
    pub fn said(&mut self, id: OpenId, said: Said<'_>) {
        self.asked.remove(&id);
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        match said {
            Said::Nothing => {
                held.unanswered();
                self.wanted.insert((held.again(), id));
            }
            Said::Dead(at) => {
                let cause = held.cause_of_death(at);
                self.end(id, Ending::Ended(cause));
            }
            Said::Alive(live, _) if Login::of(live) != held.login => self.end(id, Ending::Rebound),
            Said::Alive(live, at) => {
                self.deadlines.remove(&(held.deadline(), id));
                if held.alive(live, at) == Settled::Yes {
                    self.doubted.remove(&id);
                } else {
                    self.wanted.insert((held.again(), id));
                }
                self.deadlines.insert((held.deadline(), id));
            }
        }
    }

    /// Whether anything may still pass these connections: not once they are, or ought to have
    /// been, closed. A node that stood still for a while finds out by this.
    pub fn may_pass(&self, id: OpenId, now: Duration) -> bool {
        let held = self.held.get(&id);
        held.is_some_and(|held| now < held.over(self.as_of))
    }

    /// What was closed since this was last asked, and why.
    pub fn take_ended(&mut self) -> Vec<(OpenId, Ending)> {
        mem::take(&mut self.ended)
    }

    /// How many sessions have open connections, counted once for each login.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn doubt(&mut self, id: OpenId) {
        if let Some(held) = self.held.get_mut(&id) {
            if held.doubt(self.as_of) == Settled::Yes {
                self.wanted.insert((held.again(), id));
            }
            self.doubted.insert(id);
        }
    }

    fn judge(&mut self, user: &UserId, entry: &UserEntry) {
        for id in self.of_user(user) {
            let held = self.held.get_mut(&id);
            match held.map(|held| held.judge(&id.handle, entry)) {
                None | Some(Verdict::Spared) => {}
                Some(Verdict::Outdated) => self.end(id, Ending::Ended(Some(Cause::Epoch))),
                Some(Verdict::Open) => self.doubt(id),
            }
        }
    }

    fn end(&mut self, id: OpenId, ending: Ending) {
        self.forget(id);
        self.ended.push((id, ending));
    }

    fn forget(&mut self, id: OpenId) {
        self.doubted.remove(&id);
        self.asked.remove(&id);
        if let Some(held) = self.held.remove(&id) {
            self.wanted.remove(&(held.again(), id));
            self.deadlines.remove(&(held.deadline(), id));
            if let Some(user) = held.login.user {
                self.users.remove(&(user, id));
            }
        }
    }

    fn of(&self, handle: Handle) -> Vec<OpenId> {
        let held = self.held.range(all_of(handle));
        held.map(|(id, _)| *id).collect()
    }

    fn of_user(&self, user: &UserId) -> Vec<OpenId> {
        let first = *all_of(Handle::from_bytes([0; 16])).start();
        let held = self.users.range((user.clone(), first)..);
        let held = held.take_while(|(of, _)| of == user);
        held.map(|(_, id)| *id).collect()
    }
}

impl fmt::Debug for OpenConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnections")
            .field("sessions", &self.held.len())
            .field("doubted", &self.doubted.len())
            .finish_non_exhaustive()
    }
}

fn all_of(handle: Handle) -> RangeInclusive<OpenId> {
    let id = |number| OpenId { handle, number };
    id(0)..=id(u64::MAX)
}

// === impl OpenId ===

impl OpenId {
    /// The session that these are connections of.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

#[cfg(test)]
mod tests;
