//! What gets in, and what keeps it out.

use super::*;

#[test]
fn a_load_that_was_overtaken_by_an_event_does_not_get_in() {
    let mut node = node();
    let token = node.horizon.token();
    node.forget();
    assert_eq!(node.insert(&version(1), token, 100.1), Fill::Raced);
    assert_eq!(node.look(ask(100.2)), Err(Why::Absent));
}

#[test]
fn a_load_that_was_overtaken_by_a_flush_of_its_shard_does_not_get_in() {
    let mut node = node();
    for (shard, live, expected) in [
        (A, version(1), Fill::Raced),
        (B, version(1), Fill::Kept),
        (B, bound(1), Fill::Raced),
    ] {
        let token = node.horizon.token();
        node.horizon.flush(shard);
        assert_eq!(node.insert(&live, token, 100.1), expected, "{shard:?}");
    }
}

#[test]
fn a_load_that_was_overtaken_by_a_revocation_of_its_user_does_not_get_in() {
    let mut node = node();
    let token = node.horizon.token();
    node.horizon.user_revoked(&ada());
    assert_eq!(node.insert(&bound(1), token, 100.1), Fill::Raced);
    assert_eq!(
        node.insert(&version(1), token, 100.1),
        Fill::Kept,
        "nobody's"
    );
}

#[test]
fn nothing_gets_in_without_the_leases_it_will_be_used_under() {
    let mut node = node();
    let token = node.horizon.token();
    node.horizon.trust(B, None);
    assert_eq!(node.insert(&bound(1), token, 100.1), Fill::Untrusted);
    assert_eq!(node.insert(&version(1), token, 101.0), Fill::Untrusted);
    assert_eq!(node.insert(&version(1), token, 100.9), Fill::Kept);
}

/// It reaches a primary that was deposed, and nobody tells of what the new one writes since.
#[test]
fn nothing_is_kept_that_comes_from_a_server_which_no_channel_follows() {
    let mut node = node();
    let elsewhere = |counter| Live {
        origin: Origin::Elsewhere,
        ..version(counter)
    };
    let token = node.horizon.token();
    assert_eq!(node.insert(&elsewhere(1), token, 100.1), Fill::Elsewhere);
    assert_eq!(node.look(ask(100.2)), Err(Why::Absent));

    node.insert(&version(1), token, 100.2);
    let token = node.horizon.token();
    assert_eq!(node.wrote(&elsewhere(2), token, 100.3), Fill::Elsewhere);
    assert_eq!(node.look(ask(100.4)), Err(Why::Absent), "before the write");
}

#[test]
fn what_a_store_says_that_refused_a_heartbeat_proves_nothing() {
    let mut node = node();
    let token = node.horizon.token();
    node.horizon.refuse(B);
    assert_eq!(node.insert(&bound(1), token, 100.1), Fill::Refused);
    assert_eq!(node.insert(&version(1), token, 100.1), Fill::Kept);
}

#[test]
fn nothing_gets_in_under_a_tombstone_or_with_an_outdated_stamp() {
    let mut node = node();
    node.loaded(&version(1), 100.0);
    let tombstone = Tombstone {
        handle: HANDLE,
        cause: Cause::User,
        until: STORE,
    };
    let revoked = Assertion::Session(tombstone);
    node.memory.heard(revoked, at(100.1)).expect("room");
    let token = node.horizon.token();
    assert_eq!(node.insert(&version(2), token, 100.2), Fill::Revoked);
    assert_eq!(
        node.look(ask(100.3)),
        Err(Why::Absent),
        "and the copy is gone"
    );

    let mut node = super::node();
    let entry = UserEntry::default().revoked(None, STORE);
    let known = Assertion::User(ada(), entry);
    let mut outdated = bound(1);
    outdated.user = Some(entry);
    let token = node.horizon.token();
    assert_eq!(node.insert(&outdated, token, 100.1), Fill::Ended);
    node.memory.heard(known, at(100.1)).expect("room");
    assert_eq!(node.insert(&bound(1), token, 100.1), Fill::Revoked);
}

#[test]
fn a_copy_gives_way_to_no_older_version_and_no_older_load() {
    let mut node = node();
    let token = node.horizon.token();
    node.loaded(&version(2), 100.2);
    assert_eq!(node.insert(&version(1), token, 100.3), Fill::Older);
    assert_eq!(node.insert(&version(2), token, 100.1), Fill::Older);
    assert_eq!(node.insert(&version(2), token, 100.3), Fill::Kept);
    assert_eq!(node.insert(&version(3), token, 100.1), Fill::Kept);
    assert_eq!(node.look(ask(100.4)), Ok(3));
}

#[test]
fn a_copy_that_was_flushed_gives_way_to_a_store_that_lost_writes() {
    let mut node = node();
    node.loaded(&version(7), 100.0);
    node.horizon.flush(A);
    node.loaded(&version(5), 100.1);
    assert_eq!(node.look(ask(100.2)), Ok(5));
}

#[test]
fn a_copy_past_its_maximum_age_keeps_nothing_out() {
    let mut node = node();
    let mut live = version(7);
    live.idle_deadline = STORE + at(600.0);
    node.loaded(&live, 100.0);
    node.trusted(160.0);
    node.loaded(&version(5), 160.0);
    assert_eq!(node.look(ask(160.1)), Ok(5));
}

#[test]
fn an_own_write_enters_only_after_it_was_acknowledged() {
    let mut node = node();
    node.loaded(&version(1), 100.0);
    let draft = version(1).record.draft(version(2).record.version);
    let token = node.shard.write(&draft, &node.horizon);
    assert_eq!(node.look(ask(100.2)), Ok(1), "it may never happen");
    assert_eq!(node.wrote(&version(2), token, 100.1), Fill::Kept);
    assert_eq!(node.look(ask(100.3)), Ok(2));
}

#[test]
fn an_own_write_that_was_overtaken_by_another_leaves_no_copy() {
    let mut node = node();
    node.loaded(&version(1), 100.0);
    let token = node.horizon.token();
    node.forget();
    node.loaded(&version(1), 100.1);
    assert_eq!(node.wrote(&version(2), token, 100.0), Fill::Raced);
    assert_eq!(node.look(ask(100.2)), Err(Why::Absent));
}

#[test]
fn an_own_write_bars_the_loads_that_were_sent_before_its_acknowledgement() {
    let mut node = node();
    let before = node.horizon.token();
    let token = node.horizon.token();
    assert_eq!(node.wrote(&version(2), token, 100.1), Fill::Kept);
    assert_eq!(node.insert(&version(2), before, 100.2), Fill::Raced);
}

#[test]
fn an_own_write_leaves_a_copy_that_is_later_still() {
    let mut node = node();
    let token = node.horizon.token();
    node.loaded(&version(3), 100.1);
    assert_eq!(node.wrote(&version(2), token, 100.0), Fill::Older);
    assert_eq!(node.look(ask(100.2)), Ok(3));
}

#[test]
fn a_handle_has_the_same_shard_always_and_handles_are_spread() {
    let handles = (0..=255_u8).map(|number| Handle::from_bytes([number; 16]));
    let mut counts = [0; 8];
    for handle in handles {
        assert_eq!(Shard::of(&handle, 8), Shard::of(&handle, 8));
        counts[Shard::of(&handle, 8)] += 1;
    }
    assert!(
        counts.iter().all(|count| (10..=60).contains(count)),
        "{counts:?}"
    );
}
