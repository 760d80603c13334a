//! The checker's own teeth: histories written by hand, each with one thing wrong in it.

use super::*;
use crate::history::{Call, Incident, Kind, Outcome, What};

mod ends;
mod failures;
mod independence;
mod staleness;
mod taken_back;

/// A call of session 1 of user 7 that was answered as expected, begun and ended at these
/// milliseconds.
fn call(kind: Kind, invoked: u64, ended: u64) -> Call {
    Call {
        user: 7,
        session: 1,
        kind,
        due: Duration::from_millis(invoked),
        invoked: Duration::from_millis(invoked),
        ended: Duration::from_millis(ended),
        outcome: Outcome::Ok,
        status: Some(200),
        says_when: false,
        node: Some("n1".into()),
        owner: None,
        visits: None,
        cookie_bytes: 0,
        from_copy: false,
    }
}

fn login() -> Call {
    call(Kind::Login, 0, 10)
}

fn visit(invoked: u64, ended: u64, visits: u64) -> Call {
    Call {
        visits: Some(visits),
        owner: Some("u7".into()),
        ..call(Kind::Visit, invoked, ended)
    }
}

fn read(invoked: u64, ended: u64, visits: u64) -> Call {
    Call {
        visits: Some(visits),
        owner: Some("u7".into()),
        ..call(Kind::WhoAmI, invoked, ended)
    }
}

fn with(outcome: Outcome, call: Call) -> Call {
    Call {
        outcome,
        visits: None,
        owner: None,
        ..call
    }
}

fn checked(calls: &[Call]) -> Verdict {
    checked_with(calls, &[])
}

fn checked_with(calls: &[Call], incidents: &[Incident]) -> Verdict {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.ended);
    check(&History {
        calls,
        incidents: incidents.to_vec(),
    })
}

fn lost(calls: &[Call]) -> usize {
    checked(calls).sessions.lost.len()
}

// === sessions ===

#[test]
fn a_session_that_is_refused_unasked_is_lost_once() {
    let refused = |at| with(Outcome::Refused, read(at, at + 5, 0));
    assert_eq!(lost(&[login(), read(20, 25, 0)]), 0);
    assert_eq!(lost(&[login(), refused(20), refused(30)]), 1);
}

#[test]
fn one_lost_session_among_ten_thousand_is_seen() {
    let of = |user, call: Call| Call { user, ..call };
    let mut calls = Vec::new();
    for user in 0..10_000 {
        calls.extend([of(user, login()), of(user, read(20, 25, 0))]);
    }
    assert_eq!(lost(&calls), 0);
    calls.push(of(4711, with(Outcome::Refused, read(30, 35, 0))));
    assert_eq!(lost(&calls), 1);
}

#[test]
fn a_session_that_is_refused_after_its_end_was_asked_for_is_not_lost() {
    let refused = with(Outcome::Refused, read(20, 50, 0));
    for outcome in [Outcome::Ok, Outcome::Unknown] {
        let logout = with(outcome, call(Kind::Logout, 40, 60));
        assert_eq!(lost(&[login(), refused.clone(), logout]), 0);
    }
    let later = call(Kind::Logout, 51, 60);
    assert_eq!(lost(&[login(), refused.clone(), later]), 1);
    let not_done = with(Outcome::Failed, call(Kind::Logout, 40, 60));
    assert_eq!(lost(&[login(), refused, not_done]), 1);
}

#[test]
fn the_end_of_all_sessions_of_a_user_ends_those_begun_before() {
    let elsewhere = Call {
        session: 9,
        ..call(Kind::LogoutEverywhere, 40, 60)
    };
    let early = [
        login(),
        elsewhere.clone(),
        with(Outcome::Refused, read(61, 70, 0)),
    ];
    assert_eq!(lost(&early), 0);
    let late = Call {
        session: 2,
        ..call(Kind::Login, 70, 75)
    };
    let refused = Call {
        session: 2,
        ..with(Outcome::Refused, read(80, 85, 0))
    };
    assert_eq!(lost(&[elsewhere, late, refused]), 1);
}

#[test]
fn a_session_is_exposed_by_a_fault_in_its_life_alone() {
    let exposed = |begun: u64, what: What| exposed_by(begun, what, &[read(20, 25, 0)]);
    assert_eq!(exposed(15, What::Deploy), 1);
    assert_eq!(exposed(15, What::Steady), 0);
    assert_eq!(exposed(5, What::Deploy), 0);
    assert_eq!(exposed(19, What::Deploy), 0, "it was used while it went on");
    assert_eq!(exposed(30, What::Deploy), 0);
}

#[test]
fn a_session_is_exposed_only_if_its_loss_would_have_been_seen() {
    let exposed = |calls: &[Call]| exposed_by(15, What::Deploy, calls);
    let logout = call(Kind::Logout, 30, 40);
    assert_eq!(exposed(&[read(20, 25, 0), logout.clone()]), 1);
    assert_eq!(
        exposed(std::slice::from_ref(&logout)),
        0,
        "it ends well either way"
    );
    assert_eq!(exposed(&[logout, read(45, 50, 0)]), 0, "it had been ended");
    let unanswered = |outcome| with(outcome, read(20, 25, 0));
    assert_eq!(exposed(&[unanswered(Outcome::Refused)]), 1);
    assert_eq!(exposed(&[unanswered(Outcome::Failed)]), 0);
    assert_eq!(exposed(&[unanswered(Outcome::Unknown)]), 0);
}

/// How many sessions a fault of two milliseconds exposes.
fn exposed_by(begun: u64, what: What, calls: &[Call]) -> usize {
    let fault = Incident {
        begun: Duration::from_millis(begun),
        ended: Duration::from_millis(begun + 2),
        what,
    };
    let calls = [&[login()], calls].concat();
    checked_with(&calls, &[fault]).sessions.exposed
}

#[test]
fn a_session_that_another_node_answers_has_moved() {
    let elsewhere = Call {
        node: Some("n2".into()),
        ..read(20, 25, 0)
    };
    assert_eq!(checked(&[login(), read(20, 25, 0)]).sessions.moved, 0);
    assert_eq!(checked(&[login(), elsewhere]).sessions.moved, 1);
}

// === updates ===

#[test]
fn an_acknowledged_update_that_a_later_answer_does_not_know_is_lost() {
    let calls = [login(), visit(20, 25, 1), visit(30, 35, 2)];
    let lost = |last: Call| {
        let calls = [&calls[..], &[last]].concat();
        checked(&calls).updates.lost
    };
    assert_eq!(lost(read(40, 45, 2)), 0);
    assert_eq!(lost(read(40, 45, 1)), 1);
    assert_eq!(lost(read(40, 45, 0)), 2);
    // It may have been answered before the second one was made.
    assert_eq!(lost(read(34, 45, 1)), 0);
}

#[test]
fn two_updates_with_one_number_are_one_that_is_lost() {
    let calls = [login(), visit(20, 40, 1), visit(30, 35, 1)];
    assert_eq!(checked(&calls).updates.lost, 1);
}

#[test]
fn an_update_of_unknown_outcome_counts_once_at_most() {
    let unknown = with(Outcome::Unknown, visit(20, 25, 0));
    let updates = |visits| checked(&[login(), unknown.clone(), read(30, 35, visits)]).updates;
    for visits in [0, 1] {
        assert_eq!((updates(visits).lost, updates(visits).doubled), (0, 0));
    }
    assert_eq!((updates(2).lost, updates(2).doubled), (0, 1));
    assert_eq!(updates(0).unknown, 1);
}

#[test]
fn an_update_that_was_made_twice_is_doubled() {
    let calls = [login(), visit(20, 25, 2), read(30, 35, 2)];
    assert_eq!(checked(&calls).updates.doubled, 1);
    let refused = with(Outcome::Refused, visit(20, 25, 0));
    assert_eq!(
        checked(&[login(), refused, read(30, 35, 1)])
            .updates
            .doubled,
        1
    );
}

#[test]
fn an_answer_that_knows_less_than_an_earlier_one_is_stale() {
    let calls = [login(), visit(20, 25, 1), read(30, 35, 0), read(40, 45, 1)];
    let updates = checked(&calls).updates;
    assert_eq!((updates.stale, updates.lost), (1, 0));
    let at_once = [login(), visit(20, 35, 1), read(30, 36, 0), read(40, 45, 1)];
    assert_eq!(checked(&at_once).updates.stale, 0);
}

#[test]
fn updates_that_meet_are_exposed() {
    let apart = [login(), visit(20, 25, 1), visit(30, 35, 2)];
    let met = [
        login(),
        visit(20, 35, 1),
        visit(30, 40, 2),
        visit(50, 55, 3),
    ];
    assert_eq!(checked(&apart).updates.exposed, 0);
    assert_eq!(checked(&met).updates.exposed, 2);
}

#[test]
fn the_updates_of_a_lost_session_are_lost_with_it() {
    let refused = with(Outcome::Refused, read(40, 45, 0));
    let updates = checked(&[login(), visit(20, 25, 1), refused]).updates;
    assert_eq!((updates.lost, updates.lost_with_sessions), (0, 1));
}

// === revocations ===

#[test]
fn a_session_that_is_accepted_after_its_end_is_risen() {
    let logout = call(Kind::Logout, 20, 30);
    let late = |invoked| checked(&[login(), logout.clone(), read(invoked, 90, 0)]).revocations;
    assert_eq!(late(29).risen.len(), 0);
    let risen = late(80);
    assert_eq!(
        (risen.risen.len(), risen.accepted, risen.requests),
        (1, 1, 1)
    );
    assert_eq!(risen.lasted_max(), Duration::from_millis(50));
    let refused = with(Outcome::Refused, read(80, 90, 0));
    let kept = checked(&[login(), logout, refused]).revocations;
    assert_eq!((kept.risen.len(), kept.asked_for), (0, 1));
}

#[test]
fn an_end_that_nobody_acknowledged_binds_nobody() {
    let logout = with(Outcome::Unknown, call(Kind::Logout, 20, 30));
    let found = checked(&[login(), logout, read(80, 90, 0)]).revocations;
    assert_eq!((found.ended, found.risen.len()), (0, 0));
}

#[test]
fn a_session_of_the_user_is_risen_after_the_end_of_all() {
    let elsewhere = Call {
        session: 9,
        ..call(Kind::LogoutEverywhere, 20, 30)
    };
    let found = checked(&[login(), elsewhere, read(80, 90, 0)]).revocations;
    assert_eq!(found.risen.len(), 1);
}

#[test]
fn a_writer_that_comes_too_late_exposes_an_end() {
    let logout = call(Kind::Logout, 20, 30);
    let told = |status, invoked| Call {
        status: Some(status),
        ..with(Outcome::Refused, visit(invoked, 35, 0))
    };
    let writer = |invoked| told(409, invoked);
    let exposed = |writer| {
        checked(&[login(), logout.clone(), writer])
            .revocations
            .exposed
    };
    assert_eq!(exposed(writer(15)), 1);
    assert_eq!(exposed(writer(31)), 0);
    assert_eq!(exposed(told(401, 15)), 0, "it wrote nothing");
    assert_eq!(exposed(visit(15, 35, 1)), 0);
}

// === requests ===

#[test]
fn a_failed_read_and_data_of_another_or_of_nobody_are_counted() {
    let foreign = Call {
        owner: Some("u8".into()),
        ..read(20, 25, 0)
    };
    let failed = with(Outcome::Unknown, read(30, 35, 0));
    let not_sent = with(Outcome::Failed, visit(40, 45, 0));
    let unmarked = Call {
        owner: None,
        ..read(50, 55, 0)
    };
    let found = checked(&[login(), foreign, failed, not_sent, unmarked]).requests;
    assert_eq!((found.foreign, found.unmarked), (1, 1));
    assert_eq!((found.idempotent, found.idempotent_failed), (3, 1));
    assert_eq!((found.all, found.failed), (5, 2));
}
