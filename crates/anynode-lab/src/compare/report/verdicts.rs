//! What the numbers say to the four questions, and from which number on.

use super::table::{Answer, Mark, VerdictLine};
use super::{Report, Row, Step, count, ratio, seconds};

/// From this many calls of a shared store for each request on, a request has an extra hop.
///
/// One in twenty is far from both what sessions in memory need (none) and what a store needs
/// that is asked by every request (one or more), so noise cannot turn the verdict.
const HOP_CALLS_MIN: f64 = 0.05;

/// From so many on, there is no request without one.
const HOP_CALLS_EACH: f64 = 1.0;

/// For so long a node that is cut off may go on with copies: L of a lease of one second.
const LEASE_MS: u32 = 1_010;

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
             acknowledged, none was accepted. Nodes with a near cache may accept some until they \
             have heard of it, and none after their lease; the number is how long that took.",
            &revoke,
        ),
        line(
            "hop",
            "extra hop per request",
            "no: fewer than 0.05 calls of a store that the nodes share for each request in steady \
             load. yes: at least one for each. some: in between; a near cache asks for what it has \
             no copy of, and writes through. SQLite answers within the node's process; a store on another machine makes \
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
    if row.strategy == "near-cache" && revoked.longest_ms <= LEASE_MS {
        let longest = revoked.longest_ms;
        return good("within the lease", format!("{share}, up to {longest} ms"));
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
    if calls < HOP_CALLS_EACH {
        return answer("some", evidence, Mark::Unknown);
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
