//! What a store may have taken back at a fail-over is lost by nobody.

use super::*;

/// A fault of the store from second 5 to second 6, after which it may have lost its last writes.
fn taken_back() -> Incident {
    Incident {
        begun: Duration::from_secs(5),
        ended: Duration::from_secs(6),
        what: What::Fault {
            name: "fail-over".into(),
            takes_back: true,
        },
    }
}

#[test]
fn an_update_that_a_store_may_have_taken_back_is_not_lost() {
    let updates = |invoked, ended, known| {
        let calls = [login(), visit(invoked, ended, 1), read(9_000, 9_010, known)];
        checked_with(&calls, &[taken_back()]).updates
    };
    // Just before the fault, in it, and over its end.
    for (invoked, ended) in [(4_000, 4_010), (5_500, 5_600), (5_900, 6_100)] {
        let updates = updates(invoked, ended, 0);
        assert_eq!((updates.lost, updates.at_the_last), (0, 1));
    }
    for (invoked, ended) in [(3_000, 3_010), (6_001, 6_010)] {
        let updates = updates(invoked, ended, 0);
        assert_eq!((updates.lost, updates.at_the_last), (1, 0));
    }
    assert_eq!(updates(5_500, 5_600, 2).doubled, 1, "taken back or not");
}

#[test]
fn what_was_answered_before_it_was_taken_back_makes_no_later_answer_stale() {
    let calls = [login(), visit(5_100, 5_200, 1), visit(7_000, 7_100, 1)];
    let updates = checked_with(&calls, &[taken_back()]).updates;
    assert_eq!((updates.stale, updates.lost), (0, 0));
    assert_eq!((updates.acknowledged, updates.at_the_last), (1, 1));
    let updates = checked(&calls).updates;
    assert_eq!(updates.lost, 1);
}

#[test]
fn a_session_that_a_store_may_have_taken_back_is_not_lost() {
    let refused = |at| with(Outcome::Refused, read(at, at + 10, 0));
    let lost = |begun| {
        let calls = [call(Kind::Login, begun, begun + 10), refused(8_000)];
        let sessions = checked_with(&calls, &[taken_back()]).sessions;
        sessions.lost.len()
    };
    assert_eq!((lost(3_000), lost(4_500), lost(6_100)), (1, 0, 1));
}
