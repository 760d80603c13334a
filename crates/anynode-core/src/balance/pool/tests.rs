//! What the pool promises, rule by rule.

use super::*;

fn pool_of(backends: u64) -> Pool {
    let mut pool = Pool::new();
    for id in 1..=backends {
        pool.insert(BackendId::new(id), NonZeroU16::MIN).unwrap();
    }
    pool
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
    assert_eq!(pool.answered(trial), Health::CameBack);
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
    assert_eq!(pool.connect_failed(before, at(0)), Health::Unchanged);
    assert_eq!(pool.answered(before), Health::Unchanged);
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
    pool.insert(BackendId::new(1), NonZeroU16::MIN).unwrap();
    assert!(!pool.holds(old));
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
    assert_eq!(pool.insert(beyond, NonZeroU16::MIN), Err(PoolFull));
    assert_eq!(pool.insert(BackendId::new(7), NonZeroU16::MIN), Ok(()));
}
