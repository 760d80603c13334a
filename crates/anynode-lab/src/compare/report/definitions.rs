//! The numbers of the table, each with how it is counted.

use super::table::{Line, Value};
use super::{Latency, Moment, Report, Row, Step, count, milliseconds, ratio, seconds};

/// A number of the table before it is asked of any row.
struct Definition<'a> {
    id: String,
    title: String,
    text: String,
    read: Box<dyn Fn(&Row) -> Value + 'a>,
}

/// The numbers of the report's rows.
pub(super) fn lines(report: &Report) -> Vec<Line> {
    let mut definitions = Vec::new();
    definitions.extend(report.steps.iter().map(|step| logged_out(*step)));
    definitions.extend(correctness());
    definitions.extend(revocation());
    definitions.extend(cost(&report.run.store));
    definitions.extend(latency(&report.baseline));
    definitions.extend(load());
    definitions.extend(cookies());
    let line = |of: Definition<'_>| Line {
        values: report.rows.iter().map(|row| (of.read)(row)).collect(),
        id: of.id,
        title: of.title,
        definition: of.text,
    };
    definitions.into_iter().map(line).collect()
}

fn define<'a>(
    id: &str,
    title: &str,
    text: &str,
    read: impl Fn(&Row) -> Value + 'a,
) -> Definition<'a> {
    Definition {
        id: id.to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
        read: Box::new(read),
    }
}

fn logged_out(step: Step) -> Definition<'static> {
    let name = step.title();
    let story = step.story();
    define(
        &format!("logged-out-{}", step.word()),
        &format!("users logged out: {name}"),
        &format!(
            "Users who were at least once answered as not logged in while {story}, though they had \
             logged in and nobody had logged them out."
        ),
        move |row| match row.seen_in(step) {
            Some(seen) => counted(seen.users_logged_out),
            None => Value::absent("not measured"),
        },
    )
}

fn correctness() -> [Definition<'static>; 3] {
    [
        define(
            "failed",
            "failed requests",
            "Requests of all steps that were not answered or answered with an error, of all that \
             were made. To be told that one is not logged in is no error.",
            |row| {
                let failed = row.seen.iter().map(|seen| seen.failed).sum();
                let requests = row.seen.iter().map(|seen| seen.requests).sum();
                share(failed, requests)
            },
        ),
        define(
            "updates-lost",
            "lost updates",
            "Visits that were acknowledged and that the user's counter no longer knew of, because \
             the session was lost or the update was overwritten; of all that were acknowledged.",
            |row| {
                let updates = &row.updates;
                let lost = updates.lost.saturating_add(updates.lost_with_sessions);
                share(lost, updates.acknowledged)
            },
        ),
        define(
            "updates-doubled",
            "doubled updates",
            "Visits that were counted more often than they were made.",
            |row| counted(row.updates.doubled),
        ),
    ]
}

fn revocation() -> [Definition<'static>; 2] {
    [
        define(
            "revoked-accepted",
            "revoked requests accepted",
            "Requests that were served as if logged in, of all that sessions made which another \
             session of the same user had revoked by logging out everywhere; only those that \
             began after that was acknowledged.",
            |row| share(row.revoked.accepted, row.revoked.requests),
        ),
        define(
            "revoked-longest",
            "… for as long as",
            "From the acknowledgement to the begin of the last request that was still accepted, \
             the longest of all; the sessions were tried for as long as the text says.",
            |row| {
                let revoked = &row.revoked;
                let watched = seconds(revoked.watched_ms);
                Value {
                    number: Some(f64::from(revoked.longest_ms) / 1_000.0),
                    text: format!("{} of {watched}", seconds(revoked.longest_ms)),
                }
            },
        ),
    ]
}

fn cost(store: &str) -> [Definition<'_>; 5] {
    [
        define(
            "store-calls",
            "store round trips per request",
            "Calls of a store that the nodes share, over all requests in steady load. SQLite \
             answers within the node's process; with a store on another machine each is a round \
             trip.",
            |row| per_request(row, Some(row.cost.store_calls)),
        ),
        define(
            "reads-from-copies",
            "reads answered from a copy",
            "Requests in steady load that only asked for their session and were answered from a \
             copy on the node, of all such requests. Half of the requests write, and a write on \
             one node outdates the copies on the others.",
            |row| share(row.cost.reads_from_copies, row.cost.reads),
        ),
        define(
            "cpu-gateway",
            "CPU µs per request: gateway",
            "Processor time of the gateway's process over the requests of steady load.",
            |row| per_request(row, Some(row.cost.gateway_cpu_us)),
        ),
        define(
            "cpu-nodes",
            "CPU µs per request: nodes",
            "Processor time of all nodes together over the requests of steady load; a store that \
             is part of the node is in it.",
            |row| per_request(row, Some(row.cost.nodes_cpu_us)),
        ),
        define(
            "cpu-store",
            "CPU µs per request: store",
            "Processor time of the store's own processes over the requests of steady load, where \
             the comparison started them.",
            move |row| match (row.cost.store_cpu_us, row.cost.store_calls) {
                (None, 0) => Value::absent("no store"),
                (None, _) if store == "sqlite" => Value::absent("in the node"),
                (None, _) => Value::absent("not measured"),
                (cpu, _) => per_request(row, cpu),
            },
        ),
    ]
}

fn latency(baseline: &Latency) -> [Definition<'static>; 5] {
    const DUE: &str = "From the moment a request was due, even if its user still waited for the \
                       one before, to the end of its answer, in steady load";
    let added = |percentile: &str, of: fn(&Latency) -> u32| {
        let base = f64::from(of(baseline));
        define(
            &format!("added-{percentile}"),
            &format!("latency added, {percentile}"),
            &format!(
                "The line above less {}: what the same requests take straight to one node that \
                 keeps sessions in its memory, at the same rate.",
                milliseconds(base)
            ),
            move |row| took(row, f64::from(of(&row.latency)) - base),
        )
    };
    [
        define(
            "latency-p50",
            "latency, p50",
            &format!("{DUE}: the median."),
            |row| took(row, f64::from(row.latency.p50_us)),
        ),
        added("p50", |latency| latency.p50_us),
        define(
            "latency-p99",
            "latency, p99",
            &format!("{DUE}: the slowest in a hundred."),
            |row| took(row, f64::from(row.latency.p99_us)),
        ),
        added("p99", |latency| latency.p99_us),
        define(
            "late",
            "load generator late by",
            "How late the latest request of all steps was begun for want of time of the load \
             generator itself; it is in no latency. Where it is more than some milliseconds, \
             the machine was short of time, and the latencies above tell as much of that.",
            |row| Value {
                number: Some(f64::from(row.late_us) / 1_000.0),
                text: milliseconds(f64::from(row.late_us)),
            },
        ),
    ]
}

fn load() -> [Definition<'static>; 3] {
    let imbalance = |id: &str, moment: Moment, title: &str, when: &str| {
        define(
            id,
            title,
            &format!(
                "Requests of the busiest node over the mean of all nodes {when}; 1.00 is even."
            ),
            move |row| match row.load_at(moment).and_then(super::Load::imbalance) {
                Some(number) => Value {
                    number: Some(number),
                    text: ratio(number),
                },
                None => Value::absent("not measured"),
            },
        )
    };
    [
        imbalance(
            "imbalance-before",
            Moment::Before,
            "load imbalance, 3 nodes",
            "in steady load",
        ),
        imbalance(
            "imbalance-grown",
            Moment::Grown,
            "load imbalance, grown to 13",
            "once ten more were in service",
        ),
        imbalance(
            "imbalance-back",
            Moment::Back,
            "load imbalance, back at 3",
            "once those ten were gone",
        ),
    ]
}

fn cookies() -> [Definition<'static>; 2] {
    [
        define(
            "cookie-session",
            "session cookie, bytes",
            "The largest that a client sends back: name, equals sign and value.",
            |row| counted(row.cookies.session_bytes),
        ),
        define(
            "cookie-affinity",
            "affinity cookie, bytes",
            "The same for the cookie with which the gateway keeps a client on its node.",
            |row| counted(row.cookies.affinity_bytes),
        ),
    ]
}

fn counted(number: u32) -> Value {
    Value {
        number: Some(f64::from(number)),
        text: count(number),
    }
}

fn share(part: u32, whole: u32) -> Value {
    Value {
        number: Some(f64::from(part)),
        text: format!("{} of {}", count(part), count(whole)),
    }
}

fn per_request(row: &Row, total: Option<u32>) -> Value {
    let requests = row.cost.requests;
    let Some(total) = total.filter(|_| requests > 0) else {
        return Value::absent("not measured");
    };
    let number = f64::from(total) / f64::from(requests);
    Value {
        number: Some(number),
        text: ratio(number),
    }
}

fn took(row: &Row, us: f64) -> Value {
    if row.latency.requests == 0 {
        return Value::absent("not measured");
    }
    Value {
        number: Some(us / 1_000.0),
        text: milliseconds(us),
    }
}
