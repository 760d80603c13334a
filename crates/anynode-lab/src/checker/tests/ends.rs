//! Ended sessions that a node goes on accepting.

use std::time::Duration;

use crate::checker::{Ends, ends};
use crate::history::{Age, Ask, End, EndKind, Source, Told, Witnessed};

const BOUND: Duration = Duration::from_millis(1_000);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An answer from a copy of session 1 at node 1, asked for at this millisecond.
fn accepted(sent: u64) -> Ask {
    let age = Age {
        old: millis(200),
        from: Source::Copy,
    };
    Ask {
        session: 1,
        node: 1,
        sent: millis(sent),
        heard: millis(sent + 2),
        told: Told::Accepted {
            visits: 0,
            age: Some(age),
        },
    }
}

fn told(sent: u64, told: Told) -> Ask {
    Ask {
        told,
        ..accepted(sent)
    }
}

/// Session 1 was ended and 2 spared; asked for at 100 and acknowledged at 150.
fn witnessed(asks: Vec<Ask>) -> Witnessed {
    let end = End {
        kind: EndKind::UserButOne,
        sessions: vec![1],
        by: Some(0),
        spared: Some(2),
        asked: millis(100),
        acknowledged: Some(millis(150)),
    };
    Witnessed {
        asks,
        ends: vec![end],
        ..Witnessed::default()
    }
}

#[test]
fn a_session_that_is_accepted_by_a_request_sent_after_the_bound_is_told() {
    let found = ends(&witnessed(vec![accepted(50), accepted(1_151)]), BOUND);
    assert_eq!(found.accepted.len(), 1);
    assert_eq!(found.accepted[0].after, millis(1_001));
    assert_eq!((found.sessions, found.exposed), (1, 1));
    assert_eq!(found.accepted_for, millis(1_001));
}

#[test]
fn until_the_bound_it_may_be_accepted_and_is_timed() {
    let asks = vec![
        accepted(50),
        accepted(1_150),
        told(1_140, Told::Unavailable),
        told(1_149, Told::Refused),
        told(1_160, Told::Refused),
    ];
    let found = ends(&witnessed(asks), BOUND);
    assert!(found.accepted.is_empty());
    assert_eq!(found.refused_after, vec![millis(1_010)]);
    assert_eq!((found.late, found.late_answered, found.exposed), (1, 1, 1));
    let nobody_asked = vec![accepted(50), told(1_160, Told::Refused)];
    let found = ends(&witnessed(nobody_asked), BOUND);
    assert!(found.refused_after.is_empty());
}

#[test]
fn a_trial_is_exposed_only_where_a_copy_was_held_and_an_answer_given_after_the_bound() {
    let exposed = |asks| ends(&witnessed(asks), BOUND).exposed;
    let late = |told_late| told(1_200, told_late);
    assert_eq!(exposed(vec![accepted(50), late(Told::Refused)]), 1);
    assert_eq!(exposed(vec![accepted(50), late(Told::Unavailable)]), 0);
    assert_eq!(exposed(vec![late(Told::Refused)]), 0);
    let elsewhere = Ask {
        node: 2,
        ..accepted(50)
    };
    assert_eq!(exposed(vec![elsewhere, late(Told::Refused)]), 0);
    let at_its_end = |ask| Ask { node: 0, ..ask };
    let there = vec![at_its_end(accepted(50)), at_its_end(late(Told::Refused))];
    assert_eq!(exposed(there), 0);
    assert_eq!(exposed(vec![accepted(99), late(Told::Refused)]), 0);
}

#[test]
fn too_few_exposed_sessions_show_nothing_and_none_at_all_neither() {
    let of = |sessions, exposed| Ends {
        sessions,
        exposed,
        ..Ends::default()
    };
    assert!(of(100, 90).is_exposed(90));
    assert!(!of(100, 89).is_exposed(90));
    assert!(!of(0, 0).is_exposed(90));
}

#[test]
fn who_was_spared_or_not_yet_ended_is_not_refused() {
    let refused = |asks| ends(&witnessed(asks), BOUND).falsely_refused;
    let spared = Ask {
        session: 2,
        ..told(500, Told::Refused)
    };
    assert_eq!(refused(vec![spared]), 1);
    assert_eq!(refused(vec![told(50, Told::Refused)]), 1);
    assert_eq!(refused(vec![told(99, Told::Refused)]), 0);
    assert_eq!(refused(vec![told(500, Told::Unavailable)]), 0);
}

#[test]
fn nothing_is_claimed_of_what_was_not_acknowledged() {
    let mut witnessed = witnessed(vec![accepted(50), accepted(9_000)]);
    witnessed.ends[0].acknowledged = None;
    let found = ends(&witnessed, BOUND);
    assert_eq!((found.unacknowledged, found.sessions), (1, 0));
    assert!(found.accepted.is_empty());
}

#[test]
fn what_was_removed_by_hand_is_counted_among_the_revocations() {
    let mut witnessed = witnessed(Vec::new());
    assert_eq!(ends(&witnessed, BOUND).by_hand, 0);
    witnessed.ends[0].kind = EndKind::ByHand;
    let found = ends(&witnessed, BOUND);
    assert_eq!((found.by_hand, found.revocations), (1, 1));
}
