//! Answers that do not know what was acknowledged.

use std::time::Duration;

use crate::checker::staleness;
use crate::history::{Age, Ask, End, EndKind, Source, Told, Witnessed, Write};

const BOUND: Duration = Duration::from_millis(1_000);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An answer of so many visits, asked for at this millisecond, from knowledge this old.
fn counted(visits: u64, sent: u64, old: u64) -> Ask {
    let age = Age {
        old: millis(old),
        from: Source::Copy,
    };
    Ask {
        session: 1,
        node: 1,
        sent: millis(sent),
        heard: millis(sent + 2),
        told: Told::Accepted {
            visits,
            age: Some(age),
        },
    }
}

/// The first visit was acknowledged at 100, the second at 200, the third never, and the end of
/// the session at 5000.
fn witnessed(asks: Vec<Ask>) -> Witnessed {
    let write = |visits, at: Option<u64>| Write {
        session: 1,
        visits,
        acknowledged: at.map(millis),
    };
    let end = End {
        kind: EndKind::Session,
        sessions: vec![1],
        by: Some(0),
        spared: None,
        asked: millis(4_990),
        acknowledged: Some(millis(5_000)),
    };
    Witnessed {
        asks,
        writes: vec![
            write(Some(1), Some(100)),
            write(Some(2), Some(200)),
            write(None, None),
        ],
        ends: vec![end],
    }
}

/// How far an answer is behind, whether that is beyond the bound, and whether it said less.
fn check(visits: u64, sent: u64, old: u64, expected: (u64, usize, usize)) {
    let found = staleness(&witnessed(vec![counted(visits, sent, old)]), BOUND);
    let (behind, beyond, understated) = expected;
    assert_eq!(found.behind_max, millis(behind), "{visits} at {sent}");
    assert_eq!(found.beyond, beyond, "{visits} at {sent}");
    assert_eq!(found.understated, understated, "{visits} at {sent}");
}

#[test]
fn an_answer_is_behind_since_the_first_thing_that_it_does_not_know() {
    check(2, 300, 10, (0, 0, 0));
    check(1, 300, 150, (100, 0, 0));
    check(0, 300, 250, (200, 0, 0));
    // It was not acknowledged yet when this was sent.
    check(1, 199, 10, (0, 0, 0));
    // What nobody acknowledged is known to some and not to others.
    check(3, 300, 10, (0, 0, 0));
}

#[test]
fn an_answer_beyond_the_bound_is_told_and_so_is_one_that_says_it_were_younger() {
    check(1, 1_201, 1_100, (1_001, 1, 0));
    check(1, 1_200, 1_100, (1_000, 0, 0));
    check(1, 700, 400, (500, 0, 1));
}

#[test]
fn after_its_end_a_session_is_behind_whatever_it_counts() {
    check(3, 5_300, 400, (300, 0, 0));
    check(9, 6_001, 2_000, (1_001, 1, 0));
}
