//! What happens when time goes by and nothing is heard.

use super::*;

#[test]
fn under_a_lease_nobody_is_asked_for_sessions_of_which_nothing_was_heard() {
    let (mut open, _) = node(&[session(1), session(2)]);
    for step in 1..300_u32 {
        let now = 100.0 + f64::from(step) / 10.0;
        open.trusts(Some(at(now)));
        let agenda = open.due(at(now), ASKS_MAX);
        assert!(agenda.asks.is_empty(), "at {now}");
        assert_eq!(agenda.until, Some(at(now) + TERM * 2 / 3));
    }
    assert!(open.take_ended().is_empty());
}

#[test]
fn before_a_lease_runs_out_the_store_is_asked_for_every_session_a_few_at_a_time() {
    let sessions: Vec<_> = (1..=6).map(session).collect();
    let (mut open, ids) = node(&sessions);
    assert_eq!(asked(&mut open, 100.6), []);
    let agenda = open.due(at(100.7), ASKS_MAX);
    let is_strict = |query: &Query| query.freshness == Freshness::Strict;
    assert!(
        agenda.asks.iter().all(is_strict),
        "a copy would say nothing new"
    );
    let first: Vec<_> = agenda.asks.iter().map(|query| query.id).collect();
    assert_eq!(first, ids[..4]);
    open.said(first[0], Said::Alive(&sessions[0], at(100.7)));
    assert_eq!(asked(&mut open, 100.75), [ids[4]], "one answer, one more");
    for (id, live) in ids.iter().zip(&sessions).take(5) {
        open.said(*id, Said::Alive(live, at(100.8)));
    }
    assert_eq!(asked(&mut open, 100.85), [ids[5]]);
    assert!(open.take_ended().is_empty());
}

#[test]
fn what_nothing_is_known_of_for_its_patience_is_closed_and_nothing_passes_it() {
    let (mut open, ids) = node(&[session(1)]);
    open.trusts(None);
    let mut asks = 0;
    for step in 1..=19_u32 {
        let now = 100.0 + f64::from(step) / 10.0;
        for id in asked(&mut open, now) {
            asks += 1;
            open.said(id, Said::Nothing);
        }
        assert!(open.may_pass(ids[0], at(now)));
    }
    assert!(asks > 5, "it was asked for {asks} times");
    assert!(!open.may_pass(ids[0], at(102.0)), "nobody looked yet");
    assert_eq!(asked(&mut open, 102.0), []);
    assert_eq!(open.take_ended(), [(ids[0], Ending::Unknown)]);
    assert_eq!(open.due(at(103.0), ASKS_MAX).until, None);
}

#[test]
fn a_node_that_stood_still_lets_nothing_pass_and_asks_before_it_closes() {
    let (mut open, ids) = node(&[session(1), session(2)]);
    assert!(!open.may_pass(ids[0], at(150.0)));
    assert_eq!(asked(&mut open, 150.0), ids);
    open.said(ids[0], Said::Alive(&session(1), at(150.0)));
    assert!(open.may_pass(ids[0], at(150.1)));
    open.said(ids[1], Said::Nothing);
    asked(&mut open, 150.5);
    assert!(open.take_ended().is_empty());
    asked(&mut open, 151.0);
    assert_eq!(open.take_ended(), [(ids[1], Ending::Unknown)]);
}

#[test]
fn a_store_that_answers_keeps_connections_open_without_a_lease() {
    let (mut open, ids) = node(&[session(1)]);
    open.trusts(None);
    let mut asks = 0;
    for step in 0..200_u32 {
        let now = at(100.0) + Duration::from_millis(50) * step;
        for query in open.due(now, ASKS_MAX).asks {
            asks += 1;
            open.said(query.id, Said::Alive(&session(1), now));
        }
    }
    assert!(open.may_pass(ids[0], at(110.0)));
    assert!((10..=20).contains(&asks), "twice in a lease, not {asks}");
}

#[test]
fn a_channel_that_resumes_settles_what_it_was_silent_of_and_a_flush_does_not() {
    let (mut open, ids) = node(&[session(1)]);
    open.trusts(None);
    open.trusts(Some(at(100.5)));
    assert_eq!(asked(&mut open, 100.6), []);
    open.hear(&Event::Flush);
    assert_eq!(asked(&mut open, 100.7), [ids[0]]);
    open.said(ids[0], Said::Nothing);
    // The lease says nothing of what came before the flush.
    open.trusts(Some(at(102.4)));
    asked(&mut open, 102.5);
    assert_eq!(open.take_ended(), [(ids[0], Ending::Unknown)]);
}

#[test]
fn a_deadline_has_the_store_asked_which_knows_of_touches() {
    let (mut open, ids) = node(&[session(1)]);
    let trusted = |open: &mut OpenConnections, seconds| {
        open.trusts(Some(at(seconds)));
        asked(open, seconds)
    };
    assert_eq!(trusted(&mut open, 159.0), []);
    assert_eq!(trusted(&mut open, 159.5), [ids[0]]);
    let mut touched = session(1);
    touched.now = STORE + Duration::from_secs(59);
    touched.idle_deadline = touched.now + Duration::from_secs(60);
    open.said(ids[0], Said::Alive(&touched, at(159.5)));
    assert_eq!(trusted(&mut open, 200.0), []);
    assert_eq!(trusted(&mut open, 219.0), [ids[0]]);
    open.said(ids[0], Said::Dead(at(219.0)));
    let idle = Ending::Ended(Some(Cause::Idle));
    assert_eq!(open.take_ended(), [(ids[0], idle)]);
}

#[test]
fn the_absolute_deadline_is_told_from_the_idle_one() {
    let mut live = session(1);
    live.idle_deadline = live.record.deadline;
    let (mut open, ids) = node(&[live]);
    open.trusts(Some(at(700.0)));
    assert_eq!(asked(&mut open, 700.0), [ids[0]]);
    open.said(ids[0], Said::Dead(at(700.0)));
    let absolute = Ending::Ended(Some(Cause::Absolute));
    assert_eq!(open.take_ended(), [(ids[0], absolute)]);
}
