//! Which open connections are closed, when, and for which sessions the store is asked.

use super::*;
use crate::{
    near::Freshness,
    session::{Moment, Origin, SecretHash, Version, WriteId, record::tests::draft},
    store::Tombstone,
    time::Timestamp,
};

mod time;

const TERM: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);
const STORE: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const ASKS_MAX: usize = 4;

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; 16])
}

fn ada() -> UserId {
    UserId::new("ada").expect("a name")
}

/// A session of nobody's: unused it lives for a minute, and ten minutes in all.
fn session(number: u8) -> Live {
    draft(number).live(STORE, None)
}

/// One of ada's, who logged in then.
fn login(number: u8, seconds: u64) -> Live {
    let mut draft = draft(number);
    draft.user = Some(ada());
    draft.authenticated_at = Some(Moment::At(STORE + Duration::from_secs(seconds)));
    draft.live(STORE, None)
}

fn written(live: &Live, counter: u64) -> Live {
    let mut live = live.clone();
    let mut record = (*live.record).clone();
    let write = WriteId::from_bytes(counter.to_be_bytes());
    record.version = Version { counter, write };
    live.record = record.into();
    live
}

/// A node with a lease as of 100.0 s, and connections of these, known as of then and settled.
fn node(sessions: &[Live]) -> (OpenConnections, Vec<OpenId>) {
    let mut open = OpenConnections::new(TERM);
    open.trusts(Some(at(100.0)));
    let ids = sessions
        .iter()
        .map(|live| {
            let id = open.opened(live, at(100.0), PATIENCE);
            assert_eq!(asked(&mut open, 100.0), [id], "not by whom it was admitted");
            open.said(id, Said::Alive(live, at(100.0)));
            id
        })
        .collect();
    (open, ids)
}

fn asked(open: &mut OpenConnections, seconds: f64) -> Vec<OpenId> {
    let agenda = open.due(at(seconds), ASKS_MAX);
    agenda.asks.into_iter().map(|query| query.id).collect()
}

fn revoked(number: u8, cause: Cause) -> Event {
    Event::Revoked(Tombstone {
        handle: handle(number),
        cause,
        until: STORE + Duration::from_secs(600),
    })
}

#[test]
fn a_revocation_closes_the_connections_of_its_session_with_its_cause() {
    let (mut open, ids) = node(&[session(1), session(2)]);
    let again = open.opened(&session(1), at(100.0), PATIENCE);
    assert_eq!(again, ids[0], "one entry for all of a session");
    open.hear(&revoked(1, Cause::Admin));
    let ended = Ending::Ended(Some(Cause::Admin));
    assert_eq!(open.take_ended(), [(ids[0], ended)]);
    assert!(!open.may_pass(ids[0], at(100.1)));
    assert!(open.may_pass(ids[1], at(100.1)));
}

#[test]
fn all_of_a_user_are_closed_but_the_spared_one_and_those_of_others() {
    let (mut open, ids) = node(&[login(1, 0), login(2, 0), session(3)]);
    let entry = UserEntry::default().revoked(Some(handle(2)), STORE);
    open.hear(&Event::User(ada(), entry));
    let ended = Ending::Ended(Some(Cause::Epoch));
    assert_eq!(open.take_ended(), [(ids[0], ended)]);
    let all = entry.revoked(None, STORE + TERM);
    open.hear(&Event::User(ada(), all));
    assert_eq!(open.take_ended(), [(ids[1], ended)]);
    assert_eq!(open.len(), 1);
}

/// The spared session is stamped anew by its next write, and spared again by that stamp.
#[test]
fn a_session_in_doubt_is_asked_for_before_an_entry_ends_it() {
    let (mut open, ids) = node(&[login(1, 0)]);
    let first = UserEntry::default().revoked(Some(handle(1)), STORE);
    open.hear(&Event::User(ada(), first));
    open.hear(&Event::Changed(handle(1)));
    let other = first.revoked(None, STORE + TERM);
    open.hear(&Event::User(ada(), other));
    assert!(open.take_ended().is_empty());
    assert_eq!(asked(&mut open, 100.5), [ids[0]]);
    open.said(ids[0], Said::Dead(at(100.5)));
    let ended = Ending::Ended(Some(Cause::Epoch));
    assert_eq!(open.take_ended(), [(ids[0], ended)]);
}

#[test]
fn a_record_that_somebody_removed_has_no_cause() {
    let (mut open, ids) = node(&[session(1)]);
    open.hear(&Event::Changed(handle(1)));
    assert_eq!(asked(&mut open, 100.5), [ids[0]]);
    open.said(ids[0], Said::Dead(at(100.5)));
    assert_eq!(open.take_ended(), [(ids[0], Ending::Ended(None))]);
}

/// A primary that was deposed says that it lives, and nobody tells of what the new one writes: it
/// had been logged in to already, or was removed by hand.
#[test]
fn what_a_server_says_that_no_channel_follows_is_asked_for_again_under_a_lease() {
    let (mut open, ids) = node(&[session(1)]);
    open.hear(&Event::Changed(handle(1)));
    let elsewhere = Live {
        origin: Origin::Elsewhere,
        ..session(1)
    };
    let mut asks = 0;
    for step in 2..=30_u32 {
        let now = at(100.0 + f64::from(step) / 10.0);
        open.trusts(Some(now));
        for query in open.due(now, ASKS_MAX).asks {
            asks += 1;
            open.said(query.id, Said::Alive(&elsewhere, now));
        }
        assert!(open.may_pass(ids[0], now));
    }
    assert!((4..=8).contains(&asks), "twice a second, not {asks}");
    assert_eq!(asked(&mut open, 103.6), ids);
    open.said(ids[0], Said::Alive(&session(1), at(103.6)));
    open.trusts(Some(at(105.0)));
    assert_eq!(asked(&mut open, 105.1), []);
}

#[test]
fn a_write_has_the_store_asked_once_and_what_is_heard_meanwhile_once_more() {
    let (mut open, ids) = node(&[session(1)]);
    open.hear(&Event::Changed(handle(1)));
    assert_eq!(asked(&mut open, 100.2), [ids[0]]);
    open.hear(&Event::Changed(handle(1)));
    assert_eq!(asked(&mut open, 100.35), [], "it is being asked");
    open.said(ids[0], Said::Alive(&written(&session(1), 2), at(100.2)));
    let agenda = open.due(at(100.4), ASKS_MAX);
    assert_eq!(agenda.asks.len(), 1);
    assert_eq!(agenda.asks[0].seen.counter, 2, "no older copy will do");
    assert_eq!(agenda.asks[0].freshness, Freshness::Bounded);
    open.said(ids[0], Said::Alive(&written(&session(1), 3), at(100.4)));
    assert_eq!(asked(&mut open, 100.6), []);
    assert!(open.take_ended().is_empty());
}

#[test]
fn a_session_that_is_written_all_the_time_is_asked_for_at_a_pace() {
    let (mut open, ids) = node(&[session(1)]);
    let mut asks = 0;
    for step in 0..1_000_u32 {
        let now = at(100.2) + Duration::from_millis(step.into());
        open.trusts(Some(now));
        open.hear(&Event::Changed(handle(1)));
        for query in open.due(now, ASKS_MAX).asks {
            asks += 1;
            open.said(query.id, Said::Alive(&session(1), now));
        }
    }
    assert_eq!(asks, 10);
    assert!(open.may_pass(ids[0], at(101.2)));
}

#[test]
fn a_login_closes_what_was_opened_before_it_and_a_replaced_secret_nothing() {
    for (before, after, is_closed) in [
        (session(1), login(1, 5), true),
        (login(1, 0), login(1, 5), true),
        (login(1, 0), session(1), true),
        (login(1, 0), login(1, 0), false),
    ] {
        let (mut open, ids) = node(&[before]);
        let mut after = written(&after, 2);
        let mut record = (*after.record).clone();
        record.secret = SecretHash::from_bytes([1; 32]);
        after.record = record.into();
        open.hear(&Event::Changed(handle(1)));
        assert_eq!(asked(&mut open, 100.2), [ids[0]]);
        open.said(ids[0], Said::Alive(&after, at(100.2)));
        let expected: &[_] = match is_closed {
            true => &[(ids[0], Ending::Rebound)],
            false => &[],
        };
        assert_eq!(open.take_ended(), expected);
    }
}

#[test]
fn connections_from_before_and_after_a_login_are_told_apart() {
    let (mut open, before) = node(&[session(1)]);
    let after = open.opened(&login(1, 5), at(100.1), PATIENCE);
    assert_ne!(before[0], after);
    open.hear(&Event::Changed(handle(1)));
    for id in asked(&mut open, 100.2) {
        open.said(id, Said::Alive(&login(1, 5), at(100.2)));
    }
    assert_eq!(open.take_ended(), [(before[0], Ending::Rebound)]);
    assert!(open.may_pass(after, at(100.2)));
}

#[test]
fn nothing_is_left_of_connections_that_were_closed() {
    let (mut open, ids) = node(&[login(1, 0)]);
    open.joined(ids[0]);
    assert!(!open.closed(ids[0]), "there is another");
    assert!(open.closed(ids[0]));
    assert!(open.closed(ids[0]), "and none was closed twice");
    assert!(open.is_empty() && open.users.is_empty() && open.deadlines.is_empty());
    let entry = UserEntry::default().revoked(None, STORE);
    open.hear(&Event::User(ada(), entry));
    open.hear(&revoked(1, Cause::User));
    assert!(open.take_ended().is_empty());
}

#[test]
fn what_was_revoked_before_the_channel_was_opened_is_closed_with_its_cause() {
    let (mut open, ids) = node(&[session(1)]);
    let Event::Revoked(stone) = revoked(1, Cause::Limit) else {
        unreachable!("it is one");
    };
    let snapshot = Snapshot {
        revoked: vec![stone],
        ..Snapshot::default()
    };
    open.learn(&snapshot);
    let ended = Ending::Ended(Some(Cause::Limit));
    assert_eq!(open.take_ended(), [(ids[0], ended)]);
}
