//! In which order a channel is believed.

use super::*;
use crate::{
    session::{Cause, UserEntry, UserId},
    store::{ChannelKind, Tombstone},
    time::Timestamp,
};

const SHARD: StoreShard = StoreShard(0);
const HANDLE: Handle = Handle::from_bytes([1; 16]);
const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const ROOM: usize = 2;

struct Node {
    feed: Feed,
    memory: Reassert,
    horizon: Horizon,
    barriers: u64,
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A node whose channel was just opened.
fn opened() -> Node {
    let mut node = Node {
        feed: Feed::new(SHARD),
        memory: Reassert::new(Reassert::WINDOW, ROOM),
        horizon: Horizon::new(ChannelKind::Leased, Horizon::TERM, 1),
        barriers: 0,
    };
    node.feed.opened(&node.horizon);
    node
}

/// A node with a lease as of 100 ms.
fn trusted() -> Node {
    let mut node = opened();
    node.snapshot(&Snapshot::default(), 50).expect("room");
    node.barrier(100);
    assert_eq!(node.condition(110), Condition::Trusted);
    node
}

fn tombstone(number: u8) -> Event {
    Event::Revoked(Tombstone {
        handle: Handle::from_bytes([number; 16]),
        cause: Cause::User,
        until: AT,
    })
}

fn ada() -> (UserId, UserEntry) {
    let entry = UserEntry::default().revoked(None, AT);
    (UserId::new("ada").expect("a name"), entry)
}

impl Node {
    fn snapshot(&mut self, snapshot: &Snapshot, now: u64) -> Result<(), Full> {
        self.feed
            .snapshot(snapshot, &mut self.memory, &self.horizon, millis(now))
    }

    fn begin(&mut self, sent: u64) -> BarrierId {
        self.barriers += 1;
        let id = BarrierId(self.barriers);
        self.feed.began(id, millis(sent));
        id
    }

    fn hear(&mut self, event: &Event, now: u64) -> (Act, Result<(), Full>) {
        self.feed
            .hear(event, &mut self.memory, &self.horizon, millis(now))
    }

    fn passed(&mut self, id: BarrierId, now: u64) {
        self.hear(&Event::Passed(id, AT + millis(now)), now)
            .1
            .expect("no news");
    }

    /// A barrier that passes 5 ms after it was sent.
    fn barrier(&mut self, sent: u64) {
        let id = self.begin(sent);
        self.passed(id, sent + 5);
    }

    fn condition(&self, now: u64) -> Condition {
        self.feed
            .condition(&self.memory, &self.horizon, millis(now))
    }

    fn as_of(&self) -> Option<Duration> {
        self.horizon.as_of(SHARD)
    }
}

#[test]
fn a_lease_comes_after_the_snapshot_and_a_barrier_that_began_after_it() {
    let mut node = opened();
    let early = node.begin(10);
    assert_eq!(node.condition(20), Condition::Starting);
    node.snapshot(&Snapshot::default(), 30).expect("room");
    node.passed(early, 40);
    assert_eq!(node.condition(40), Condition::Waiting, "it began before");
    node.barrier(50);
    assert_eq!(node.as_of(), Some(millis(50)));
    assert_eq!(node.condition(1_050), Condition::Waiting, "it has run out");
}

#[test]
fn a_channel_that_is_opened_again_flushes_and_starts_over() {
    let mut node = trusted();
    let (before, late) = (node.horizon.token(), node.begin(200));
    node.feed.opened(&node.horizon);
    assert!(node.horizon.flushed_since(SHARD, before));
    node.passed(late, 210);
    assert_eq!(
        (node.as_of(), node.condition(210)),
        (None, Condition::Starting)
    );
}

#[test]
fn a_channel_that_resumes_keeps_the_copies_and_has_to_pass_another_barrier() {
    let mut node = trusted();
    let (before, late) = (node.horizon.token(), node.begin(200));
    node.feed.lost(&node.horizon);
    assert_eq!(node.as_of(), None, "at once");
    node.passed(late, 210);
    assert_eq!(node.as_of(), None, "it began before the gap");
    node.barrier(300);
    assert_eq!(node.as_of(), Some(millis(300)));
    assert!(!node.horizon.flushed_since(SHARD, before));
}

#[test]
fn a_flush_that_is_heard_takes_copies_lease_and_snapshot() {
    let mut node = trusted();
    let before = node.horizon.token();
    assert_eq!(node.hear(&Event::Flush, 200), (Act::ReadSnapshot, Ok(())));
    assert!(node.horizon.flushed_since(SHARD, before));
    node.barrier(300);
    assert_eq!(node.as_of(), None, "the snapshot is to be read first");
}

#[test]
fn what_is_heard_of_a_session_is_for_its_shard_and_a_revocation_is_remembered() {
    let mut node = trusted();
    let forget = (Act::Forget(HANDLE), Ok(()));
    assert_eq!(node.hear(&Event::Changed(HANDLE), 200), forget);
    assert!(!node.memory.refuses(&HANDLE));
    assert_eq!(node.hear(&tombstone(1), 200), forget);
    assert!(node.memory.refuses(&HANDLE));
}

#[test]
fn a_revocation_of_a_user_is_noted_before_anything_else_is_heard() {
    let (mut node, (user, entry)) = (trusted(), ada());
    let before = node.horizon.token();
    let heard = node.hear(&Event::User(user.clone(), entry), 200);
    assert_eq!(heard, (Act::Nothing, Ok(())));
    assert!(node.horizon.token() > before);
    assert_eq!(node.memory.to_assert(), [Assertion::User(user, entry)]);
}

#[test]
fn a_full_memory_evicts_nothing_drops_the_lease_and_says_so_until_it_has_forgotten() {
    let mut node = trusted();
    for number in [1, 2] {
        node.hear(&tombstone(number), 200).1.expect("room");
    }
    let (act, remembered) = node.hear(&tombstone(3), 200);
    assert_eq!(
        act,
        Act::Forget(Handle::from_bytes([3; 16])),
        "all the same"
    );
    assert_eq!(remembered, Err(Full));
    assert_eq!(node.as_of(), None, "at once");
    node.barrier(300);
    assert_eq!((node.as_of(), node.condition(310)), (None, Condition::Full));
    assert!(node.memory.refuses(&HANDLE), "nothing was evicted");
    let later = 201 + u64::try_from(Reassert::WINDOW.as_millis()).expect("minutes");
    node.barrier(later);
    assert_eq!(node.condition(later), Condition::Trusted);
}

#[test]
fn a_snapshot_for_which_there_is_no_room_costs_no_lease() {
    let mut node = opened();
    let mut snapshot = Snapshot::default();
    for number in 1..=3 {
        let Event::Revoked(tombstone) = tombstone(number) else {
            unreachable!("it is one");
        };
        snapshot.revoked.push(tombstone);
    }
    assert_eq!(node.snapshot(&snapshot, 50), Err(Full));
    node.barrier(100);
    assert_eq!(node.condition(110), Condition::Trusted);
}

#[test]
fn a_node_that_left_trusts_nothing_whatever_its_channel_still_tells() {
    let mut node = trusted();
    node.feed.left();
    node.feed.lost(&node.horizon);
    assert_eq!(node.as_of(), None, "at once");
    node.barrier(200);
    let (act, _) = node.hear(&Event::Flush, 210);
    assert_eq!(act, Act::ReadSnapshot);
    node.snapshot(&Snapshot::default(), 220).expect("room");
    node.barrier(300);
    assert_eq!((node.as_of(), node.condition(310)), (None, Condition::Left));
}

#[test]
fn a_full_memory_takes_the_leases_of_all_shards_at_once() {
    let mut node = opened();
    let other = StoreShard(1);
    node.horizon = Horizon::new(ChannelKind::Leased, Horizon::TERM, 2);
    node.horizon.trust(other, Some(millis(10)));
    for number in [1, 2, 3] {
        let is_full = node.hear(&tombstone(number), 50).1.is_err();
        assert_eq!(is_full, number == 3);
        assert_eq!(node.horizon.as_of(other).is_none(), is_full);
    }
}

#[test]
fn of_the_users_in_a_snapshot_those_revoked_within_the_window_are_remembered() {
    let (mut node, (user, entry)) = (opened(), ada());
    let mut snapshot = Snapshot {
        users: vec![(user, entry)],
        now: AT + Reassert::WINDOW,
        ..Snapshot::default()
    };
    node.snapshot(&snapshot, 50).expect("room");
    assert_eq!(node.memory.len(), 1);
    node.memory = Reassert::new(Reassert::WINDOW, ROOM);
    snapshot.now = snapshot.now + millis(1);
    node.snapshot(&snapshot, 50).expect("room");
    assert_eq!(node.memory.len(), 0);
}

#[test]
fn a_refused_heartbeat_ends_reads_through_until_one_is_taken() {
    let mut node = trusted();
    node.feed.refused(&node.horizon);
    assert!(node.horizon.is_refused(SHARD));
    node.feed.opened(&node.horizon);
    assert!(
        node.horizon.is_refused(SHARD),
        "a connection is no authority"
    );
    assert_eq!(node.condition(200), Condition::Refused);
    node.snapshot(&Snapshot::default(), 210).expect("room");
    node.barrier(300);
    assert!(!node.horizon.is_refused(SHARD));
    assert_eq!(node.condition(310), Condition::Trusted);
}

#[test]
fn a_clock_that_ran_slow_has_no_lease_and_says_so() {
    let mut node = trusted();
    let id = node.begin(400);
    let passed = Event::Passed(id, AT + millis(9_000));
    node.hear(&passed, 405).1.expect("no news");
    assert_eq!(
        (node.as_of(), node.condition(405)),
        (None, Condition::ClockSlow)
    );
}

#[test]
fn a_validated_channel_is_believed_as_of_when_it_was_asked() {
    let mut node = opened();
    node.horizon = Horizon::new(ChannelKind::ValidatedPerRead, Duration::ZERO, 1);
    node.feed.opened(&node.horizon);
    node.feed.validated(millis(10), &node.memory, &node.horizon);
    assert_eq!(node.as_of(), None, "the snapshot was not read");
    node.snapshot(&Snapshot::default(), 20).expect("room");
    node.feed.validated(millis(30), &node.memory, &node.horizon);
    assert_eq!(node.as_of(), Some(millis(30)));
}

#[test]
fn a_barrier_that_does_not_pass_is_overdue() {
    let mut node = trusted();
    node.begin(400);
    assert!(!node.feed.is_overdue(millis(600), millis(999)));
    assert!(node.feed.is_overdue(millis(600), millis(1_000)));
}
