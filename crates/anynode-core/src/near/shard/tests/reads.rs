//! For which request a copy may be used.

use super::*;

fn with(live: &Live) -> Node {
    let mut node = node();
    node.loaded(live, 100.0);
    node
}

/// A session that may go unused for as long as it may live: 600 s.
fn lasting() -> Live {
    let mut live = version(1);
    std::sync::Arc::make_mut(&mut live.record).idle_timeout = at(600.0);
    live.idle_deadline = STORE + at(600.0);
    live
}

#[test]
fn a_copy_is_used_until_the_lease_ends_and_not_at_its_end() {
    let mut node = with(&version(1));
    assert_eq!(node.look(ask(100.999)), Ok(1));
    assert_eq!(node.look(ask(101.0)), Err(Why::Untrusted));
    node.trusted(100.5);
    assert_eq!(node.look(ask(101.0)), Ok(1));
    node.horizon.trust(A, None);
    assert_eq!(node.look(ask(101.0)), Err(Why::Untrusted));
}

#[test]
fn a_bound_session_needs_the_lease_of_its_users_shard_as_well() {
    let mut node = with(&bound(1));
    node.horizon.trust(A, Some(at(100.9)));
    assert_eq!(node.look(ask(100.999)), Ok(1));
    assert_eq!(node.look(ask(101.0)), Err(Why::Untrusted));
    node.horizon.trust(B, None);
    assert_eq!(node.look(ask(100.95)), Err(Why::Untrusted));
}

#[test]
fn a_flush_or_a_revocation_of_the_user_outdates_every_copy_from_before() {
    let mut node = with(&bound(1));
    node.horizon
        .user_revoked(&UserId::new("bob").expect("a name"));
    assert_eq!(node.look(ask(100.1)), Ok(1));
    node.horizon.user_revoked(&ada());
    assert_eq!(node.look(ask(100.2)), Err(Why::Outdated));
    node.loaded(&bound(2), 100.3);
    assert_eq!(node.look(ask(100.4)), Ok(2));
    node.horizon.flush(B);
    assert_eq!(node.look(ask(100.5)), Err(Why::Outdated));
}

#[test]
fn a_strict_request_is_answered_by_no_copy_unless_that_was_validated_for_it() {
    let strict = |now| Ask {
        freshness: Freshness::Strict,
        ..ask(now)
    };
    assert_eq!(with(&version(1)).look(strict(100.1)), Err(Why::Strict));
    let mut node = node();
    node.horizon = Horizon::new(ChannelKind::ValidatedPerRead, Duration::ZERO, 2);
    node.trusted(100.0);
    node.loaded(&version(1), 100.0);
    node.trusted(50.0);
    assert_eq!(node.look(strict(100.1)), Err(Why::Untrusted));
    node.trusted(100.1);
    assert_eq!(node.look(strict(100.1)), Ok(1));
    assert_eq!(
        node.look(ask(100.2)),
        Err(Why::Untrusted),
        "not for this one"
    );
}

#[test]
fn without_a_lease_a_copy_may_be_as_old_as_the_route_allows() {
    let stale_ok = |now, age| Ask {
        freshness: Freshness::StaleOk(at(age)),
        ..ask(now)
    };
    let mut node = with(&bound(1));
    node.trusted(101.0);
    assert_eq!(node.look(stale_ok(110.9, 10.0)), Ok(1), "known as of 101");
    node.horizon.trust(A, None);
    assert_eq!(node.look(stale_ok(109.9, 10.0)), Ok(1));
    assert_eq!(node.look(stale_ok(110.0, 10.0)), Err(Why::Untrusted));
    node.horizon.flush(A);
    assert_eq!(node.look(stale_ok(109.9, 10.0)), Ok(1));
    assert_eq!(node.look(stale_ok(109.9, f64::from(u32::MAX))), Ok(1));
    node.horizon.user_revoked(&ada());
    assert_eq!(
        node.look(stale_ok(109.9, 10.0)),
        Err(Why::Outdated),
        "known"
    );
}

#[test]
fn a_copy_is_known_to_be_right_as_of_its_load_or_the_last_barrier() {
    let mut node = node();
    node.loaded(&version(1), 100.5);
    let as_of = |node: &mut Node| match node.shard.look(&ask(100.9), &node.horizon) {
        Look::Hit(hit) => hit.as_of(),
        Look::Miss(miss) => panic!("{:?}", miss.why),
    };
    assert_eq!(as_of(&mut node), at(100.5));
    node.trusted(100.8);
    assert_eq!(as_of(&mut node), at(100.8));
}

#[test]
fn a_route_that_may_be_stale_for_longer_than_the_maximum_age_is() {
    let mut node = with(&lasting());
    node.horizon.trust(A, None);
    let stale_ok = |now| Ask {
        freshness: Freshness::StaleOk(at(300.0)),
        ..ask(now)
    };
    assert_eq!(node.look(stale_ok(399.9)), Ok(1));
    assert_eq!(node.look(stale_ok(400.0)), Err(Why::Untrusted));
}

#[test]
fn no_copy_outlives_its_maximum_age_whatever_the_channel_says() {
    let mut node = with(&lasting());
    node.trusted(159.9);
    assert_eq!(node.look(ask(159.999)), Ok(1));
    assert_eq!(node.look(ask(160.0)), Err(Why::Aged));
}

#[test]
fn a_copy_without_a_maximum_age_is_compared_with_an_answer_as_any_other() {
    let mut node = node();
    let bounds = Bounds {
        copies_max: 100,
        bytes_max: 1 << 20,
    };
    node.shard = Shard::new(Limits {
        age_max: Duration::MAX,
        ..Limits::new(bounds)
    });
    for counter in [2, 1] {
        let live = version(counter);
        let answer = answer(&live, node.horizon.token(), 100.0);
        node.shard
            .insert(&answer, at(100.1), &node.horizon, &node.memory);
    }
    assert_eq!(node.look(ask(100.2)), Ok(2), "the later version stays");
}

#[test]
fn a_copy_ends_by_the_clock_of_the_store_counted_from_the_send_time() {
    let (mut node, live) = (node(), version(1));
    let answer = answer(&live, node.horizon.token(), 100.0);
    // Whenever the answer comes: its 60 s of idle time had begun when it was asked for.
    let fill = node
        .shard
        .insert(&answer, at(100.9), &node.horizon, &node.memory);
    assert_eq!(fill, Fill::Kept);
    node.trusted(159.0);
    assert_eq!(node.look(ask(159.3)), Ok(1));
    assert_eq!(node.look(ask(159.4)), Err(Why::Ended), "a hundredth early");
}

#[test]
fn a_secret_that_does_not_match_a_copy_is_a_miss_at_a_pace() {
    let mut node = with(&version(1));
    let wrong = Ask {
        secret: Some(&OTHER),
        ..ask(100.001)
    };
    let Look::Miss(miss) = node.shard.look(&wrong, &node.horizon) else {
        panic!("a mismatch on a copy decides nothing");
    };
    let expected = (Why::Secret, at(100.0) + Limits::PACE);
    assert_eq!((miss.why, miss.not_before), expected);
    let unjudged = Ask {
        secret: None,
        ..ask(100.001)
    };
    assert_eq!(node.look(unjudged), Ok(1));
}

#[test]
fn a_previous_secret_is_good_until_its_grace_ends_in_the_store() {
    let mut live = version(1);
    let record = std::sync::Arc::make_mut(&mut live.record);
    record.previous = Some(crate::session::Previous {
        secret: OTHER,
        until: STORE + at(0.5),
    });
    let mut node = with(&live);
    let previous = |now| Ask {
        secret: Some(&OTHER),
        ..ask(now)
    };
    assert_eq!(node.look(previous(100.4)), Ok(1));
    assert_eq!(node.look(previous(100.5)), Err(Why::Secret));
}

#[test]
fn a_client_is_shown_what_it_has_seen_or_the_store_is_asked() {
    let mut node = with(&version(2));
    let seen = |version: &Live| Ask {
        seen: Some(version.record.version),
        ..ask(100.1)
    };
    assert_eq!(node.look(seen(&version(2))), Ok(2));
    // It wrote that after a fail-over, perhaps, that lost the second one.
    assert_eq!(node.look(seen(&version(1))), Err(Why::Unseen));
    assert_eq!(node.look(seen(&version(3))), Err(Why::Unseen));
    let mut lost = version(2);
    std::sync::Arc::make_mut(&mut lost.record).version.write = WriteId::from_bytes([7; 8]);
    assert_eq!(
        node.look(seen(&lost)),
        Err(Why::Unseen),
        "another second one"
    );
}

#[test]
fn a_touch_moves_the_end_forward_only() {
    let mut node = with(&version(1));
    node.trusted(120.0);
    node.shard.touched(&HANDLE, at(90.0), at(120.0));
    node.trusted(158.9);
    assert_eq!(node.look(ask(159.3)), Ok(1), "not moved back");
    node.shard.touched(&HANDLE, at(110.0), at(120.0));
    assert_eq!(node.look(ask(159.5)), Ok(1));
    let Look::Hit(hit) = node.shard.look(&ask(159.5), &node.horizon) else {
        panic!("it is there");
    };
    let live = hit.live(at(159.5));
    assert!(live.idle_deadline > STORE + at(60.0));
    assert!(live.idle_deadline <= STORE + at(70.0));
    assert_eq!(live.now, STORE + at(59.5));
}

#[test]
fn no_touch_moves_the_end_past_the_absolute_deadline() {
    let mut node = with(&lasting());
    node.shard.touched(&HANDLE, at(500.0), at(500.0));
    let stale_ok = |now| Ask {
        freshness: Freshness::StaleOk(at(900.0)),
        ..ask(now)
    };
    assert_eq!(node.look(stale_ok(693.9)), Ok(1));
    assert_eq!(node.look(stale_ok(694.0)), Err(Why::Ended));
}

#[test]
fn a_touch_that_came_when_the_session_may_have_ended_moves_nothing() {
    let mut node = with(&version(1));
    node.shard.touched(&HANDLE, at(159.0), at(159.5));
    node.trusted(159.0);
    assert_eq!(node.look(ask(159.5)), Err(Why::Ended));
}

#[test]
fn a_miss_reads_through_unless_the_session_is_dead_or_the_store_refused() {
    let mut node = node();
    let question = ask(100.1);
    let go = |node: &Node| through(&question, &node.horizon, &node.memory);
    assert_eq!(go(&node), Through::Read);
    node.horizon.trust(A, None);
    assert_eq!(
        go(&node),
        Through::Read,
        "a heartbeat that was not answered"
    );
    node.horizon.refuse(A);
    assert_eq!(go(&node), Through::Refused);
    let tombstone = Tombstone {
        handle: HANDLE,
        cause: Cause::User,
        until: STORE,
    };
    let revoked = Assertion::Session(tombstone);
    node.memory.heard(revoked, at(100.1)).expect("room");
    assert_eq!(go(&node), Through::Dead, "whatever the store would say");
}

#[test]
fn a_hit_gives_the_record_as_the_store_answered_it() {
    let mut live = bound(3);
    live.user = Some(UserEntry {
        epoch: Epoch::ZERO,
        spared: None,
    });
    let mut node = with(&live);
    let Look::Hit(hit) = node.shard.look(&ask(100.0), &node.horizon) else {
        panic!("it is there");
    };
    assert_eq!(hit.live(at(100.0)), live);
    assert_eq!(hit.as_of(), at(100.0));
}
