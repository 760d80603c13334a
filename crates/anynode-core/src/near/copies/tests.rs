//! What goes first, and what is counted.

use super::*;
use crate::{session::record::tests::draft, time::Timestamp};
use std::collections::BTreeMap;

const WIDE: Bounds = Bounds {
    copies_max: 1_000,
    bytes_max: 1 << 20,
};

fn handle(number: u16) -> Handle {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    Handle::from_bytes(bytes)
}

fn slot(number: u16, payload: usize) -> Slot {
    let mut draft = draft(1);
    draft.payload = crate::session::Payload::new(vec![0; payload]);
    let packed = Packed::of(&draft.live(Timestamp::from_millis(5), None));
    let zero = Nanos::of(Duration::ZERO);
    Slot::new(handle(number), packed, None, Token(0), zero, zero)
}

fn filled(bounds: Bounds, numbers: impl Iterator<Item = u16>) -> Copies {
    let mut copies = Copies::new(bounds);
    numbers.for_each(|number| copies.insert(slot(number, 10)));
    copies
}

fn room_for(copies_max: usize) -> Bounds {
    Bounds { copies_max, ..WIDE }
}

#[test]
fn a_copy_is_found_until_it_is_removed() {
    let mut copies = filled(WIDE, 0..500);
    assert!((0..500).all(|number| copies.find(&handle(number)).is_some()));
    (0..250).for_each(|number| copies.remove(&handle(number)));
    assert!((0..250).all(|number| copies.find(&handle(number)).is_none()));
    assert!((250..500).all(|number| copies.find(&handle(number)).is_some()));
    assert_eq!(copies.len(), 250);
}

#[test]
fn neither_more_copies_nor_more_bytes_are_kept_than_allowed() {
    assert_eq!(filled(room_for(7), 0..100).len(), 7);
    let bytes_max = slot(0, 10).bytes() * 5 + 1;
    let mut copies = filled(Bounds { bytes_max, ..WIDE }, 0..100);
    assert_eq!(copies.len(), 5);
    copies.insert(slot(200, 500));
    assert!(copies.bytes() <= bytes_max);
    assert!(copies.find(&handle(200)).is_some());
    copies.insert(slot(200, bytes_max));
    assert!(copies.find(&handle(200)).is_none(), "larger than all room");
}

#[test]
fn bytes_are_counted_through_every_change() {
    let mut copies = filled(WIDE, 0..3);
    copies.insert(slot(1, 300));
    copies.insert(slot(2, 0));
    let expected = slot(0, 10).bytes() + slot(1, 300).bytes() + slot(2, 0).bytes();
    assert_eq!(copies.bytes(), expected);
    (0..3).for_each(|number| copies.remove(&handle(number)));
    assert_eq!((copies.len(), copies.bytes()), (0, 0));
}

#[test]
fn what_was_used_stays_and_what_was_not_goes_oldest_first() {
    let mut copies = filled(room_for(4), 0..4);
    copies.find(&handle(0)).expect("kept").mark_used();
    copies.insert(slot(10, 10));
    assert!(copies.find(&handle(0)).is_some(), "proven");
    assert!(copies.find(&handle(1)).is_none(), "the oldest on trial");
    assert!(copies.find(&handle(2)).is_some());
}

#[test]
fn a_crawler_evicts_no_proven_copy_beyond_the_quarter_on_trial() {
    let mut copies = filled(room_for(100), 0..100);
    (0..100).for_each(|number| copies.find(&handle(number)).expect("kept").mark_used());
    (1_000..9_000).for_each(|number| copies.insert(slot(number, 10)));
    let kept = (0..100).filter(|number| copies.find(&handle(*number)).is_some());
    assert_eq!(kept.count(), 75);
}

#[test]
fn places_are_used_again_and_rows_stay_whole_under_any_order_of_acts() {
    let (mut copies, mut model) = (Copies::new(room_for(50)), BTreeMap::new());
    let mut state = 7_u32;
    for _ in 0..20_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, _, number, act] = state.to_be_bytes();
        let number = u16::from(number % 120);
        match act % 4 {
            0 => copies.remove(&handle(number)),
            1 => {
                let found = copies.find(&handle(number));
                found.into_iter().for_each(Slot::mark_used);
            }
            _ => {
                copies.insert(slot(number, 10));
                model.insert(number, ());
            }
        }
        let found = model
            .keys()
            .filter(|key| copies.find(&handle(**key)).is_some());
        assert_eq!(found.count(), copies.len());
    }
    assert!(copies.slots.len() <= 50);
}
