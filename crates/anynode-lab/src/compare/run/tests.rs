//! What is counted of a course.

use std::time::Duration;

use super::course::Course;
use super::tally;
use super::window::Window;
use crate::compare::report::{Cookies, EventKind, Row, Step};
use crate::fleet::{Strategy, Usage};
use crate::history::{Act, Call, Change, History, Kind, Outcome, name_of};
use crate::stage::{self, Sample};

/// Each step of these courses takes ten seconds, the first of which begins here.
const BEGIN: Duration = Duration::from_secs(100);
const STEP: Duration = Duration::from_secs(10);

/// A call that took a millisecond, begun so many milliseconds after the first step.
fn call(user: u32, session: u32, at_ms: u64, kind: Kind, outcome: Outcome) -> Call {
    let begun = BEGIN + Duration::from_millis(at_ms);
    Call {
        user,
        session,
        kind,
        due: begun,
        invoked: begun,
        ended: begun + Duration::from_millis(1),
        outcome,
        status: Some(200),
        says_when: false,
        node: Some("n1".into()),
        owner: Some(name_of(user).into()),
        visits: None,
        cookie_bytes: 46,
        from_copy: false,
    }
}

fn login(user: u32, session: u32, at_ms: u64) -> Call {
    call(user, session, at_ms, Kind::Login, Outcome::Ok)
}

fn asks(user: u32, session: u32, at_ms: u64, outcome: Outcome) -> Call {
    call(user, session, at_ms, Kind::WhoAmI, outcome)
}

fn row(mut calls: Vec<Call>, changes: Vec<Change>) -> Row {
    calls.sort_by_key(|call| call.ended);
    let window = |(step, number): (Step, u32)| Window {
        step,
        begin: BEGIN + STEP * number,
        done: BEGIN + STEP * number + STEP / 2,
        end: BEGIN + STEP * (number + 1),
    };
    let sample = |calls, store_calls| Sample {
        at: BEGIN,
        calls,
        nodes: 3,
        usage: Usage {
            store_calls,
            ..Usage::default()
        },
    };
    let incidents = Vec::new();
    let course = Course {
        windows: Step::ALL.into_iter().zip(0..).map(window).collect(),
        steady: [sample(10, 20), sample(30, 60)],
        cookies: Cookies {
            session_bytes: 46,
            affinity_bytes: 0,
        },
        outcome: stage::Outcome {
            history: History { calls, incidents },
            changes,
            samples: Vec::new(),
            lateness: Duration::from_micros(700),
        },
    };
    tally::row(Strategy::Central, &course, 1)
}

fn logged_out(row: &Row) -> Vec<u32> {
    row.seen.iter().map(|seen| seen.users_logged_out).collect()
}

#[test]
fn a_user_is_logged_out_once_in_each_step_that_does_so() {
    let row = row(
        vec![
            login(3, 1, 0),
            asks(3, 1, 12_000, Outcome::Refused),
            login(3, 2, 12_100),
            asks(3, 2, 13_000, Outcome::Refused),
            login(3, 3, 13_100),
            asks(3, 3, 21_000, Outcome::Refused),
        ],
        Vec::new(),
    );
    assert_eq!(logged_out(&row), [0, 1, 1, 0, 0, 0, 0]);
    let crash = row.slices.iter().filter(|slice| slice.step == Step::Crash);
    let out: Vec<u32> = crash.map(|slice| slice.users_logged_out).collect();
    assert_eq!(out.len(), 20);
    assert_eq!((out[3], out[4], out[19]), (0, 1, 1));
}

#[test]
fn a_revoked_user_is_not_logged_out_but_its_session_is_watched() {
    let revoking = call(0, 9, 62_000, Kind::LogoutEverywhere, Outcome::Ok);
    let row = row(
        vec![
            login(0, 1, 0),
            login(0, 9, 61_000),
            revoking,
            asks(0, 1, 63_000, Outcome::Ok),
            asks(0, 1, 64_001, Outcome::Ok),
            asks(0, 1, 65_000, Outcome::Refused),
            login(0, 2, 65_100),
            asks(0, 2, 66_000, Outcome::Refused),
        ],
        Vec::new(),
    );
    assert_eq!(logged_out(&row), [0; 7]);
    let revoked = row.revoked;
    assert_eq!((revoked.users, revoked.requests), (1, 3));
    assert_eq!((revoked.accepted, revoked.longest_ms), (2, 2_000));
    assert_eq!(revoked.watched_ms, 3_999);
}

#[test]
fn load_is_counted_once_the_fleet_has_its_size() {
    let row = row(
        vec![
            login(1, 1, 0),
            asks(1, 1, 6_000, Outcome::Ok),
            asks(1, 1, 31_000, Outcome::Ok),
            asks(1, 1, 36_000, Outcome::Ok),
        ],
        Vec::new(),
    );
    let loads: Vec<_> = row
        .loads
        .iter()
        .map(|load| (load.nodes.len(), load.nodes[0].requests))
        .collect();
    assert_eq!(loads, [(3, 1), (13, 1), (3, 0)]);
}

#[test]
fn what_a_store_was_asked_is_counted_between_the_two_looks_at_it() {
    let row = row(vec![login(1, 1, 0)], Vec::new());
    assert_eq!((row.cost.requests, row.cost.store_calls), (20, 40));
    assert_eq!(row.late_us, 700);
}

#[test]
fn what_happens_to_a_node_is_an_event_on_the_clock_of_the_row() {
    let change = |seconds, act| Change {
        at: BEGIN + Duration::from_secs(seconds),
        node: "n2".to_owned(),
        act,
    };
    let row = row(
        Vec::new(),
        vec![change(10, Act::Kill), change(11, Act::Start)],
    );
    let events: Vec<_> = row
        .events
        .iter()
        .map(|event| (event.at_ms, event.kind))
        .collect();
    assert_eq!(
        events,
        [(10_000, EventKind::Crash), (11_000, EventKind::Start)]
    );
}
