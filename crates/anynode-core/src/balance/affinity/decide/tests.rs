//! The table of what becomes of a client, row by row.

use std::num::{NonZeroU16, NonZeroU32};

use super::*;
use crate::balance::backend::{BackendId, Incarnation};
use crate::balance::pool::Rules;

const NOW: u64 = 1_800_000_000;

fn pool() -> Pool {
    let mut pool = Pool::new(Rules::default());
    for id in 1..=3 {
        let incarnation = Incarnation::new(100 + id);
        let id = BackendId::new(id);
        pool.insert(id, incarnation, NonZeroU16::MIN).unwrap();
    }
    pool
}

fn decided(pool: &mut Pool, when_gone: WhenGone) -> (bool, Route, AffinityOutcome) {
    let pin = Pin {
        incarnation: Incarnation::new(101),
        issued: NOW,
        seen: NOW,
    };
    let (route, outcome) = decide(
        Lookup::Valid(pin),
        pool,
        when_gone,
        Patience::Left,
        Duration::ZERO,
    );
    (matches!(route, Route::Pinned(_)), route, outcome)
}

#[test]
fn whatever_is_wrong_with_a_cookie_its_request_is_balanced_even_on_a_strict_route() {
    for (lookup, outcome) in [
        (Lookup::Absent, AffinityOutcome::Absent),
        (Lookup::Malformed, AffinityOutcome::Malformed),
        (Lookup::UnknownKey, AffinityOutcome::UnknownKey),
        (Lookup::BadMac, AffinityOutcome::BadMac),
        (Lookup::Future, AffinityOutcome::Future),
        (Lookup::ExpiredIdle, AffinityOutcome::ExpiredIdle),
        (Lookup::ExpiredLife, AffinityOutcome::ExpiredLife),
    ] {
        for when_gone in [WhenGone::Rebalance, WhenGone::Refuse] {
            let decided = decide(
                lookup,
                &mut pool(),
                when_gone,
                Patience::Left,
                Duration::ZERO,
            );
            assert_eq!(decided, (Route::Balance, outcome));
        }
    }
}

#[test]
fn a_client_of_a_backend_that_is_well_or_drains_stays() {
    let mut pool = pool();
    for when_gone in [WhenGone::Rebalance, WhenGone::Refuse] {
        let (stays, _, outcome) = decided(&mut pool, when_gone);
        assert_eq!((stays, outcome), (true, AffinityOutcome::Kept));
        pool.drain(BackendId::new(1));
    }
}

#[test]
fn a_client_of_a_backend_that_is_gone_moves_or_waits_as_the_route_says() {
    let mut unknown = pool();
    unknown.remove(BackendId::new(1));
    let mut down = pool();
    let choice = down.choose(&[], Duration::ZERO).unwrap();
    down.connect_failed(choice, Duration::ZERO);
    for (mut pool, expected) in [
        (unknown, AffinityOutcome::UnknownNode),
        (down, AffinityOutcome::Down),
    ] {
        let (_, route, outcome) = decided(&mut pool, WhenGone::Rebalance);
        assert_eq!((route, outcome), (Route::Balance, expected));
        let (_, route, outcome) = decided(&mut pool, WhenGone::Refuse);
        assert_eq!((route, outcome), (Route::Refuse, expected));
    }
}

#[test]
fn a_client_of_a_full_backend_waits_then_spills_or_is_refused_and_keeps_its_cookie() {
    let pin = Pin {
        incarnation: Incarnation::new(101),
        issued: NOW,
        seen: NOW,
    };
    let mut pool = pool();
    pool.bound(BackendId::new(1), NonZeroU32::new(1));
    let mut decided = |when_gone, patience| {
        let lookup = Lookup::Valid(pin);
        decide(lookup, &mut pool, when_gone, patience, Duration::ZERO)
    };
    let first = decided(WhenGone::Rebalance, Patience::Left);
    assert!(matches!(first, (Route::Pinned(_), AffinityOutcome::Kept)));
    let queue = Route::Queue(Want::Client(pin.incarnation));
    for (when_gone, patience, expected) in [
        (
            WhenGone::Rebalance,
            Patience::Left,
            (queue, AffinityOutcome::Full),
        ),
        (
            WhenGone::Refuse,
            Patience::Left,
            (queue, AffinityOutcome::Full),
        ),
        (
            WhenGone::Rebalance,
            Patience::Over,
            (Route::Spill, AffinityOutcome::Spilled),
        ),
        (
            WhenGone::Refuse,
            Patience::Over,
            (Route::Refuse, AffinityOutcome::Full),
        ),
    ] {
        assert_eq!(decided(when_gone, patience), expected);
    }
}

#[test]
fn a_restarted_node_knows_no_client_of_its_predecessor() {
    let mut pool = pool();
    let restarted = Incarnation::named("n1", "second start");
    assert_ne!(restarted, Incarnation::named("n1", "first start"));
    pool.insert(BackendId::new(1), restarted, NonZeroU16::MIN)
        .unwrap();
    let (_, route, outcome) = decided(&mut pool, WhenGone::Rebalance);
    let expected = (Route::Balance, AffinityOutcome::UnknownNode);
    assert_eq!((route, outcome), expected);
}
