//! What takes a backend out and brings it back, and what that means to the clients that belong to it.

use std::num::NonZeroU32;

use super::*;
use crate::balance::health::{Answer, Check};

// === checks ===

fn check(pool: &mut Pool, check: Check) -> Health {
    pool.checked(BackendId::new(1), Incarnation::new(1), check)
}

#[test]
fn checks_take_a_backend_out_after_three_failures_and_back_after_two_successes() {
    use Check::{Failed, Passed};
    let mut pool = pool_of(2);
    for (result, expected) in [
        (Failed, Health::Unchanged),
        (Failed, Health::Unchanged),
        (Passed, Health::Unchanged),
        (Failed, Health::Unchanged),
        (Failed, Health::Unchanged),
        (Failed, Health::WentDown),
        (Passed, Health::Unchanged),
        (Failed, Health::Unchanged),
        (Passed, Health::Unchanged),
    ] {
        assert_eq!(check(&mut pool, result), expected);
    }
    assert_eq!(state(&pool, 1), BackendState::Failing);
    for _ in 0..5 {
        assert_eq!(chosen(&mut pool, &[], at(10_000)), Some(2));
    }
    assert_eq!(check(&mut pool, Passed), Health::CameBack);
    assert_eq!(state(&pool, 1), BackendState::Ready);
}

#[test]
fn a_check_of_another_incarnation_says_nothing() {
    let mut pool = pool_of(1);
    for _ in 0..9 {
        let old = Incarnation::new(99);
        let health = pool.checked(BackendId::new(1), old, Check::Failed);
        assert_eq!(health, Health::Unchanged);
    }
    assert_eq!(state(&pool, 1), BackendState::Ready);
}

#[test]
fn when_all_checks_fail_requests_are_served_all_the_same() {
    let mut pool = pool_of(1);
    for _ in 0..3 {
        check(&mut pool, Check::Failed);
    }
    assert_eq!(chosen(&mut pool, &[], at(0)), Some(1));
}

// === ejection ===

fn ejecting(backends: u64) -> Pool {
    let ejection = Ejection {
        failures: NonZeroU32::new(3).unwrap(),
        first: at(1_000),
        longest: at(3_000),
    };
    let rules = Rules {
        ejection: Some(ejection),
        ..Rules::default()
    };
    pool_with(rules, backends)
}

/// One request at this backend, answered so.
fn answer(pool: &mut Pool, id: u64, answer: Answer, now: Duration) -> Health {
    let choice = pool.choose_pinned(Incarnation::new(id), now).unwrap();
    let health = pool.answered(choice, answer, now);
    pool.finish(choice);
    health
}

#[test]
fn bad_answers_in_a_row_eject_a_backend_and_a_good_one_between_them_does_not() {
    let mut pool = ejecting(4);
    for result in [Answer::Bad, Answer::Missing, Answer::Good, Answer::Bad] {
        assert_eq!(answer(&mut pool, 1, result, at(0)), Health::Unchanged);
    }
    assert_eq!(answer(&mut pool, 1, Answer::Bad, at(0)), Health::Unchanged);
    assert_eq!(answer(&mut pool, 1, Answer::Bad, at(0)), Health::WentDown);
    let gone = pool.choose_pinned(Incarnation::new(1), at(999));
    assert_eq!(gone, Err(Gone::Ejected));
    let others = (0..30).filter_map(|_| chosen(&mut pool, &[], at(999)));
    assert!(others.into_iter().all(|id| id != 1));
}

#[test]
fn an_ejection_lasts_twice_as_long_each_time_and_ends_with_a_good_answer() {
    let mut pool = ejecting(2);
    for _ in 0..3 {
        answer(&mut pool, 1, Answer::Bad, at(0));
    }
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let BackendState::Ejected { until, .. } = state(&pool, 1) else {
            panic!("{:?}", state(&pool, 1));
        };
        waits.push((until - now).as_millis());
        now = until;
        answer(&mut pool, 1, Answer::Bad, now);
    }
    assert_eq!(waits, [1_000, 2_000, 3_000]);
    let back = answer(&mut pool, 1, Answer::Good, now + at(3_000));
    assert_eq!(back, Health::CameBack);
    assert_eq!(state(&pool, 1), BackendState::Ready);
}

#[test]
fn half_of_the_pool_at_most_is_ejected() {
    for (backends, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (10, 5)] {
        let mut pool = ejecting(backends);
        for id in 1..=backends {
            for _ in 0..10 {
                if let Ok(choice) = pool.choose_pinned(Incarnation::new(id), at(0)) {
                    pool.answered(choice, Answer::Bad, at(0));
                }
            }
        }
        let out = pool
            .states()
            .filter(|(_, state)| *state != BackendState::Ready);
        assert_eq!(out.count(), most, "of {backends}");
    }
}

#[test]
fn a_backend_that_is_down_leaves_less_room_for_ejection() {
    let mut pool = ejecting(2);
    let first = pool.choose(&[], at(0)).unwrap();
    pool.connect_failed(first, at(0));
    for _ in 0..10 {
        answer(&mut pool, 2, Answer::Bad, at(0));
    }
    assert_eq!(state(&pool, 2), BackendState::Ready);
}

#[test]
fn a_backend_that_was_unreachable_and_answers_badly_can_be_reached_again() {
    let mut pool = ejecting(2);
    let first = pool.choose(&[], at(0)).unwrap();
    pool.connect_failed(first, at(0));
    assert_eq!(answer(&mut pool, 1, Answer::Bad, at(200)), Health::CameBack);
}

#[test]
fn without_rules_for_it_nothing_is_ejected() {
    let mut pool = pool_of(4);
    for _ in 0..100 {
        answer(&mut pool, 1, Answer::Bad, at(0));
    }
    assert_eq!(state(&pool, 1), BackendState::Ready);
}

#[test]
fn statuses_of_500_and_above_are_bad_but_for_those_about_the_request() {
    for good in [200, 304, 404, 429, 501, 505] {
        assert_eq!(Answer::of(good), Answer::Good, "{good}");
    }
    for bad in [500, 502, 503, 504, 507, 599] {
        assert_eq!(Answer::of(bad), Answer::Bad, "{bad}");
    }
}

// === affinity ===

#[test]
fn a_pinned_client_reaches_its_backend_whatever_the_turn_and_though_it_drains() {
    let mut pool = pool_of(3);
    for _ in 0..5 {
        let choice = pool.choose_pinned(Incarnation::new(2), at(0)).unwrap();
        assert_eq!(
            (choice.backend().number(), choice.duty()),
            (2, Duty::Serving)
        );
    }
    pool.drain(BackendId::new(2));
    let choice = pool.choose_pinned(Incarnation::new(2), at(0)).unwrap();
    assert_eq!(
        (choice.backend().number(), choice.duty()),
        (2, Duty::Draining)
    );
    pool.serve(BackendId::new(2));
    let served = (0..3).filter_map(|_| chosen(&mut pool, &[], at(0)));
    assert_eq!(served.filter(|id| *id == 2).count(), 1);
}

#[test]
fn a_pinned_client_does_not_wait_for_a_backend_that_is_gone() {
    let mut pool = pool_of(3);
    let unknown = pool.choose_pinned(Incarnation::new(9), at(0));
    assert_eq!(unknown, Err(Gone::Unknown));
    let first = pool.choose_pinned(Incarnation::new(1), at(0)).unwrap();
    pool.connect_failed(first, at(0));
    let down = pool.choose_pinned(Incarnation::new(1), at(50));
    assert_eq!(down, Err(Gone::Down));
    let trial = pool.choose_pinned(Incarnation::new(1), at(100)).unwrap();
    assert_eq!(trial.chosen_as(), ChosenAs::Trial);
    for _ in 0..3 {
        pool.checked(BackendId::new(2), Incarnation::new(2), Check::Failed);
    }
    let failing = pool.choose_pinned(Incarnation::new(2), at(0));
    assert_eq!(failing, Err(Gone::Failing));
}

#[test]
fn a_connect_that_timed_out_while_another_was_taken_takes_nobody_out() {
    let mut pool = pool_of(2);
    let mine = |pool: &mut Pool, now| pool.choose_pinned(Incarnation::new(1), now).unwrap();
    let (slow, quick) = (mine(&mut pool, at(10)), mine(&mut pool, at(10)));
    pool.connected(quick, at(20));
    assert_eq!(pool.connect_timed_out(slow, at(1_010)), Health::Unchanged);
    assert!(pool.is_sound(slow, at(1_010)));
    // Nothing was taken since this one began.
    let late = mine(&mut pool, at(21));
    assert_eq!(pool.connect_timed_out(late, at(1_021)), Health::WentDown);
    assert!(!pool.is_sound(late, at(1_021)));
    // A refusal is one, whatever was taken before.
    let refused = pool.choose_pinned(Incarnation::new(2), at(10)).unwrap();
    pool.connected(refused, at(20));
    assert_eq!(pool.connect_failed(refused, at(30)), Health::WentDown);
}

#[test]
fn when_everybody_is_out_a_pinned_client_tries_its_own_backend() {
    let mut pool = pool_of(3);
    for id in 1..=3 {
        let choice = pool.choose_pinned(Incarnation::new(id), at(0)).unwrap();
        pool.connect_failed(choice, at(0));
    }
    for id in [3, 1, 2] {
        let choice = pool.choose_pinned(Incarnation::new(id), at(1)).unwrap();
        assert_eq!(choice.backend().number(), id);
    }
    let back = pool.choose_pinned(Incarnation::new(2), at(2)).unwrap();
    pool.answered(back, Answer::Good, at(2));
    let gone = pool.choose_pinned(Incarnation::new(1), at(3));
    assert_eq!(gone, Err(Gone::Down));
}

#[test]
fn the_clients_of_a_source_return_to_their_backend_when_it_is_back() {
    use crate::balance::affinity::SourceAffinity;
    let mut pool = pool_of(5);
    let address = "192.0.2.7".parse().unwrap();
    let source = Source::of(address, SourceAffinity::default());
    let home = pool.choose_by_source(source, &[], at(0)).unwrap();
    for _ in 0..5 {
        let again = pool.choose_by_source(source, &[], at(0)).unwrap();
        assert_eq!(again.backend(), home.backend());
    }
    pool.connect_failed(home, at(0));
    let away = pool.choose_by_source(source, &[], at(1)).unwrap();
    assert_ne!(away.backend(), home.backend());
    let retried = pool
        .choose_by_source(source, &[away.backend()], at(1))
        .unwrap();
    assert!(![home.backend(), away.backend()].contains(&retried.backend()));
    let back = pool.choose_by_source(source, &[], at(100)).unwrap();
    assert_eq!(back.backend(), home.backend());
    pool.drain(home.backend());
    let drained = pool.choose_by_source(source, &[], at(200)).unwrap();
    assert_ne!(drained.backend(), home.backend());
}
