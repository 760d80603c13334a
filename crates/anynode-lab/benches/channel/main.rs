//! How many messages the channel carries: `cargo xtask bench channel`.
//!
//! Three, ten and thirty nodes with near caches are on one server, behind a relay that reads what
//! the server tells them: what Redis pushes, what PostgreSQL answers to polls and notifies. It is
//! counted while nothing is done, while sessions are touched (2,000 times a second), and while they
//! are written as well (20 times a second), in turns, and printed beside what it has to be
//! (`figures`). What the server itself counts is printed beside what the relay saw.
//!
//! `--rounds 6` is the default; `--quick` takes shorter turns and leaves out thirty nodes;
//! `--stores redis` and `--stores postgres` leave out the other. SQLite has no channel that
//! carries messages: whoever reads a copy asks the file whether it has changed.
//!
//! It holds where every figure is within a tenth of its formula, and touches caused no event.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark asks the clock, prints, and ends at the first surprise"
)]

mod server;

mod figures;
mod fleet;
mod relay;
mod wire;

#[path = "../stores/session.rs"]
#[allow(dead_code, reason = "sessions of users are measured elsewhere")]
mod session;
#[path = "../middleware/stats.rs"]
mod stats;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::figures::{Figure, Phase, Slice, number};
use crate::fleet::Fleet;
use crate::server::{Backend, Measured};

struct Arguments {
    backends: Vec<Backend>,
    nodes: &'static [u32],
    rounds: usize,
    slice: Duration,
}

/// By how much a figure may differ from its formula.
const TOLERANCE: f64 = 0.1;

/// How long after a turn what it caused is still on its way.
const SETTLE: Duration = Duration::from_millis(500);

/// Turns of a fleet that may be taken again.
const AGAIN_MAX: usize = 10;

const PHASES: [Phase; 3] = [Phase::Quiet, Phase::Touched, Phase::Written];

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`; without it, this was only to be seen to start.
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    let Some(arguments) = Arguments::parse(words.iter().map(String::as_str)) else {
        eprintln!("bench channel takes --rounds NUMBER, --quick and --stores redis|postgres");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut holds = true;
    for backend in &arguments.backends {
        holds &= runtime.block_on(run(*backend, &arguments));
    }
    match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Measures fleets of each size on a server of this kind, and answers whether all is as it has
/// to be.
async fn run(backend: Backend, arguments: &Arguments) -> bool {
    let mut holds = true;
    let mut of_one_node = Vec::new();
    for nodes in arguments.nodes {
        let measured = Measured::start(backend).await;
        let size = usize::try_from(*nodes).unwrap();
        let fleet = Fleet::start(&measured.url(), size).await;
        let (count, says) = (measured.count(), measured.says().await);
        let slices = slices(&fleet, &measured, f64::from(*nodes), arguments).await;
        let both = measured.counted_by_both(&(measured.count() - count));
        let says = measured.says().await - says;
        println!(
            "{} with {nodes} nodes: the relay saw {} {}, {:.3} of what the server counted",
            backend.name(),
            both.1,
            both.0,
            number(both.1) / says
        );
        for figure in figures::of(backend) {
            holds &= print(figure, &slices);
        }
        holds &= print_touches(&slices);
        of_one_node.push(messages_of_one_node(&slices));
    }
    let (first, last) = (of_one_node[0], of_one_node[of_one_node.len() - 1]);
    let shown: Vec<_> = of_one_node
        .iter()
        .map(|rate| format!("{rate:.1}"))
        .collect();
    // They may be fewer: the node that wrote looks once more, however many others there are.
    let is_linear = last / first <= 1.0 + TOLERANCE;
    println!(
        "{}: {} messages a second to each of {:?} nodes while sessions are written and touched: {}",
        backend.name(),
        shown.join(", "),
        arguments.nodes,
        said(is_linear, "linear"),
    );
    holds & is_linear
}

/// What was told in each phase of each round; rounds begin with another phase each.
///
/// A turn in which a node lost its lease, because the machine was busy with something else, is
/// taken again: its channel then told some things twice.
async fn slices(
    fleet: &Fleet,
    measured: &Measured,
    nodes: f64,
    arguments: &Arguments,
) -> Vec<Slice> {
    let (mut slices, mut again) = (Vec::new(), 0);
    for round in 0..arguments.rounds {
        for turn in 0..PHASES.len() {
            let phase = PHASES[(round + turn) % PHASES.len()];
            slices.push(loop {
                let slice = slice(phase, fleet, measured, nodes, arguments.slice).await;
                if fleet.is_trusted() {
                    break slice;
                }
                again += 1;
                assert!(
                    again <= AGAIN_MAX,
                    "the machine is too busy to keep a lease"
                );
                fleet.trusted().await;
            });
        }
    }
    slices
}

async fn slice(
    phase: Phase,
    fleet: &Fleet,
    measured: &Measured,
    nodes: f64,
    lasting: Duration,
) -> Slice {
    let (begun, before) = (Instant::now(), measured.count());
    let (touches, writes) = match phase {
        Phase::Quiet => {
            tokio::time::sleep(lasting).await;
            (0, 0)
        }
        Phase::Touched => (fleet.touch(lasting).await, 0),
        Phase::Written => tokio::join!(fleet.touch(lasting), fleet.write(lasting)),
    };
    tokio::time::sleep(SETTLE).await;
    Slice {
        phase,
        nodes,
        seconds: begun.elapsed().as_secs_f64(),
        writes: number(writes),
        touches: number(touches),
        count: measured.count() - before,
    }
}

/// Prints a figure beside its formula, and answers whether it is near enough.
fn print(figure: &Figure, slices: &[Slice]) -> bool {
    let slices = || slices.iter().filter(|slice| slice.phase == figure.phase);
    let rates = |pick: fn(&figures::Expected) -> f64| {
        let rates = slices().map(|slice| pick(&(figure.of)(slice)) / slice.seconds);
        stats::median(rates.collect())
    };
    let ratios = slices().map(|slice| {
        let expected = (figure.of)(slice);
        expected.told / expected.due
    });
    let ratio = stats::estimate(ratios.collect());
    let is_near = (ratio.median - 1.0).abs() <= TOLERANCE;
    println!(
        "  {:<18} {:8.1}/s  {:<12} = {:8.1}/s  {:.3} [{:.3}, {:.3}] {}",
        figure.name,
        rates(|of| of.told),
        figure.formula,
        rates(|of| of.due),
        ratio.median,
        ratio.low,
        ratio.high,
        said(is_near, "as it has to be"),
    );
    is_near
}

/// Prints what touches alone caused, and answers whether that is nothing.
fn print_touches(slices: &[Slice]) -> bool {
    let touched = || slices.iter().filter(|slice| slice.phase == Phase::Touched);
    let touches: f64 = touched().map(|slice| slice.touches).sum();
    let told: u64 = touched()
        .map(|slice| slice.count.events + slice.count.hints)
        .sum();
    println!(
        "  {told} events and hints by {touches} touches {}",
        said(told == 0 && touches > 0.0, "as it has to be")
    );
    told == 0 && touches > 0.0
}

/// Messages of all sorts in a second, by the median of the rounds.
fn messages_of_one_node(slices: &[Slice]) -> f64 {
    let written = slices.iter().filter(|slice| slice.phase == Phase::Written);
    let rates = written.map(|slice| {
        let count = slice.count;
        number(count.events + count.proofs + count.hints) / slice.seconds / slice.nodes
    });
    stats::median(rates.collect())
}

fn said(holds: bool, what: &str) -> String {
    match holds {
        true => what.to_owned(),
        false => format!("NOT {what}"),
    }
}

// === impl Arguments ===

impl Arguments {
    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut arguments = Self {
            backends: Backend::ALL.to_vec(),
            nodes: &[3, 10, 30],
            rounds: 6,
            slice: Duration::from_secs(4),
        };
        while let Some(word) = words.next() {
            match word {
                "--bench" => {}
                "--quick" => {
                    arguments.nodes = &[3, 10];
                    arguments.slice = Duration::from_secs(2);
                }
                // Fewer have no interval.
                "--rounds" => arguments.rounds = words.next()?.parse::<usize>().ok()?.max(6),
                "--stores" => {
                    let name = words.next()?;
                    arguments.backends.retain(|backend| backend.name() == name);
                    if arguments.backends.is_empty() {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        Some(arguments)
    }
}
