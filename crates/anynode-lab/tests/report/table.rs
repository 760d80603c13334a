//! What follows from the numbers.

use anynode_lab::compare::report::{Mark, Report, Row, Step};
use anynode_lab::compare::terminal::{self, Paint};

use crate::synthetic;

/// The answer of one row to one question, after the row was changed.
fn answer(question: &str, strategy: &str, change: impl Fn(&mut Row)) -> (String, Mark) {
    let mut report = synthetic::report();
    let at = report.rows.iter().position(|row| row.strategy == strategy);
    let at = at.expect("the strategy is in the report");
    change(&mut report.rows[at]);
    let report = Report::conclude(report.run, report.steps, report.baseline, report.rows);
    let mut lines = report.table.verdicts.into_iter();
    let line = lines.find(|line| line.id == question).expect("is asked");
    let answer = line.answers[at].clone();
    (answer.text, answer.mark)
}

fn logs_out(step: Step, users: u32) -> impl Fn(&mut Row) {
    move |row| {
        let mut seen = row.seen.iter_mut();
        let seen = seen.find(|seen| seen.step == step).expect("was taken");
        seen.users_logged_out = users;
    }
}

fn good(text: &str) -> (String, Mark) {
    (text.to_owned(), Mark::Good)
}

fn bad(text: &str) -> (String, Mark) {
    (text.to_owned(), Mark::Bad)
}

#[test]
fn the_expected_numbers_give_the_table_of_the_known_ways() {
    let as_is = |_: &mut Row| {};
    for strategy in ["memory", "sticky-cookie", "sticky-ip"] {
        assert_eq!(answer("stateless", strategy, as_is), bad("no"));
        assert_eq!(answer("revoke", strategy, as_is), bad("no"));
        assert_eq!(answer("hop", strategy, as_is), good("no"));
        assert_eq!(answer("death", strategy, as_is), bad("sessions lost"));
    }
    assert_eq!(answer("stateless", "central", as_is), good("yes"));
    assert_eq!(answer("revoke", "central", as_is), good("yes"));
    assert_eq!(answer("hop", "central", as_is), bad("yes"));
    assert_eq!(answer("death", "central", as_is), good("sessions survive"));
    let some = ("some".to_owned(), Mark::Unknown);
    assert_eq!(answer("stateless", "near-cache", as_is), good("yes"));
    assert_eq!(
        answer("revoke", "near-cache", as_is),
        good("within the lease")
    );
    assert_eq!(answer("hop", "near-cache", as_is), some);
    assert_eq!(
        answer("death", "near-cache", as_is),
        good("sessions survive")
    );
}

#[test]
fn one_user_logged_out_turns_the_verdict() {
    for step in [Step::RollingDeploy, Step::ScaleUp, Step::ScaleDown] {
        assert_eq!(answer("stateless", "central", logs_out(step, 1)), bad("no"));
    }
    let crash = logs_out(Step::Crash, 1);
    assert_eq!(answer("death", "central", crash), bad("sessions lost"));
}

#[test]
fn one_revoked_request_accepted_turns_the_verdict() {
    let accepts_one = |row: &mut Row| row.revoked.accepted = 1;
    assert_eq!(answer("revoke", "central", accepts_one), bad("no"));
    let too_long = |row: &mut Row| row.revoked.longest_ms = 1_011;
    assert_eq!(answer("revoke", "near-cache", too_long), bad("no"));
}

#[test]
fn what_was_not_measured_has_no_verdict() {
    let unknown = ("not measured".to_owned(), Mark::Unknown);
    let tried_nothing = |row: &mut Row| row.revoked.requests = 0;
    assert_eq!(answer("revoke", "central", tried_nothing), unknown);
    let skipped = |row: &mut Row| row.seen.clear();
    assert_eq!(answer("death", "central", skipped), unknown);
    assert_eq!(answer("stateless", "central", skipped), unknown);
    let served_nothing = |row: &mut Row| row.cost.requests = 0;
    assert_eq!(answer("hop", "central", served_nothing), unknown);
}

#[test]
fn the_table_fits_a_terminal_and_has_every_number_of_the_report() {
    let report = synthetic::report();
    let text = terminal::table(&report, Paint::Plain);
    println!("{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
    for line in &report.table.lines {
        let mut printed = text.lines();
        let printed = printed.find(|of| of.starts_with(&line.title));
        let printed = printed.unwrap_or_else(|| panic!("{} is missing", line.title));
        for value in &line.values {
            assert!(printed.contains(&value.text), "{printed}");
        }
    }
}

#[test]
fn plain_text_has_no_colours() {
    let report = synthetic::report();
    let plain = terminal::table(&report, Paint::Plain);
    assert!(!plain.contains('\u{1b}'));
    assert!(terminal::table(&report, Paint::Ansi).contains("\u{1b}[32m"));
}
