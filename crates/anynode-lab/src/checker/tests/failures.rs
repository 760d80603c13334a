//! Failures, and how long they go on.

use super::*;
use crate::checker::{failures, recovery};

fn failed(status: Option<u16>, says_when: bool, invoked: u64, ended: u64) -> Call {
    Call {
        status,
        says_when,
        ..with(Outcome::Unknown, call(Kind::Visit, invoked, ended))
    }
}

#[test]
fn a_failure_is_in_order_only_as_a_503_that_says_when_to_ask_again() {
    let calls = [
        failed(Some(503), true, 0, 10),
        failed(Some(503), false, 0, 10),
        failed(Some(500), true, 0, 10),
        failed(None, false, 0, 70),
        with(Outcome::Refused, call(Kind::Visit, 0, 90)),
    ];
    let found = failures(&calls);
    assert_eq!(
        (found.unavailable, found.wrong, found.unanswered),
        (1, 2, 1)
    );
    assert_eq!(found.slowest, Duration::from_millis(90));
}

#[test]
fn recovery_lasts_until_the_last_failure_after_which_something_succeeds() {
    let after = |calls: &[Call]| recovery(calls, Duration::from_millis(100));
    let late = |ended| call(Kind::Visit, 100, ended);
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(after(&[late(150), late(180)]), ms(50));
    assert_eq!(
        after(&[late(110), failed(None, false, 100, 130), late(180)]),
        ms(30)
    );
    assert_eq!(
        after(&[failed(None, false, 90, 130), late(120)]),
        ms(20),
        "begun before"
    );
    assert_eq!(after(&[late(110), failed(None, false, 100, 130)]), None);
    assert_eq!(after(&[]), None);
}
