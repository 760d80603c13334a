//! Each condition can fail: figures that pass, with one thing wrong at a time.

use super::*;
use crate::checker::{Loss, Risen};
use crate::server::Kind;

const REDIS: Store = Store::Servers(Kind::Redis);
const SENTINEL: Store = Store::Servers(Kind::RedisSentinel);

fn second(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn loss() -> Loss {
    Loss {
        user: 1,
        session: 1,
        begun: second(1),
        at: second(2),
    }
}

/// Figures with which this cell passes.
fn good(store: Store, fault: Fault) -> Found {
    let promise = fault.promise(store).unwrap();
    let mut verdict = Verdict::default();
    verdict.requests.all = 1000;
    verdict.sessions.begun = 60;
    verdict.sessions.at_stake = 30;
    verdict.sessions.exposed = 30;
    verdict.updates.acknowledged = 500;
    verdict.revocations.ended = 20;
    verdict.revocations.asked_for = 15;
    let is_slow = fault == Fault::Slow;
    if promise == Promise::Everything {
        verdict.sessions.lost = vec![loss(); 30];
    }
    Found {
        promise,
        lasted: second(5),
        failures: Failures {
            unavailable: if is_slow { 0 } else { 100 },
            slowest: second(2),
            ..Failures::default()
        },
        recovery: Some(second(1)),
        logouts_meanwhile: 5,
        lost_of_old: 0,
        last_updates: 50,
        same_nodes: true,
        verdict,
    }
}

/// What this cell is short of when this is done to figures that pass.
fn short(store: Store, fault: Fault, spoil: impl FnOnce(&mut Found)) -> Vec<String> {
    let cell = Cell { store, fault };
    let mut found = good(store, fault);
    assert_eq!(found.shortfalls(cell), Vec::<String>::new());
    spoil(&mut found);
    found.shortfalls(cell)
}

fn check(store: Store, fault: Fault, spoil: impl FnOnce(&mut Found), expected: &str) {
    assert_eq!(short(store, fault, spoil), [expected], "{store} {fault}");
}

fn check_cut(spoil: impl FnOnce(&mut Found), expected: &str) {
    check(REDIS, Fault::Cut, spoil, expected);
}

#[test]
fn every_cell_that_makes_sense_passes_with_good_figures() {
    for store in [Store::Sqlite, REDIS, SENTINEL] {
        for fault in Fault::ALL {
            if fault.promise(store).is_ok() {
                assert!(short(store, fault, |_| {}).is_empty());
            }
        }
    }
}

#[test]
fn what_holds_under_every_fault_can_fail() {
    let foreign = "answers bore another user's data";
    check_cut(|it| it.verdict.requests.foreign = 1, foreign);
    let unmarked = "answers did not say whose data they bear";
    check_cut(|it| it.verdict.requests.unmarked = 1, unmarked);
    let doubled = "updates were made twice";
    check_cut(|it| it.verdict.updates.doubled = 1, doubled);
    let unasked = "no ended session was asked for";
    check_cut(|it| it.verdict.revocations.asked_for = 0, unasked);
    let risen = Risen {
        user: 1,
        session: 1,
        ended: second(1),
        lasted: second(2),
    };
    let accepted = "ended sessions were accepted";
    check_cut(|it| it.verdict.revocations.risen = vec![risen], accepted);
}

#[test]
fn what_takes_too_long_is_short() {
    let slow = "an answer took too long";
    check_cut(|it| it.failures.slowest = second(13), slow);
    let late = "it did not recover in time";
    check_cut(|it| it.recovery = Some(second(11)), late);
    check_cut(|it| it.recovery = None, late);
}

#[test]
fn a_request_in_a_node_that_stands_still_may_take_as_much_longer() {
    let slower = |it: &mut Found| it.failures.slowest = second(13);
    assert!(short(REDIS, Fault::NodePaused, slower).is_empty());
}

#[test]
fn a_fault_that_few_sessions_met_shows_nothing() {
    let at_stake = "too few sessions were at stake";
    check_cut(|it| it.verdict.sessions.at_stake = 9, at_stake);
    let exposed = "too few sessions were used across it";
    check_cut(|it| it.verdict.sessions.exposed = 22, exposed);
    assert!(short(REDIS, Fault::Cut, |it| it.verdict.sessions.exposed = 23).is_empty());
}

#[test]
fn nodes_that_were_left_alone_answer_every_request_in_order() {
    check_cut(|it| it.failures.wrong = 1, "errors were of the wrong kind");
    check_cut(
        |it| it.failures.unanswered = 1,
        "requests were not answered",
    );
    check_cut(|it| it.same_nodes = false, "nodes did not live through it");
    let gateway = |it: &mut Found| it.failures.wrong = 1;
    assert!(short(REDIS, Fault::NodePaused, gateway).is_empty());
    assert!(short(Store::Sqlite, Fault::Killed, gateway).is_empty());
}

#[test]
fn a_store_that_may_lose_nothing_loses_nothing() {
    check_cut(
        |it| it.verdict.sessions.lost = vec![loss()],
        "sessions were lost",
    );
    check_cut(|it| it.verdict.updates.lost = 1, "updates were lost");
    let stale = "answers knew less than earlier ones";
    check_cut(|it| it.verdict.updates.stale = 1, stale);
}

#[test]
fn a_store_that_may_lose_its_last_writes_loses_no_others() {
    for fault in [Fault::FailOver, Fault::HalfOpen] {
        let spoil = |it: &mut Found| it.lost_of_old = 1;
        check(
            SENTINEL,
            fault,
            spoil,
            "sessions from long before were lost",
        );
        let spoil = |it: &mut Found| it.verdict.updates.lost = 51;
        check(
            SENTINEL,
            fault,
            spoil,
            "more than the last updates were lost",
        );
        let last = |it: &mut Found| {
            it.verdict.sessions.lost = vec![loss()];
            it.verdict.updates.lost = 50;
            it.verdict.updates.stale = 50;
        };
        assert!(short(SENTINEL, fault, last).is_empty());
    }
}

#[test]
fn a_flush_removes_everything() {
    let spoil = |it: &mut Found| it.verdict.sessions.lost.truncate(22);
    check(REDIS, Fault::Flush, spoil, "not everything was removed");
}

#[test]
fn a_slow_store_is_slow_and_refuses_nothing() {
    let refuses = |it: &mut Found| it.failures.unavailable = 11;
    check(REDIS, Fault::Slow, refuses, "a slow store was of no use");
    assert!(short(REDIS, Fault::Slow, |it| it.failures.unavailable = 10).is_empty());
    let quick = |it: &mut Found| it.failures.slowest = Duration::from_millis(499);
    check(REDIS, Fault::Slow, quick, "nothing was slow");
}

#[test]
fn a_fault_that_nobody_felt_was_none() {
    let spoil = |it: &mut Found| it.failures.unavailable = 0;
    let faults = [
        Fault::Killed,
        Fault::Paused,
        Fault::HalfOpen,
        Fault::BlackHole,
        Fault::Full,
    ];
    for fault in faults {
        check(REDIS, fault, spoil, "nothing was refused");
    }
    assert!(short(Store::Sqlite, Fault::Paused, spoil).is_empty());
}

#[test]
fn a_full_store_still_lets_somebody_log_out() {
    let spoil = |it: &mut Found| it.logouts_meanwhile = 0;
    check(REDIS, Fault::Full, spoil, "nobody could log out");
}
