//! A comparison that nobody ran: five strategies as one would expect them.

use anynode_lab::compare::report::{
    Cookies, Cost, Event, EventKind, Latency, Load, Machine, Moment, NodeLoad, Report, Revoked,
    Row, Run, Seen, Slice, Step, Updates,
};

pub(crate) const USERS: u32 = 240;
const SLICE_MS: u32 = 250;
const SLICE_REQUESTS: u32 = 100;

/// What a strategy loses in each step, in the order of [`Step::ALL`], and how it spreads load.
struct Character {
    strategy: &'static str,
    lost: [u32; 7],
    grown: [u32; 2],
    accepted: u32,
    store_calls: u32,
    affinity_bytes: u32,
    p50_us: u32,
}

const CHARACTERS: [Character; 5] = [
    Character {
        strategy: "memory",
        lost: [240, 240, 240, 240, 240, 240, 232],
        grown: [101, 99],
        accepted: 212,
        store_calls: 0,
        affinity_bytes: 0,
        p50_us: 760,
    },
    Character {
        strategy: "sticky-cookie",
        lost: [0, 79, 240, 0, 31, 0, 0],
        grown: [430, 2],
        accepted: 640,
        store_calls: 0,
        affinity_bytes: 92,
        p50_us: 790,
    },
    Character {
        strategy: "sticky-ip",
        lost: [0, 84, 240, 181, 187, 166, 0],
        grown: [131, 78],
        accepted: 655,
        store_calls: 0,
        affinity_bytes: 0,
        p50_us: 770,
    },
    Character {
        strategy: "central",
        lost: [0; 7],
        grown: [101, 99],
        accepted: 0,
        store_calls: 5_712,
        affinity_bytes: 0,
        p50_us: 1_180,
    },
    Character {
        strategy: "near-cache",
        lost: [0; 7],
        grown: [101, 99],
        accepted: 3,
        store_calls: 2_841,
        affinity_bytes: 0,
        p50_us: 910,
    },
];

/// The whole of it, with its table.
pub(crate) fn report() -> Report {
    let baseline = Latency {
        requests: 3_200,
        p50_us: 520,
        p99_us: 2_400,
    };
    let rows = CHARACTERS.iter().map(row).collect();
    Report::conclude(run(), Step::ALL.to_vec(), baseline, rows)
}

fn run() -> Run {
    Run {
        command: "anynode-lab compare --quick --seed 7 --out target/compare".to_owned(),
        seed: 7,
        users: USERS,
        rate_per_second: 400,
        writes_percent: 50,
        took_ms: 241_300,
        version: "0.1.0".to_owned(),
        build: "release".to_owned(),
        store: "sqlite".to_owned(),
        machine: Machine {
            cores: 2,
            processor: "a processor <of> some kind".to_owned(),
            kernel: "Linux 6.1.0".to_owned(),
        },
    }
}

fn row(of: &Character) -> Row {
    let mut row = Row {
        strategy: of.strategy.to_owned(),
        seen: Vec::new(),
        events: Vec::new(),
        slices: Vec::new(),
        loads: loads(of),
        cost: Cost {
            requests: 4_000,
            store_calls: of.store_calls,
            gateway_cpu_us: 168_000,
            nodes_cpu_us: 520_000 + 60 * of.store_calls,
            store_cpu_us: None,
            reads: 2_000,
            reads_from_copies: if of.strategy == "near-cache" { 900 } else { 0 },
        },
        latency: Latency {
            requests: 4_000,
            p50_us: of.p50_us,
            p99_us: of.p50_us * 5,
        },
        late_us: 1_900,
        updates: Updates {
            acknowledged: 9_000,
            lost: 0,
            lost_with_sessions: of.lost.iter().map(|lost| lost * 3).sum(),
            doubled: 0,
        },
        revoked: Revoked {
            users: 40,
            requests: 700,
            accepted: of.accepted,
            longest_ms: match (of.accepted, of.strategy) {
                (0, _) => 0,
                (_, "near-cache") => 2,
                _ => 4_800,
            },
            watched_ms: 5_000,
        },
        cookies: Cookies {
            session_bytes: 58,
            affinity_bytes: of.affinity_bytes,
        },
    };
    let mut begin_ms = 0;
    for (step, lost) in Step::ALL.into_iter().zip(of.lost) {
        begin_ms = add_step(&mut row, step, lost, begin_ms);
    }
    row
}

/// Adds a step of 6 to 14 seconds; answers when it ends.
fn add_step(row: &mut Row, step: Step, lost: u32, begin_ms: u32) -> u32 {
    let (span_ms, events) = course(step);
    let end_ms = begin_ms + span_ms;
    let slices = span_ms / SLICE_MS;
    for at in 0..slices {
        let at_ms = at * SLICE_MS;
        let done = events.iter().filter(|(when, ..)| *when <= at_ms).count();
        let all = events.len().max(1);
        let number = |count: usize| u32::try_from(count).expect("there are few events");
        let share = |part: usize| number(part) * lost / number(all);
        let is_shaken = events.iter().any(|(when, ..)| at_ms.abs_diff(*when) < 300);
        let p50_us = row.latency.p50_us + (at * 37) % 90;
        row.slices.push(Slice {
            at_ms: begin_ms + at_ms,
            step,
            requests: SLICE_REQUESTS,
            failed: 0,
            users_logged_out: if events.is_empty() {
                lost.min(at * 40)
            } else {
                share(done)
            },
            p50_us: Some(p50_us),
            p99_us: Some(p50_us * if is_shaken { 23 } else { 5 }),
        });
    }
    let named = events.iter().map(|(at_ms, kind, whom)| Event {
        at_ms: begin_ms + at_ms,
        kind: *kind,
        whom: (*whom).to_owned(),
    });
    row.events.extend(named);
    row.seen.push(Seen {
        step,
        begin_ms,
        end_ms,
        requests: slices * SLICE_REQUESTS,
        failed: 0,
        users_logged_out: lost,
    });
    end_ms
}

/// How long a step takes and what happens in it.
fn course(step: Step) -> (u32, Vec<(u32, EventKind, &'static str)>) {
    use EventKind::{Crash, Move, Revoke, Start, Stop};
    let ten = |kind| (0..10).map(|at| (1_000 + at * 600, kind, "n4")).collect();
    match step {
        Step::Steady => (10_000, vec![]),
        Step::Crash => (8_000, vec![(2_000, Crash, "n2"), (2_900, Start, "n2")]),
        Step::RollingDeploy => {
            let turn = |at: u32| {
                let began = 1_000 + at * 3_200;
                [(began, Stop, "n1"), (began + 900, Start, "n1")]
            };
            (12_000, (0..3).flat_map(turn).collect())
        }
        Step::ScaleUp => (9_000, ten(Start)),
        Step::ScaleDown => (9_000, ten(Stop)),
        Step::AddressChange => (6_000, vec![(1_000, Move, "240 users")]),
        Step::Revocation => (6_000, vec![(1_000, Revoke, "40 users")]),
    }
}

fn loads(of: &Character) -> Vec<Load> {
    let load = |moment, nodes: u32| {
        let node = |at: u32| {
            let [old, new] = match moment {
                Moment::Before | Moment::Back => [330 + 17 * (at % 3), 0],
                Moment::Grown => of.grown,
            };
            NodeLoad {
                node: format!("n{}", at + 1),
                requests: if at < 3 { old } else { new },
            }
        };
        Load {
            moment,
            nodes: (0..nodes).map(node).collect(),
        }
    };
    vec![
        load(Moment::Before, 3),
        load(Moment::Grown, 13),
        load(Moment::Back, 3),
    ]
}
