//! What one server of the store keeps, and what each verb does to it.
//!
//! Stores decide by the rules of the crate, as the real ones do. Beside the data lie the marks
//! that the judge goes by: which write made a record, and as of which revocation of its user.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    Cause, Draft, Epoch, Event, Handle, Live, Origin, Record, Replace, Timestamp, Tombstone, Touch,
    UserEntry, UserId, Version, expiry,
    near::Assertion,
    store::{Kept, replace},
};

use crate::{
    plan::{At, Plan},
    verb::{Change, Deed, Ended, Performed, Reply, Verb},
};

/// The name of a write, unique in a run.
pub(crate) type Id = u64;

/// The most sessions and users of a run.
pub(crate) const SESSIONS: usize = 8;
pub(crate) const USERS: usize = 2;

/// A place for a record.
#[derive(Clone, Debug, Default)]
pub(crate) enum Slot {
    #[default]
    Absent,
    Kept {
        record: Arc<Record>,
        idle: Timestamp,
        since: At,
    },
    Buried(Tombstone),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    slots: [Slot; SESSIONS],
    users: [Ended; USERS],
}

/// The store's clock when a run begins.
const BEGIN: u64 = 1_790_000_000_000;

pub(crate) fn store_time(now: At) -> Timestamp {
    Timestamp::from_millis(BEGIN + now / 1_000)
}

/// The last true time at which the store's clock says this.
pub(crate) fn true_time(at: Timestamp) -> At {
    (at.as_millis().saturating_sub(BEGIN))
        .saturating_mul(1_000)
        .saturating_add(999)
}

pub(crate) fn handle(session: usize) -> Handle {
    Handle::from_bytes([u8::try_from(session + 1).unwrap(); 16])
}

pub(crate) fn session_of(handle: &Handle) -> usize {
    usize::from(handle.as_bytes()[0]) - 1
}

pub(crate) fn user(user: usize) -> UserId {
    UserId::new(["ada", "bob"][user]).unwrap()
}

pub(crate) fn user_number(user: &UserId) -> usize {
    usize::from(user.as_str() == "bob")
}

// === impl Shelf ===

impl Shelf {
    /// Performs a verb. `moment` is greater at each call of a run.
    pub(crate) fn perform(&mut self, verb: Verb, moment: At, plan: &Plan) -> Performed {
        let now = store_time(moment);
        match verb {
            Verb::Load(session) => Performed::of(Reply::Loaded(self.load(session, now, plan))),
            Verb::Entry(user) => Performed::of(Reply::Entry(self.users[user])),
            Verb::Create(draft) => self.create(&draft, now),
            Verb::Replace(base, draft, read) => self.replace(&base, &draft, read, now, plan),
            Verb::Touch(batch) => self.touch(&batch, now),
            Verb::Revoke(id, session) => self.bury(id, session, now),
            Verb::RevokeUser(id, user, spared) => self.revoke_user(id, user, spared, moment),
            Verb::Assert(id, Assertion::Session(stone)) => {
                self.bury(id, session_of(&stone.handle), now)
            }
            Verb::Assert(..) => unreachable!("it is asserted with what is known of it"),
            Verb::Remove(id, session) => self.put(session, Slot::Absent, id),
        }
    }

    /// Writes a user's entry again, together with the one that is there.
    pub(crate) fn assert_user(&mut self, number: usize, id: Id, asserted: Ended) -> Performed {
        let kept = self.users[number];
        let entry = kept.entry.merged(asserted.entry);
        let reply = Reply::Revoked(Assertion::User(user(number), asserted.entry));
        if entry == kept.entry {
            return Performed::of(reply);
        }
        let moment = kept.moment.max(asserted.moment);
        self.users[number] = Ended { entry, moment };
        let spared = asserted.entry.spared;
        let from = spared.map_or(0, |spared| spared.from.as_micros());
        let ended = |moment, spared| Deed::EndedUser {
            id,
            user: number,
            moment,
            spared,
        };
        Performed {
            reply,
            event: Some(Event::User(user(number), entry)),
            deeds: vec![
                ended(
                    asserted.moment,
                    spared.map(|spared| session_of(&spared.handle)),
                ),
                // Sparing from a stamp on, it includes the revocation that gave that stamp.
                ended(from.saturating_sub(BEGIN * 1_000), None),
            ],
            change: vec![Change::User(number, self.users[number])],
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Slot(session, slot) => self.slots[session] = slot,
            Change::User(user, ended) => self.users[user] = ended,
        }
    }

    /// When the last revocation of a user was executed.
    pub(crate) fn moment_of(&self, user: usize) -> At {
        self.users[user].moment
    }

    pub(crate) fn tombstones(&self) -> impl Iterator<Item = Tombstone> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Buried(stone) => Some(*stone),
            Slot::Absent | Slot::Kept { .. } => None,
        })
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (UserId, UserEntry)> {
        let users = (0..).zip(self.users);
        let known = users.filter(|(_, ended)| ended.entry.epoch > Epoch::ZERO);
        known.map(|(number, ended)| (user(number), ended.entry))
    }

    /// The entry of a record's user, if it is on this part of the store.
    fn entry_of(&self, record: &Record, plan: &Plan) -> Option<UserEntry> {
        let number = record.user().map(user_number)?;
        let here = plan.part_of(number) == plan.part_of(session_of(&record.handle));
        here.then(|| self.users[number].entry)
    }

    fn load(&self, session: usize, now: Timestamp, plan: &Plan) -> Option<Live> {
        let Slot::Kept { record, idle, .. } = &self.slots[session] else {
            return None;
        };
        let entry = self.entry_of(record, plan);
        // What is known of a user elsewhere is for whoever reads both.
        let is_over = record.deadline.min(*idle) <= now;
        let outdates = |entry: &UserEntry| !expiry::stamp_is_good(record, Some(entry));
        if is_over || entry.as_ref().is_some_and(outdates) {
            return None;
        }
        Some(Live {
            record: record.clone(),
            idle_deadline: *idle,
            user: entry,
            now,
            origin: Origin::Followed,
        })
    }

    fn create(&mut self, draft: &Draft, now: Timestamp) -> Performed {
        let session = session_of(&draft.handle);
        if !matches!(self.slots[session], Slot::Absent) {
            return Performed::of(Reply::Written(Replace::Gone));
        }
        Performed {
            event: None,
            ..self.wrote(session, draft.live(now, None), 0)
        }
    }

    fn replace(
        &mut self,
        base: &Version,
        draft: &Draft,
        read: Option<Ended>,
        now: Timestamp,
        plan: &Plan,
    ) -> Performed {
        let session = session_of(&draft.handle);
        let Slot::Kept {
            record,
            idle,
            since,
        } = &self.slots[session]
        else {
            return Performed::of(Reply::Written(Replace::Gone));
        };
        let (record, idle, since) = (record.clone(), *idle, *since);
        let number = draft.user.as_ref().map(user_number);
        let here = number.map(|number| plan.part_of(number) == plan.part_of(session));
        let ended = match here {
            Some(true) => number.map(|number| self.users[number]),
            _ => read,
        };
        let stamp = record.binding.as_ref().map(|binding| binding.stamp);
        // On a cluster a write that binds nobody keeps its stamp, and is judged by it.
        let keeps = here == Some(false) && read.is_none();
        let entry = match (keeps, stamp) {
            (true, Some(epoch)) => Some(UserEntry {
                epoch,
                spared: None,
            }),
            _ => ended.map(|ended| ended.entry),
        };
        let user = record.binding.as_ref().and(entry);
        let kept = Kept {
            record,
            idle_deadline: idle,
            user,
        };
        match replace(Some(kept), base, draft, now, |_| entry) {
            Replace::Replaced(mut live) if keeps => {
                live.user = None;
                self.wrote(session, live, since)
            }
            Replace::Replaced(live) => {
                self.wrote(session, live, ended.map_or(0, |ended| ended.moment))
            }
            other => Performed::of(Reply::Written(other)),
        }
    }

    fn touch(&mut self, batch: &[Touch], now: Timestamp) -> Performed {
        let mut performed = Performed::of(Reply::Touched);
        for touch in batch {
            let session = session_of(&touch.handle);
            let slot = &mut self.slots[session];
            let Slot::Kept { record, idle, .. } = slot else {
                continue;
            };
            if *idle <= now {
                continue;
            }
            *idle = expiry::touched(record, *idle, now, touch.age);
            let until = *idle;
            performed.deeds.push(Deed::Touched { session, until });
            performed.change.push(Change::Slot(session, slot.clone()));
        }
        performed
    }

    fn bury(&mut self, id: Id, session: usize, now: Timestamp) -> Performed {
        let stone = Tombstone {
            handle: handle(session),
            cause: Cause::User,
            until: now + Duration::from_secs(3_600),
        };
        let reply = Reply::Revoked(Assertion::Session(stone));
        Performed {
            reply,
            event: Some(Event::Revoked(stone)),
            ..self.put(session, Slot::Buried(stone), id)
        }
    }

    fn revoke_user(
        &mut self,
        id: Id,
        number: usize,
        spared: Option<usize>,
        moment: At,
    ) -> Performed {
        let mut entry = self.users[number].entry;
        entry = entry.revoked(spared.map(handle), store_time(moment));
        // As finely as stores tell the time, so that no two histories give the same epoch.
        entry.epoch = Epoch::from_micros(BEGIN * 1_000 + moment);
        let ended = Ended { entry, moment };
        self.users[number] = ended;
        Performed {
            reply: Reply::Revoked(Assertion::User(user(number), entry)),
            event: Some(Event::User(user(number), entry)),
            deeds: vec![Deed::EndedUser {
                id,
                user: number,
                moment,
                spared,
            }],
            change: vec![Change::User(number, ended)],
        }
    }

    fn wrote(&mut self, session: usize, live: Live, since: At) -> Performed {
        let slot = Slot::Kept {
            record: live.record.clone(),
            idle: live.idle_deadline,
            since,
        };
        self.slots[session] = slot.clone();
        let id = id_of(&live.record.version);
        Performed {
            reply: Reply::Written(Replace::Replaced(live.clone())),
            event: Some(Event::Changed(handle(session))),
            deeds: vec![Deed::Wrote { id, live, since }],
            change: vec![Change::Slot(session, slot)],
        }
    }

    fn put(&mut self, session: usize, slot: Slot, id: Id) -> Performed {
        self.slots[session] = slot.clone();
        Performed {
            reply: Reply::Done,
            event: Some(Event::Changed(handle(session))),
            deeds: vec![Deed::Ended { id, session }],
            change: vec![Change::Slot(session, slot)],
        }
    }
}

/// Which write made this version.
pub(crate) fn id_of(version: &Version) -> Id {
    Id::from_be_bytes(*version.write.as_bytes())
}
