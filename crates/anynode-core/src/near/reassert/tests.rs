//! What a node remembers of revocations, and for how long.

use super::*;
use crate::{
    session::{Binding, Cause, Epoch, record::tests::draft},
    time::Timestamp,
};

const WINDOW: Duration = Duration::from_secs(600);
const ZERO: Duration = Duration::ZERO;
const NOW: Timestamp = Timestamp::from_millis(1_000);

fn second(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn memory() -> Reassert {
    Reassert::new(WINDOW, 3)
}

fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; 16])
}

fn session(number: u8) -> Assertion {
    Assertion::Session(Tombstone {
        handle: handle(number),
        cause: Cause::User,
        until: NOW + WINDOW,
    })
}

fn ada() -> UserId {
    UserId::new("ada").expect("a name")
}

fn entry(epoch: u64, spared: Option<Handle>) -> UserEntry {
    UserEntry {
        epoch: Epoch::from_micros(epoch),
        spared: spared.map(|handle| crate::session::Spared {
            handle,
            from: Epoch::ZERO,
        }),
    }
}

fn bound(number: u8, stamp: u64) -> Record {
    let stamp = Epoch::from_micros(stamp);
    let mut record = draft(number).settle(NOW, Epoch::ZERO);
    record.binding = Some(Binding { user: ada(), stamp });
    record
}

#[test]
fn a_revoked_session_is_refused_for_a_window_after_it_was_last_heard() {
    let mut memory = memory();
    memory.heard(session(1), ZERO).expect("room");
    memory.heard(session(1), second(10)).expect("room");
    memory.forget(second(609));
    assert!(memory.refuses(&handle(1)));
    assert!(!memory.refuses(&handle(2)));
    memory.forget(second(610));
    assert!(!memory.refuses(&handle(1)));
}

#[test]
fn sessions_of_a_revoked_user_are_refused_but_the_spared_one_and_later_ones() {
    let mut memory = memory();
    let spared = bound(1, 5).handle;
    let all_but = Assertion::User(ada(), entry(7, Some(spared)));
    memory.heard(all_but, ZERO).expect("room");
    assert!(!memory.refuses_record(&bound(1, 5)));
    assert!(memory.refuses_record(&bound(2, 5)));
    assert!(!memory.refuses_record(&bound(2, 7)));
    assert!(
        !memory.refuses_record(&bound(2, 9)),
        "after one not heard of"
    );
}

/// A node missed the second revocation of a user, and refused everybody who logged in as them
/// after it, until it forgot the first.
#[test]
fn a_session_stamped_by_an_entry_that_was_never_heard_is_not_refused() {
    let mut memory = memory();
    let first = Assertion::User(ada(), entry(7, None));
    memory.heard(first, ZERO).expect("room");
    assert!(!memory.refuses_record(&bound(1, 9)));
    assert!(memory.refuses_record(&bound(1, 5)));
}

fn stone(number: u8) -> Tombstone {
    match session(number) {
        Assertion::Session(stone) => stone,
        Assertion::User(..) => panic!("a session"),
    }
}

#[test]
fn what_was_revoked_while_nothing_was_heard_is_read_and_remembered() {
    let mut memory = Reassert::new(WINDOW, 6);
    let bob = UserId::new("bob").expect("a name");
    let snapshot = Snapshot {
        revoked: vec![stone(1)],
        users: vec![
            (ada(), entry(900_000_000, None)),
            (bob, entry(399_999_999, None)),
        ],
        now: Timestamp::from_millis(1_000_000),
    };
    memory.recall(&snapshot, second(1)).expect("room");
    assert!(memory.refuses(&handle(1)) && memory.refuses_record(&bound(2, 5)));
    assert_eq!(memory.len(), 2, "an old entry is no news");
    memory.forget(second(601));
    assert!(memory.is_empty());
}

#[test]
fn what_is_read_leaves_room_for_what_is_heard() {
    let mut memory = Reassert::new(WINDOW, 4);
    let snapshot = Snapshot {
        revoked: (1..=3).map(stone).collect(),
        ..Snapshot::default()
    };
    assert_eq!(memory.recall(&snapshot, ZERO), Err(Full));
    assert!(memory.is_complete(ZERO), "the store refuses the others");
    assert_eq!(memory.len(), 2);
    memory.heard(session(4), ZERO).expect("room");
    memory.heard(session(5), ZERO).expect("room");
}

fn numbered(number: u32) -> Tombstone {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    let handle = Handle::from_bytes(bytes);
    Tombstone { handle, ..stone(1) }
}

/// Every tombstone that did not fit had all that was remembered looked through: a node with many
/// of them stood still for minutes whenever its channel had a gap.
#[test]
fn a_million_tombstones_are_recalled_without_looking_through_all_for_each() {
    let mut memory = Reassert::new(WINDOW, Reassert::CAPACITY);
    let snapshot = Snapshot {
        revoked: (0..1_000_000).map(numbered).collect(),
        ..Snapshot::default()
    };
    memory
        .recall(&snapshot, ZERO)
        .expect_err("half of the room");
    // As old as can be at the next gap, so that there is something to look for.
    memory
        .recall(&snapshot, WINDOW)
        .expect_err("half of the room");
    assert_eq!(memory.len(), Reassert::CAPACITY / 2);
    assert!(memory.scans <= 2, "{} times", memory.scans);
}

#[test]
fn a_full_memory_is_looked_through_now_and_then_only() {
    let mut memory = Reassert::new(WINDOW, 600);
    // One a second fills it in a window; four a second are more than there is room for, and one
    // of those that are remembered is always just too old.
    let hear = |memory: &mut Reassert, number: u32, at: u64| {
        let heard = Assertion::Session(numbered(number));
        memory.heard(heard, Duration::from_millis(at)).is_ok()
    };
    assert!((0..600).all(|number| hear(&mut memory, number, 1_000 * u64::from(number))));
    let later = (0..2_400).map(|number| (1_000 + number, 600_000 + 250 * u64::from(number)));
    let heard = later.filter(|(number, at)| hear(&mut memory, *number, *at));
    assert!(heard.count() > 550, "room is found again");
    assert!(memory.scans <= SCANS_A_WINDOW + 1, "{} times", memory.scans);
}

#[test]
fn the_later_entry_of_a_user_is_recalled_where_there_is_no_room() {
    let mut memory = Reassert::new(WINDOW, 2);
    let old = Assertion::User(ada(), entry(7, None));
    memory.heard(old, ZERO).expect("room");
    let bob = UserId::new("bob").expect("a name");
    let snapshot = Snapshot {
        users: vec![(bob, entry(8, None)), (ada(), entry(9, None))],
        ..Snapshot::default()
    };
    assert_eq!(memory.recall(&snapshot, second(1)), Err(Full));
    assert!(memory.refuses_record(&bound(1, 8)));
}

#[test]
fn the_later_entry_of_a_user_counts_in_whichever_order_they_are_heard() {
    for order in [[5, 7], [7, 5]] {
        let mut memory = memory();
        for epoch in order {
            let entry = Assertion::User(ada(), entry(epoch, None));
            memory.heard(entry, ZERO).expect("room");
        }
        assert!(memory.refuses_record(&bound(1, 5)));
        assert!(!memory.refuses_record(&bound(1, 7)));
    }
}

#[test]
fn everything_remembered_is_written_again_after_a_fail_over() {
    let mut memory = memory();
    let user = Assertion::User(ada(), entry(7, None));
    memory.heard(session(1), ZERO).expect("room");
    memory.heard(user.clone(), ZERO).expect("room");
    assert_eq!(memory.to_assert(), [session(1), user]);
    assert_eq!(memory.owed(), []);
}

#[test]
fn a_full_memory_evicts_nothing_and_says_so_for_a_window() {
    let mut memory = memory();
    for number in 1..=3 {
        memory.heard(session(number), second(1)).expect("room");
    }
    assert_eq!(memory.heard(session(4), second(2)), Err(Full));
    assert_eq!(
        memory.heard(session(3), second(2)),
        Ok(()),
        "it is there already"
    );
    assert!((1..=3).all(|number| memory.refuses(&handle(number))));
    assert!(!memory.is_complete(second(601)));
    assert!(memory.is_complete(second(602)));
    assert_eq!(memory.heard(session(4), second(601)), Ok(()), "one was old");
}

#[test]
fn what_is_owed_is_remembered_until_it_is_settled_or_dead() {
    let mut memory = memory();
    memory.owe(session(1), second(10_000), ZERO).expect("room");
    memory.owe(session(2), second(700), ZERO).expect("room");
    memory.forget(second(700));
    assert_eq!(memory.owed(), [session(1)]);
    memory.settle(&session(1), second(800));
    assert_eq!(memory.owed(), []);
    assert!(memory.refuses(&handle(1)), "it has been heard");
    memory.forget(second(1_400));
    assert!(memory.is_empty());
}

#[test]
fn hearing_of_an_owed_revocation_does_not_settle_it() {
    let mut memory = memory();
    memory.owe(session(1), second(10_000), ZERO).expect("room");
    memory.heard(session(1), second(1)).expect("room");
    assert_eq!(memory.owed(), [session(1)]);
}

#[test]
fn an_earlier_entry_of_a_user_settles_no_later_one() {
    let mut memory = memory();
    let owed = |epoch| Assertion::User(ada(), entry(epoch, None));
    memory.owe(owed(7), second(10_000), ZERO).expect("room");
    memory.settle(&owed(5), ZERO);
    assert_eq!(memory.owed(), [owed(7)]);
    memory.settle(&owed(7), ZERO);
    assert_eq!(memory.owed(), []);
}

#[test]
fn what_either_history_of_a_user_ended_is_refused_and_owed_in_one() {
    let (all, but_one) = (entry(6, None), entry(7, Some(handle(1))));
    for order in [[all, but_one], [but_one, all]] {
        let mut memory = memory();
        for entry in order {
            let entry = Assertion::User(ada(), entry);
            memory.owe(entry, second(10_000), ZERO).expect("room");
        }
        assert!(memory.refuses_record(&bound(1, 5)), "spared by one alone");
        assert!(!memory.refuses_record(&bound(1, 6)));
        for entry in order {
            memory.settle(&Assertion::User(ada(), entry), ZERO);
        }
        let both = Assertion::User(ada(), all.merged(but_one));
        assert_eq!(
            memory.owed(),
            std::slice::from_ref(&both),
            "neither is all of it"
        );
        memory.settle(&both, ZERO);
        assert_eq!(memory.owed(), []);
    }
}
