//! When a roll is done, and what is claimed then.

use super::*;
use crate::time::Timestamp;

const TERM: Duration = Duration::from_secs(1);
const ROLL: RollId = RollId(7);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).expect("a name of letters")
}

fn entry(name: &str, answered: Option<u64>) -> NodeEntry {
    NodeEntry {
        node: node(name),
        heartbeat_at: Timestamp::from_millis(1),
        answered: answered.map(RollId),
    }
}

/// A roll that was called at once.
fn called() -> Confirmation {
    let mut confirmation = Confirmation::new(TERM, Duration::ZERO);
    assert_eq!(confirmation.next(Duration::ZERO), Step::Call);
    confirmation.called(Some(Roll::Called(ROLL)), Duration::ZERO);
    confirmation
}

/// A roll to which `b` of two nodes does not answer.
fn without_b() -> Confirmation {
    let mut confirmation = called();
    let entries = [entry("a", Some(7)), entry("b", None)];
    confirmation.looked(Some(&entries), millis(1));
    confirmation
}

/// The receipt, where the last questions are not answered.
fn receipt(confirmation: &mut Confirmation, now: Duration) -> Receipt {
    for _ in 0..3 {
        match confirmation.next(now) {
            Step::Look => confirmation.looked(None, now),
            Step::Inspect => confirmation.inspected(None, now),
            Step::Done(receipt) => return receipt,
            other => panic!("it is not done: {other:?}"),
        }
    }
    panic!("it asks on and on");
}

fn is_done(confirmation: &Confirmation, now: Duration) -> bool {
    matches!(confirmation.next(now), Step::Done(_))
}

#[test]
fn when_everybody_has_answered_it_is_done() {
    let mut confirmation = called();
    assert_eq!(confirmation.next(Duration::ZERO), Step::Rest(LOOK_FIRST));
    assert_eq!(confirmation.next(LOOK_FIRST), Step::Look);
    let entries = [entry("a", Some(7)), entry("b", None), entry("c", None)];
    confirmation.looked(Some(&entries), millis(1));
    assert!(!is_done(&confirmation, millis(1)));
    let entries = [entry("b", Some(9)), entry("c", Some(7))];
    confirmation.looked(Some(&entries), millis(2));
    let receipt = receipt(&mut confirmation, millis(2));
    assert_eq!(receipt.proof, Proof::Confirmed);
    assert_eq!(receipt.to_string(), "3 of 3 nodes, 2 ms");
    assert!(receipt.is_proven());
}

#[test]
fn an_answer_to_an_earlier_call_confirms_nothing() {
    let mut confirmation = called();
    confirmation.looked(Some(&[entry("a", Some(6))]), millis(1));
    assert!(!is_done(&confirmation, millis(1)));
    confirmation.looked(Some(&[entry("a", Some(7))]), millis(2));
    assert_eq!(
        receipt(&mut confirmation, millis(2)).proof,
        Proof::Confirmed
    );
}

#[test]
fn who_is_counted_is_settled_by_the_first_look() {
    let mut confirmation = without_b();
    let entries = [entry("a", Some(7)), entry("c", None)];
    confirmation.looked(Some(&entries), millis(2));
    confirmation.inspected(Some(Deposed::Never), millis(300));
    let nodes = receipt(&mut confirmation, millis(2_000)).nodes;
    let nodes = nodes.expect("they are known");
    assert_eq!(nodes.confirmed, [node("a")]);
    assert_eq!(nodes.missing, [node("b")], "it fell silent");
}

#[test]
fn whoever_does_not_answer_is_waited_for_until_the_bound_and_not_longer() {
    let mut confirmation = without_b();
    confirmation.inspected(Some(Deposed::Never), millis(250));
    let lease = TERM * 100 / 99;
    assert!(!is_done(&confirmation, lease), "this clock may run fast");
    let bound = lease * 100 / 99 + millis(1);
    let receipt = receipt(&mut confirmation, bound);
    assert!(matches!(receipt.proof, Proof::Bound(it) if it > lease && it <= bound));
    assert_eq!(
        receipt.to_string(),
        "1 of 2 nodes (not b), 1022 ms; the bound of 1020 ms has passed, so that no node may \
         still serve it"
    );
}

#[test]
fn the_bound_counts_how_long_a_deposed_primary_answers() {
    let mut confirmation = without_b();
    let deposed = Deposed::Within(Duration::from_secs(4));
    confirmation.inspected(Some(deposed), millis(250));
    assert!(!is_done(&confirmation, Duration::from_secs(5)));
    let receipt = receipt(&mut confirmation, millis(5_200));
    assert!(matches!(receipt.proof, Proof::Bound(bound) if bound > Duration::from_secs(5)));
}

#[test]
fn where_nothing_bounds_a_deposed_primary_nothing_is_claimed() {
    for (deposed, expected) in [
        (Some(Deposed::Unbounded), Proof::Unbounded),
        (None, Proof::Unknown),
    ] {
        let mut confirmation = without_b();
        confirmation.inspected(deposed, millis(250));
        let receipt = receipt(&mut confirmation, millis(1_100));
        assert_eq!(receipt.proof, expected);
        assert!(!receipt.is_proven());
        assert!(receipt.to_string().contains("may still serve"), "{receipt}");
    }
}

#[test]
fn a_store_that_says_nothing_is_asked_again_and_then_only_the_bound_is_claimed() {
    let mut confirmation = Confirmation::new(TERM, Duration::ZERO);
    confirmation.called(None, millis(10));
    assert_eq!(confirmation.next(millis(10)), Step::Rest(AGAIN));
    assert_eq!(confirmation.next(millis(60)), Step::Call);
    confirmation.called(Some(Roll::Called(ROLL)), millis(60));
    confirmation.looked(None, millis(70));
    confirmation.inspected(Some(Deposed::Never), millis(300));
    let receipt = receipt(&mut confirmation, millis(1_100));
    assert_eq!(receipt.nodes, None);
    let text = receipt.to_string();
    assert!(text.starts_with("it is not known which nodes"), "{text}");
    assert!(text.ends_with("no node may still serve it"), "{text}");
}

#[test]
fn where_every_read_asks_there_is_nothing_to_wait_for() {
    let mut confirmation = Confirmation::new(TERM, Duration::ZERO);
    confirmation.called(Some(Roll::Validated), Duration::ZERO);
    assert_eq!(confirmation.next(Duration::ZERO), Step::Look, "to count");
    let entries = [entry("a", None), entry("b", None)];
    let mut unseen = Confirmation::new(TERM, Duration::ZERO);
    unseen.called(Some(Roll::Validated), Duration::ZERO);
    confirmation.looked(Some(&entries), millis(1));
    unseen.looked(None, millis(1));
    for (mut confirmation, expected) in [
        (
            confirmation,
            "nothing to confirm: 2 nodes ask the store at every read, 1 ms",
        ),
        (
            unseen,
            "nothing to confirm: nodes ask the store at every read, 1 ms",
        ),
    ] {
        let receipt = receipt(&mut confirmation, millis(1));
        assert_eq!(receipt.proof, Proof::Validated);
        assert_eq!(receipt.to_string(), expected);
        let missing = receipt.nodes.map(|nodes| nodes.missing);
        assert!(missing.unwrap_or_default().is_empty());
    }
}

#[test]
fn where_nobody_keeps_copies_nobody_is_waited_for() {
    let mut confirmation = called();
    confirmation.looked(Some(&[]), millis(1));
    let receipt = receipt(&mut confirmation, millis(1));
    assert_eq!(receipt.to_string(), "no node keeps copies, 1 ms");
}

#[test]
fn those_who_are_silent_are_asked_again_and_how_often_does_not_depend_on_their_number() {
    let mut confirmation = without_b();
    let (mut calls, mut looks, mut inspections) = (1, 1, 0);
    let mut now = millis(1);
    loop {
        match confirmation.next(now) {
            Step::Call => {
                calls += 1;
                confirmation.called(Some(Roll::Called(RollId(100))), now);
            }
            Step::Look => {
                looks += 1;
                confirmation.looked(Some(&[entry("b", None)]), now);
            }
            Step::Inspect => {
                inspections += 1;
                confirmation.inspected(Some(Deposed::Never), now);
            }
            Step::Rest(rest) => {
                assert!(!rest.is_zero(), "it would spin");
                now += rest;
            }
            Step::Done(_) => break,
        }
    }
    assert_eq!((calls, inspections), (5, 1));
    assert!(looks < 50, "{looks}");
}

#[test]
fn no_step_may_take_longer_than_there_is_use_in_it() {
    let mut confirmation = without_b();
    confirmation.inspected(Some(Deposed::Never), millis(250));
    assert!(confirmation.patience(millis(300)) < millis(721));
    let after = confirmation.patience(millis(1_100));
    assert!(after > millis(1_900) && after < GRACE, "the last questions");
    assert_eq!(confirmation.patience(millis(5_000)), AGAIN);
}

/// The machine of whoever asks stood still from the call on until long after the bound.
#[test]
fn what_happened_while_the_asker_stood_still_is_asked_before_it_gives_up() {
    let late = Duration::from_secs(60);
    let mut confirmation = called();
    assert_eq!(confirmation.next(late), Step::Look);
    let entries = [entry("a", Some(7)), entry("b", None)];
    confirmation.looked(Some(&entries), late);
    assert_eq!(confirmation.next(late), Step::Inspect);
    confirmation.inspected(Some(Deposed::Never), late);
    let receipt = receipt(&mut confirmation, late);
    assert!(matches!(receipt.proof, Proof::Bound(_)), "{receipt}");
    let nodes = receipt.nodes.expect("they are known");
    assert_eq!(
        (nodes.confirmed, nodes.missing),
        (vec![node("a")], vec![node("b")])
    );
}

#[test]
fn a_line_names_a_few_of_many() {
    let names: Vec<_> = (10..30).map(|number| node(&format!("n{number}"))).collect();
    let attendance = Attendance {
        confirmed: vec![node("a")],
        missing: names,
    };
    let text = attendance.to_string();
    assert!(text.starts_with("1 of 21 nodes (not n10, n11, "), "{text}");
    assert!(text.ends_with(", n17 and 12 more)"), "{text}");
}
