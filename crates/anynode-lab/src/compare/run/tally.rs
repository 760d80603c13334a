//! Counts what one strategy did: from what its users saw to a row of the report.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::course::Course;
use super::size::{NODES, NODES_GROWN};
use super::window::Window;
use crate::checker::{self, Loss, Verdict};
use crate::compare::report::{
    Cost, Event, EventKind, Latency, Load, Moment, NodeLoad, Revoked, Row, Seen, Slice, Step,
    Updates,
};
use crate::fleet::Strategy;
use crate::history::{Act, Call, Change, Kind, Outcome, What};

/// How long a slice is.
const SLICE: Duration = Duration::from_millis(500);

/// A course and what the checker says of it.
struct Tally<'a> {
    strategy: Strategy,
    course: &'a Course,
    verdict: Verdict,
    /// Users below this number were revoked in the last step.
    users_revoked: u32,
}

/// The row of a strategy that went through all steps.
pub(super) fn row(strategy: Strategy, course: &Course, users_revoked: u32) -> Row {
    let tally = Tally {
        strategy,
        course,
        verdict: checker::check(&course.outcome.history),
        users_revoked,
    };
    let updates = &tally.verdict.updates;
    Row {
        strategy: strategy.name().to_owned(),
        seen: tally.windows().map(|window| tally.seen(window)).collect(),
        events: tally.events(),
        slices: tally
            .windows()
            .flat_map(|window| tally.slices(window))
            .collect(),
        loads: tally.loads(),
        cost: tally.cost(),
        latency: latency(
            tally.calls_in(|window, at| window.step == Step::Steady && window.has(at)),
        ),
        late_us: micros(course.outcome.lateness),
        updates: Updates {
            acknowledged: number(updates.acknowledged),
            lost: number(updates.lost),
            lost_with_sessions: number(updates.lost_with_sessions),
            doubled: number(updates.doubled),
        },
        revoked: tally.revoked(),
        cookies: course.cookies,
    }
}

/// The latency of these calls, those without an answer excepted.
pub(super) fn latency<'a>(calls: impl Iterator<Item = &'a Call>) -> Latency {
    let times = times_of(calls);
    Latency {
        requests: number(times.len()),
        p50_us: percentile(&times, 50).unwrap_or(0),
        p99_us: percentile(&times, 99).unwrap_or(0),
    }
}

// === impl Tally ===

impl<'a> Tally<'a> {
    fn windows(&self) -> impl Iterator<Item = &'a Window> + use<'a> {
        self.course.windows.iter()
    }

    fn calls(&self) -> impl Iterator<Item = &'a Call> + use<'a> {
        self.course.outcome.history.calls.iter()
    }

    /// The calls that were due at a time which some window wants.
    fn calls_in(
        &self,
        wants: impl Fn(&Window, Duration) -> bool,
    ) -> impl Iterator<Item = &'a Call> {
        let course = self.course;
        self.calls()
            .filter(move |call| course.windows.iter().any(|window| wants(window, call.due)))
    }

    fn seen(&self, window: &Window) -> Seen {
        let calls = || self.calls().filter(|call| window.has(call.due));
        Seen {
            step: window.step,
            begin_ms: self.stamp(window.begin),
            end_ms: self.stamp(window.end),
            requests: number(calls().count()),
            failed: number(calls().filter(|call| has_failed(call)).count()),
            users_logged_out: self.logged_out(window, window.end),
        }
    }

    /// How many users learned from the begin of the window on, and before `until`, that their
    /// session was lost.
    fn logged_out(&self, window: &Window, until: Duration) -> u32 {
        let counts = |loss: &&Loss| {
            let was_revoked = window.step == Step::Revocation && loss.user < self.users_revoked;
            (window.begin..until).contains(&loss.at) && !was_revoked
        };
        let losses = self.verdict.sessions.lost.iter().filter(counts);
        number(losses.map(|loss| loss.user).collect::<BTreeSet<_>>().len())
    }

    fn slices(&self, window: &Window) -> Vec<Slice> {
        let mut slices = Vec::new();
        let mut begin = window.begin;
        while begin < window.end {
            let end = (begin + SLICE).min(window.end);
            slices.push(self.slice(window, begin..end));
            begin = end;
        }
        slices
    }

    fn slice(&self, window: &Window, span: Range<Duration>) -> Slice {
        let calls = || self.calls().filter(|call| span.contains(&call.due));
        let times = times_of(calls());
        Slice {
            at_ms: self.stamp(span.start),
            step: window.step,
            requests: number(calls().count()),
            failed: number(calls().filter(|call| has_failed(call)).count()),
            users_logged_out: self.logged_out(window, span.end),
            p50_us: percentile(&times, 50),
            p99_us: percentile(&times, 99),
        }
    }

    fn events(&self) -> Vec<Event> {
        let outcome = &self.course.outcome;
        let mut events: Vec<_> = outcome
            .changes
            .iter()
            .map(|change| self.change(change))
            .collect();
        for incident in &outcome.history.incidents {
            let (kind, whom) = match &incident.what {
                What::ChangeAddresses => (EventKind::Move, "every user".to_owned()),
                What::Revoke { users } => (EventKind::Revoke, format!("{users} users")),
                _ => continue,
            };
            events.push(Event {
                at_ms: self.stamp(incident.begun),
                kind,
                whom,
            });
        }
        events.sort_by_key(|event| event.at_ms);
        events
    }

    fn change(&self, change: &Change) -> Event {
        Event {
            at_ms: self.stamp(change.at),
            kind: match change.act {
                Act::Kill => EventKind::Crash,
                Act::Drain => EventKind::Stop,
                Act::Start => EventKind::Start,
            },
            whom: change.node.clone(),
        }
    }

    fn loads(&self) -> Vec<Load> {
        let moments = [
            (Step::Steady, Moment::Before, NODES),
            (Step::ScaleUp, Moment::Grown, NODES_GROWN),
            (Step::ScaleDown, Moment::Back, NODES),
        ];
        let load = |(step, moment, nodes)| Load {
            moment,
            nodes: self.nodes(step, nodes),
        };
        moments.map(load).into()
    }

    /// What each node answered after what a step does had been done.
    fn nodes(&self, step: Step, nodes: usize) -> Vec<NodeLoad> {
        let names = (1..=nodes).map(|number| format!("n{number}"));
        let mut requests: BTreeMap<String, u32> = names.clone().map(|name| (name, 0)).collect();
        let calls =
            self.calls_in(|window, at| window.step == step && window.has_after_it_was_done(at));
        for node in calls.filter_map(|call| call.node.as_deref()) {
            *requests.entry(node.to_owned()).or_default() += 1;
        }
        let load = |node: String| NodeLoad {
            requests: requests[&node],
            node,
        };
        names.map(load).collect()
    }

    fn cost(&self) -> Cost {
        let [before, after] = &self.course.steady;
        let used = after.usage.since(&before.usage);
        // A node's own memory is asked through the same interface, and nobody else is.
        let is_shared = self.strategy.has_store();
        Cost {
            requests: number(after.calls.saturating_sub(before.calls)),
            store_calls: if is_shared {
                number(used.store_calls)
            } else {
                0
            },
            gateway_cpu_us: micros(used.gateway_cpu),
            nodes_cpu_us: micros(used.node_cpu),
            store_cpu_us: used.store_cpu.filter(|_| is_shared).map(micros),
            reads: number(self.steady_reads().count()),
            reads_from_copies: number(self.steady_reads().filter(|call| call.from_copy).count()),
        }
    }

    /// What only asked for the session in steady load, and was answered.
    fn steady_reads(&self) -> impl Iterator<Item = &'a Call> {
        let steady = self.calls_in(|window, at| window.step == Step::Steady && window.has(at));
        steady.filter(|call| call.kind == Kind::WhoAmI && call.is_accepted())
    }

    fn revoked(&self) -> Revoked {
        let revocations = &self.verdict.revocations;
        let acknowledged = || {
            let ends = self
                .calls()
                .filter(|call| call.kind == Kind::LogoutEverywhere);
            ends.filter(|call| call.is_accepted())
        };
        let first = acknowledged().map(|call| call.ended).min();
        let last = self.calls().map(|call| call.invoked).max();
        let watched = last
            .zip(first)
            .map(|(last, first)| last.saturating_sub(first));
        Revoked {
            users: number(acknowledged().count()),
            requests: number(revocations.requests),
            accepted: number(revocations.accepted),
            longest_ms: millis(revocations.lasted_max()),
            watched_ms: millis(watched.unwrap_or_default()),
        }
    }

    /// A time on the row's own clock, which begins with its first step.
    fn stamp(&self, at: Duration) -> u32 {
        let begin = self
            .course
            .windows
            .first()
            .map_or(at, |window| window.begin);
        millis(at.saturating_sub(begin))
    }
}

fn has_failed(call: &Call) -> bool {
    matches!(call.outcome, Outcome::Failed | Outcome::Unknown)
}

/// How long the answered ones of these calls took, in order.
fn times_of<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<u32> {
    let answered = calls.filter(|call| call.status.is_some());
    let mut times: Vec<_> = answered.map(|call| micros(call.latency())).collect();
    times.sort_unstable();
    times
}

/// The least that so many in a hundred do not exceed.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

fn micros(time: Duration) -> u32 {
    number(time.as_micros())
}

fn millis(time: Duration) -> u32 {
    number(time.as_millis())
}

/// What is too large for a report is as large as it can tell.
fn number(count: impl TryInto<u32>) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
