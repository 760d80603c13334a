//! What the pool promises, rule by rule.

mod full;
mod health;

use super::*;
use crate::balance::health::Answer;

fn pool_of(backends: u64) -> Pool {
    pool_with(Rules::default(), backends)
}

fn pool_with(rules: Rules, backends: u64) -> Pool {
    let mut pool = Pool::new(rules);
    for id in 1..=backends {
        insert(&mut pool, id, NonZeroU16::MIN);
    }
    pool
}

fn insert(pool: &mut Pool, id: u64, weight: NonZeroU16) {
    let (id, incarnation) = (BackendId::new(id), Incarnation::new(id));
    pool.insert(id, incarnation, weight).unwrap();
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn chosen(pool: &mut Pool, tried: &[BackendId], now: Duration) -> Option<u64> {
    let choice = pool.choose(tried, now)?;
    Some(choice.backend().number())
}

fn state(pool: &Pool, id: u64) -> BackendState {
    let mut states = pool.states();
    states.find(|(other, _)| other.number() == id).unwrap().1
}

/// Fails one connect of the only backend of `pool` and returns its next due time.
fn fail(pool: &mut Pool, now: Duration) -> Duration {
    let choice = pool.choose(&[], now).unwrap();
    pool.connect_failed(choice, now);
    match state(pool, 1) {
        BackendState::Down { until, .. } => until,
        other => panic!("the backend is {other:?}"),
    }
}

#[test]
fn over_k_rounds_every_ready_backend_is_chosen_k_times() {
    for backends in 1..=13 {
        for rounds in 1..=20_u64 {
            let mut pool = pool_of(backends);
            let mut counts = vec![0_u64; usize::try_from(backends).unwrap()];
            for _ in 0..backends * rounds {
                let id = chosen(&mut pool, &[], at(0)).unwrap();
                counts[usize::try_from(id - 1).unwrap()] += 1;
            }
            assert!(counts.iter().all(|&count| count == rounds), "{counts:?}");
        }
    }
}

#[test]
fn a_backend_that_was_tried_is_not_chosen_again_for_that_request() {
    let mut pool = pool_of(3);
    let mut tried = Vec::new();
    while let Some(choice) = pool.choose(&tried, at(0)) {
        assert!(!tried.contains(&choice.backend()));
        tried.push(choice.backend());
    }
    assert_eq!(tried.len(), 3);
}

#[test]
fn a_backend_whose_connect_failed_is_left_alone_until_its_back_off_is_over() {
    let mut pool = pool_of(2);
    let first = pool.choose(&[], at(0)).unwrap();
    assert_eq!(pool.connect_failed(first, at(0)), Health::WentDown);
    for _ in 0..10 {
        assert_eq!(chosen(&mut pool, &[], at(99)), Some(2));
    }
    let later: Vec<_> = (0..2).map(|_| chosen(&mut pool, &[], at(100))).collect();
    assert!(later.contains(&Some(1)), "{later:?}");
}

#[test]
fn one_request_at_a_time_tries_a_backend_that_is_down() {
    let mut pool = pool_of(2);
    let first = pool.choose(&[], at(0)).unwrap();
    pool.connect_failed(first, at(0));
    let trials = (0..100)
        .filter_map(|_| pool.choose(&[], at(150)))
        .filter(|choice| choice.chosen_as() == ChosenAs::Trial)
        .count();
    assert_eq!(trials, 1);
}

#[test]
fn the_back_off_doubles_from_its_first_to_its_longest() {
    let mut pool = pool_of(1);
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let until = fail(&mut pool, now);
        waits.push((until - now).as_millis());
        now = until;
    }
    assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
}

#[test]
fn a_success_makes_a_backend_ready_and_its_next_back_off_short() {
    let mut pool = pool_of(1);
    for millis in [0, 1_000, 2_000] {
        fail(&mut pool, at(millis));
    }
    let trial = pool.choose(&[], at(5_000)).unwrap();
    assert_eq!(trial.chosen_as(), ChosenAs::Trial);
    assert_eq!(
        pool.answered(trial, Answer::Good, at(5_000)),
        Health::CameBack
    );
    assert_eq!(state(&pool, 1), BackendState::Ready);
    assert_eq!(fail(&mut pool, at(6_000)), at(6_100));
}

#[test]
fn connects_begun_together_and_failed_together_count_once() {
    let mut pool = pool_of(1);
    let burst: Vec<_> = (0..50).filter_map(|_| pool.choose(&[], at(0))).collect();
    for choice in burst {
        pool.connect_failed(choice, at(10));
    }
    let down = BackendState::Down {
        failures: 1,
        failed_at: at(10),
        until: at(110),
    };
    assert_eq!(state(&pool, 1), down);
}

#[test]
fn when_all_are_down_each_is_tried_once_rather_than_refusing() {
    let mut pool = pool_of(3);
    for _ in 0..3 {
        let choice = pool.choose(&[], at(0)).unwrap();
        pool.connect_failed(choice, at(0));
    }
    let mut tried = Vec::new();
    for _ in 0..3 {
        let choice = pool.choose(&tried, at(1)).unwrap();
        assert_eq!(choice.chosen_as(), ChosenAs::Trial);
        tried.push(choice.backend());
    }
    assert_eq!(pool.choose(&tried, at(1)), None);
    tried.sort();
    assert_eq!(tried, [1, 2, 3].map(BackendId::new));
}

#[test]
fn a_draining_backend_gets_nothing_new_and_no_outcome_ends_its_draining() {
    let mut pool = pool_of(2);
    let before = pool.choose(&[], at(0)).unwrap();
    pool.drain(before.backend());
    pool.connect_failed(before, at(0));
    assert_eq!(state(&pool, 1), BackendState::Draining);
    pool.answered(before, Answer::Good, at(0));
    assert_eq!(state(&pool, 1), BackendState::Draining);
    for _ in 0..10 {
        assert_eq!(chosen(&mut pool, &[], at(0)), Some(2));
    }
    assert_eq!(chosen(&mut pool, &[BackendId::new(2)], at(0)), None);
}

#[test]
fn an_outcome_of_the_replaced_incarnation_does_not_touch_the_new_one() {
    let mut pool = pool_of(1);
    let old = pool.choose(&[], at(0)).unwrap();
    pool.insert(BackendId::new(1), Incarnation::new(77), NonZeroU16::MIN)
        .unwrap();
    assert!(!pool.finish(old));
    assert_eq!(pool.connect_failed(old, at(1)), Health::Unchanged);
    assert_eq!(state(&pool, 1), BackendState::Ready);
}

#[test]
fn a_removed_backend_is_not_chosen_and_removing_it_again_is_nothing() {
    let mut pool = pool_of(1);
    pool.remove(BackendId::new(1));
    pool.remove(BackendId::new(1));
    assert_eq!(pool.choose(&[], at(0)), None);
}

#[test]
fn a_full_pool_takes_no_more_but_still_replaces() {
    let mut pool = pool_of(u64::try_from(BACKENDS_MAX).unwrap());
    let beyond = BackendId::new(u64::MAX);
    assert_eq!(
        pool.insert(beyond, Incarnation::new(0), NonZeroU16::MIN),
        Err(PoolFull)
    );
    assert_eq!(
        pool.insert(BackendId::new(7), Incarnation::new(7), NonZeroU16::MIN),
        Ok(())
    );
}

// === weights and load ===

fn rules(balance: Balance) -> Rules {
    Rules {
        balance,
        ..Rules::default()
    }
}

#[test]
fn the_backend_with_the_fewest_requests_in_flight_is_chosen() {
    let mut pool = pool_with(rules(Balance::LeastConnections), 3);
    let first: Vec<_> = (0..3).filter_map(|_| pool.choose(&[], at(0))).collect();
    assert!(pool.finish(first[1]));
    assert_eq!(chosen(&mut pool, &[], at(0)), Some(2));
    assert!(pool.finish(first[0]));
    assert_eq!(chosen(&mut pool, &[], at(0)), Some(1));
}

#[test]
fn equally_loaded_backends_take_turns() {
    let mut pool = pool_with(rules(Balance::LeastConnections), 3);
    let mut order = Vec::new();
    for _ in 0..6 {
        let choice = pool.choose(&[], at(0)).unwrap();
        order.push(choice.backend().number());
        pool.finish(choice);
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn requests_in_flight_are_counted_against_the_weight() {
    let mut pool = Pool::new(rules(Balance::LeastConnections));
    insert(&mut pool, 1, NonZeroU16::new(3).unwrap());
    insert(&mut pool, 2, NonZeroU16::MIN);
    for _ in 0..40 {
        pool.choose(&[], at(0)).unwrap();
    }
    let in_flight = [1, 2].map(|id| pool.in_flight(BackendId::new(id)));
    assert_eq!(in_flight, [30, 10]);
}

#[test]
fn a_least_loaded_backend_that_is_out_is_not_chosen_while_another_is_left() {
    let mut pool = pool_with(rules(Balance::LeastConnections), 2);
    let first = pool.choose(&[], at(0)).unwrap();
    pool.connect_failed(first, at(0));
    pool.finish(first);
    for _ in 0..5 {
        assert_eq!(chosen(&mut pool, &[], at(1)), Some(2));
    }
}

#[test]
fn a_request_that_is_finished_twice_or_of_another_incarnation_counts_for_nothing() {
    let mut pool = pool_of(1);
    let old = pool.choose(&[], at(0)).unwrap();
    pool.insert(BackendId::new(1), Incarnation::new(9), NonZeroU16::MIN)
        .unwrap();
    let new = pool.choose(&[], at(0)).unwrap();
    assert!(!pool.finish(old));
    assert_eq!(pool.in_flight(BackendId::new(1)), 1);
    assert!(pool.finish(new) && pool.finish(new));
    assert_eq!(pool.in_flight(BackendId::new(1)), 0);
}

#[test]
fn a_new_weight_holds_from_the_next_choice_and_keeps_health() {
    let mut pool = pool_of(2);
    pool.reweigh(BackendId::new(1), NonZeroU16::new(3).unwrap());
    let ones = (0..40).filter_map(|_| chosen(&mut pool, &[], at(0)));
    assert_eq!(ones.filter(|id| *id == 1).count(), 30);
}
