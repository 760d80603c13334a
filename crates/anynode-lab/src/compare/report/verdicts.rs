//! What the numbers say to the four questions, and from which number on.

use super::table::{Answer, Mark, VerdictLine};
use super::{Report, Row, Step, count, ratio, seconds};

/// From this many calls of a shared store for each request on, a request has an extra hop.
///
/// One in twenty is far from both what sessions in memory need (none) and what a store needs
/// that is asked by every request (one or more), so noise cannot turn the verdict.
const HOP_CALLS_MIN: f64 = 0.05;

/// What is done to a fleet on purpose.
const PLANNED: [Step; 3] = [Step::RollingDeploy, Step::ScaleUp, Step::ScaleDown];

/// The verdicts of the report's rows.
pub(super) fn lines(report: &Report) -> Vec<VerdictLine> {
    let line = |id: &str, title: &str, definition: &str, judge: &dyn Fn(&Row) -> Answer| {
        let answers = report.rows.iter().map(judge).collect();
        VerdictLine {
            id: id.to_owned(),
            title: title.to_owned(),
            definition: definition.to_owned(),
            answers,
        }
    };
    let users = report.run.users;
    vec![
        line(
            "stateless",
            "server stateless",
            "yes: nobody was logged out by a rolling deploy or by nodes added and removed. \
             The number is the users logged out in the worst of these steps.",
            &|row| stateless(row, users),
        ),
        line(
            "revoke",
            "revoke instantly",
            "yes: of the requests of revoked sessions that began after the revocation had been \
             acknowledged, none was accepted.",
            &revoke,
        ),
        line(
            "hop",
            "extra hop per request",
            "yes: at least 0.05 calls of a store that the nodes share for each request in steady \
             load. SQLite answers within the node's process; a store on another machine makes \
             each call a round trip.",
            &hop,
        ),
        line(
            "death",
            "a node dies",
            "sessions survive: nobody was logged out when one of the nodes was killed with \
             kill -9. The number is the users logged out.",
            &|row| death(row, users),
        ),
    ]
}

fn stateless(row: &Row, users: u32) -> Answer {
    let steps = PLANNED.iter().filter_map(|step| row.seen_in(*step));
    let Some(worst) = steps.max_by_key(|seen| seen.users_logged_out) else {
        return unmeasured();
    };
    let out = worst.users_logged_out;
    let evidence = format!("{} of {} out", count(out), count(users));
    if out == 0 {
        return good("yes", evidence);
    }
    bad("no", evidence)
}

fn revoke(row: &Row) -> Answer {
    let revoked = &row.revoked;
    if revoked.requests == 0 {
        return unmeasured();
    }
    let share = format!("{} of {}", count(revoked.accepted), count(revoked.requests));
    if revoked.accepted == 0 {
        return good("yes", format!("{share} accepted"));
    }
    let longest = seconds(revoked.longest_ms);
    bad("no", format!("{share}, up to {longest}"))
}

fn hop(row: &Row) -> Answer {
    if row.cost.requests == 0 {
        return unmeasured();
    }
    let calls = f64::from(row.cost.store_calls) / f64::from(row.cost.requests);
    let evidence = format!("{} calls", ratio(calls));
    if calls < HOP_CALLS_MIN {
        return good("no", evidence);
    }
    bad("yes", evidence)
}

fn death(row: &Row, users: u32) -> Answer {
    let Some(seen) = row.seen_in(Step::Crash) else {
        return unmeasured();
    };
    let out = seen.users_logged_out;
    let evidence = format!("{} of {} out", count(out), count(users));
    if out == 0 {
        return good("sessions survive", evidence);
    }
    bad("sessions lost", evidence)
}

fn good(text: &str, evidence: String) -> Answer {
    answer(text, evidence, Mark::Good)
}

fn bad(text: &str, evidence: String) -> Answer {
    answer(text, evidence, Mark::Bad)
}

fn unmeasured() -> Answer {
    answer("not measured", String::new(), Mark::Unknown)
}

fn answer(text: &str, evidence: String, mark: Mark) -> Answer {
    Answer {
        text: text.to_owned(),
        evidence,
        mark,
    }
}
