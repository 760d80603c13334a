//! What the pool promises of backends that have enough.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::*;
use crate::balance::affinity::SourceAffinity;
use crate::balance::queue::{Queue, Want};

fn bound(pool: &mut Pool, id: u64, most: u32) {
    pool.bound(BackendId::new(id), NonZeroU32::new(most));
}

/// A pool whose every backend takes `most` requests at a time.
fn bounded(rules: Rules, backends: u64, most: u32) -> Pool {
    let mut pool = pool_with(rules, backends);
    for id in 1..=backends {
        bound(&mut pool, id, most);
    }
    pool
}

fn join<'a>(queue: &mut Queue<&'a str>, want: Want, name: &'a str) {
    queue.join(None, want, &[], name).unwrap();
}

/// Ends a request at backend `id` and returns who gets its place.
fn end<'a>(pool: &mut Pool, queue: &mut Queue<&'a str>, choice: Choice) -> Option<&'a str> {
    assert!(pool.finish(choice));
    let (name, next) = pool.hand_over(queue, choice.backend(), at(1))?;
    assert_eq!(next.backend(), choice.backend());
    Some(name)
}

fn home_of(id: u64) -> Incarnation {
    Incarnation::new(id)
}

#[test]
fn no_backend_gets_more_than_its_bound_by_any_rule_and_the_others_get_the_rest() {
    for balance in [Balance::RoundRobin, Balance::LeastConnections] {
        let rules = Rules {
            balance,
            ..Rules::default()
        };
        let mut pool = pool_with(rules, 3);
        bound(&mut pool, 1, 2);
        bound(&mut pool, 2, 1);
        for _ in 0..20 {
            pool.choose(&[], at(0)).unwrap();
        }
        let in_flight = [1, 2, 3].map(|id| pool.in_flight(BackendId::new(id)));
        assert_eq!(in_flight, [2, 1, 17], "{balance:?}");
        assert_eq!(state(&pool, 1), BackendState::Full);
        assert_eq!(state(&pool, 3), BackendState::Ready);
    }
}

#[test]
fn where_all_are_full_a_request_waits_and_where_none_is_left_it_does_not() {
    let mut pool = bounded(Rules::default(), 2, 1);
    for _ in 0..2 {
        pool.choose(&[], at(0)).unwrap();
    }
    assert_eq!(pool.choose(&[], at(0)), None);
    assert_eq!(pool.full(&[]), Some(Want::Anyone));
    assert_eq!(pool.full(&[BackendId::new(1), BackendId::new(2)]), None);
    pool.drain(BackendId::new(1));
    pool.drain(BackendId::new(2));
    assert_eq!(pool.full(&[]), None);
}

#[test]
fn one_that_is_down_is_not_tried_instead_of_one_that_is_full() {
    let mut pool = pool_of(2);
    let down = pool.choose(&[], at(0)).unwrap();
    pool.connect_failed(down, at(0));
    pool.finish(down);
    let well = 3 - down.backend().number();
    bound(&mut pool, well, 1);
    assert_eq!(chosen(&mut pool, &[], at(1)), Some(well));
    assert_eq!(chosen(&mut pool, &[], at(1)), None);
    // Nobody is well but full: those that are down are all there is.
    assert_eq!(
        chosen(&mut pool, &[BackendId::new(well)], at(1)),
        Some(down.backend().number())
    );
}

#[test]
fn a_place_goes_to_the_first_who_waits_for_it() {
    let mut pool = bounded(Rules::default(), 2, 1);
    let (first, second) = (pool.choose(&[], at(0)), pool.choose(&[], at(0)));
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut queue = Queue::new(9);
    join(
        &mut queue,
        Want::Client(second.incarnation()),
        "client of second",
    );
    join(
        &mut queue,
        Want::Client(first.incarnation()),
        "client of first",
    );
    join(&mut queue, Want::Anyone, "anybody");
    join(&mut queue, Want::Anyone, "last");
    assert_eq!(end(&mut pool, &mut queue, first), Some("client of first"));
    assert_eq!(pool.in_flight(first.backend()), 1);
    assert_eq!(end(&mut pool, &mut queue, first), Some("anybody"));
    assert_eq!(end(&mut pool, &mut queue, second), Some("client of second"));
    assert_eq!(end(&mut pool, &mut queue, second), Some("last"));
    assert!(queue.is_empty());
    assert_eq!(end(&mut pool, &mut queue, second), None);
}

#[test]
fn a_request_is_not_given_what_it_has_tried_and_a_drained_place_only_to_its_clients() {
    let mut pool = bounded(Rules::default(), 1, 1);
    let choice = pool.choose(&[], at(0)).unwrap();
    let mut queue = Queue::new(9);
    let tried = [choice.backend()];
    queue.join(None, Want::Anyone, &tried, "tried it").unwrap();
    assert_eq!(end(&mut pool, &mut queue, choice), None);
    let choice = pool.choose(&[], at(0)).unwrap();
    pool.drain(choice.backend());
    join(&mut queue, Want::Anyone, "new");
    join(&mut queue, Want::Source(choice.incarnation()), "by address");
    join(&mut queue, Want::Client(choice.incarnation()), "client");
    assert_eq!(end(&mut pool, &mut queue, choice), Some("client"));
    assert_eq!(queue.len(), 3);
}

#[test]
fn no_place_is_given_at_a_backend_that_is_down_or_was_bounded_lower() {
    let mut pool = bounded(Rules::default(), 2, 2);
    let choices: Vec<_> = (0..4).filter_map(|_| pool.choose(&[], at(0))).collect();
    let mut queue = Queue::new(9);
    join(&mut queue, Want::Anyone, "anybody");
    join(&mut queue, Want::Client(home_of(1)), "client");
    bound(&mut pool, 2, 1);
    assert_eq!(end(&mut pool, &mut queue, choices[1]), None);
    assert_eq!(end(&mut pool, &mut queue, choices[3]), Some("anybody"));
    pool.connect_failed(choices[0], at(0));
    assert_eq!(end(&mut pool, &mut queue, choices[0]), None);
}

#[test]
fn a_queue_is_bounded_and_who_looked_again_stands_where_it_stood() {
    let mut queue = Queue::new(2);
    let first = queue.join(None, Want::Anyone, &[], "first").unwrap();
    let second = queue.join(None, Want::Anyone, &[], "second").unwrap();
    assert_eq!(queue.join(None, Want::Anyone, &[], "third"), None);
    assert_eq!(queue.dismiss().collect::<Vec<_>>(), ["first", "second"]);
    for (ticket, name) in [(second, "second"), (first, "first")] {
        queue.join(Some(ticket), Want::Anyone, &[], name).unwrap();
    }
    assert_eq!(queue.call(|_, _| true), Some("first"));
    queue.leave(second);
    assert!(queue.is_empty());
}

#[test]
fn a_client_by_address_waits_for_its_backend_and_spills_to_one_with_room() {
    let source = Source::of(IpAddr::from([192, 0, 2, 1]), SourceAffinity::default());
    let mut pool = bounded(Rules::default(), 3, 1);
    let home = pool.choose_by_source(source, &[], at(0)).unwrap();
    assert_eq!(pool.choose_by_source(source, &[], at(0)), None);
    let want = pool.full_home(source, &[], at(0));
    assert_eq!(want, Some(Want::Source(home.incarnation())));
    let others: Vec<_> = (0..2)
        .filter_map(|_| pool.spill_by_source(source, &[], at(0)))
        .map(|choice| choice.backend())
        .collect();
    assert_eq!(others.len(), 2);
    assert!(!others.contains(&home.backend()) && others[0] != others[1]);
    assert_eq!(pool.spill_by_source(source, &[], at(0)), None);
    pool.finish(home);
    let again = pool.choose_by_source(source, &[], at(0)).unwrap();
    assert_eq!(again.backend(), home.backend());
}
