//! What a hit costs, beside a plain map that checks nothing.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anynode_core::{SessionId, Store};
use tokio::runtime::Runtime;

use crate::{
    arguments::Arguments,
    bars::Bars,
    population::{Label, Population, wanted},
    stats::{Estimate, estimate},
    zipf::{Draws, Zipf},
};

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// The secret is hashed, the copy found and judged, and handed out as a record.
    Near,
    /// The plain map alone.
    Plain,
    /// The plain map, and the secret is hashed.
    PlainAndHash,
    /// Nobody: what it costs to look at the clock.
    Nobody,
}

/// How requests are spread over sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    Zipf,
    Uniform,
}

/// One line of the table: one population under one spread.
struct Line {
    population: usize,
    spread: Spread,
    /// Whose turn it is next in the trace.
    at: usize,
    trace: Vec<u32>,
    /// The p50 of each round, by side.
    p50: [Vec<f64>; 4],
}

/// Requests in a turn; the first half of them warms up what the side before left cold.
const TURN: usize = 200_000;

/// Requests after which a trace begins anew.
const TRACE: usize = 4_000_000;

/// Bytes of a payload.
const PAYLOAD: f64 = 500.0;

const HIT_MAX: f64 = 250.0;
const GROWTH_MAX: f64 = 1.5;
const UNIFORM_MAX: f64 = 1.3;
const BESIDE_MAX: f64 = 200.0;

pub(crate) fn run(arguments: &Arguments, runtime: &Runtime, bars: &mut Bars) {
    let fill = |sessions, label| runtime.block_on(Population::filled(sessions, label));
    let many = arguments.sessions;
    // The largest is filled first, so that no memory is free that it would take again.
    let large = fill(many, Label::Without);
    let populations = [
        fill(10_000.min(many), Label::Without),
        fill((many / 10).max(1), Label::Without),
        large,
    ];
    let mut lines: Vec<Line> = (0..populations.len())
        .flat_map(|population| {
            let sessions = populations[population].ids.len();
            Spread::ALL.map(|spread| Line::new(population, spread, sessions))
        })
        .collect();
    for round in 0..arguments.rounds {
        for line in &mut lines {
            let population = &populations[line.population];
            for place in 0..Side::ALL.len() {
                let side = (round + place) % Side::ALL.len();
                let p50 = line.turn(Side::ALL[side], population);
                line.p50[side].push(p50);
            }
        }
    }
    tell(arguments, &populations, &lines);
    judge(bars, &populations, &lines);
    drop(populations);
    let labelled = fill(100_000.min(many), Label::With);
    println!(
        "       with a browser's label and an address of 29 bytes, {:.0} B beside the payload as \
         counted by the cache",
        labelled.bytes.1 - PAYLOAD
    );
}

fn tell(arguments: &Arguments, populations: &[Population], lines: &[Line]) {
    println!(
        "# A hit\n\n\
         Nanoseconds of one request, p50 of {} requests in each of {} interleaved turns: median \
         of turns (95 % interval).\nA request fetches the whole payload of what it found. Each \
         time bears what it costs to look at the clock: {:.0} ns.\n\
         near cache: SHA-256 of the secret, the copy found, judged and handed out as a record.\n\
         plain map: as many sessions in as many shards, nothing checked; and with that hash.\n",
        TURN / 2,
        arguments.rounds,
        lines[0].of(Side::Nobody).median
    );
    println!(
        "| requests | sessions | near cache | plain map | plain map and hash | near cache over \
         the last |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    for line in lines {
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            line.spread.name(),
            populations[line.population].ids.len(),
            shown(&line.of(Side::Near), 0),
            shown(&line.of(Side::Plain), 0),
            shown(&line.of(Side::PlainAndHash), 0),
            shown(&line.over(Side::Near, Side::PlainAndHash), 2),
        );
    }
    println!();
}

fn judge(bars: &mut Bars, populations: &[Population], lines: &[Line]) {
    let of = |spread| lines.iter().filter(move |line| line.spread == spread);
    for line in of(Spread::Zipf) {
        let sessions = populations[line.population].ids.len();
        let what = format!("p50 of a hit, Zipf 0.99, {sessions} sessions");
        bars.at_most(what, line.of(Side::Near).median, HIT_MAX, " ns");
    }
    let (few, many) = (of(Spread::Zipf).next(), of(Spread::Zipf).next_back());
    let growth = ratio(&many.unwrap().p50[0], &few.unwrap().p50[0]);
    let what = format!("Zipf 0.99, most over fewest sessions {}", shown(&growth, 2));
    bars.at_most(what, growth.median, GROWTH_MAX, "");
    for line in of(Spread::Uniform) {
        let sessions = populations[line.population].ids.len();
        let over = line.over(Side::Near, Side::PlainAndHash);
        let what = format!(
            "uniform, {sessions} sessions, over the plain map and the hash {}",
            shown(&over, 2)
        );
        bars.at_most(what, over.median, UNIFORM_MAX, "");
    }
    let (grown, counted) = populations[populations.len() - 1].bytes;
    let what = format!(
        "bytes of a copy beside its payload, as the process grew ({:.0} B as counted)",
        counted - PAYLOAD
    );
    bars.at_most(what, grown - PAYLOAD, BESIDE_MAX, " B");
}

fn shown(figure: &Estimate, digits: usize) -> String {
    let Estimate { median, low, high } = figure;
    format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
}

fn ratio(ours: &[f64], theirs: &[f64]) -> Estimate {
    let pairs = ours.iter().zip(theirs);
    estimate(pairs.map(|(ours, theirs)| ours / theirs).collect())
}

// === impl Side ===

impl Side {
    const ALL: [Self; 4] = [Self::Near, Self::Plain, Self::PlainAndHash, Self::Nobody];

    /// `None` for what was no hit, because the machine stood still for longer than a lease.
    fn ask(self, population: &Population, id: &SessionId) -> Option<u64> {
        let Population { cache, plain, .. } = population;
        match self {
            Self::Near => {
                let live = cache.copy(&wanted(cache, id))?.live?;
                Some(read(live.record.payload.as_bytes()))
            }
            Self::Plain => {
                let record = plain.find(&id.handle())?;
                Some(read(record.payload.as_bytes()))
            }
            Self::PlainAndHash => {
                black_box(id.secret_hash());
                Self::Plain.ask(population, id)
            }
            Self::Nobody => Some(0),
        }
    }
}

/// What comes of a session is read, by whatever it was found: of each line of the machine's
/// caches a byte, so that it is there to be decoded.
fn read(payload: &[u8]) -> u64 {
    let lines = payload.iter().step_by(64);
    lines.map(|byte| u64::from(*byte)).sum()
}

// === impl Spread ===

impl Spread {
    const ALL: [Self; 2] = [Self::Zipf, Self::Uniform];

    fn name(self) -> &'static str {
        match self {
            Self::Zipf => "Zipf 0.99",
            Self::Uniform => "uniform",
        }
    }

    /// The numbers of the sessions, in the order in which they are asked for.
    fn trace(self, sessions: usize) -> Vec<u32> {
        /// A prime, so that sessions that are asked for often are not neighbours.
        const APART: usize = 7_368_787;
        let (mut draws, zipf) = (Draws::new(5), Zipf::over(sessions));
        let number = |draws: &mut Draws| match self {
            Self::Zipf => zipf.rank(draws) * APART % sessions,
            Self::Uniform => usize::try_from(draws.next()).unwrap() % sessions,
        };
        let numbers = (0..TRACE).map(|_| u32::try_from(number(&mut draws)).unwrap());
        numbers.collect()
    }
}

// === impl Line ===

impl Line {
    fn new(population: usize, spread: Spread, sessions: usize) -> Self {
        Self {
            population,
            spread,
            at: 0,
            trace: spread.trace(sessions),
            p50: Default::default(),
        }
    }

    /// Performs a turn, and answers what half of its requests took at most, in nanoseconds.
    fn turn(&mut self, side: Side, population: &Population) -> f64 {
        population.await_trust();
        let mut took = Vec::with_capacity(TURN / 2);
        for place in 0..TURN {
            let number = self.trace[self.at];
            self.at = (self.at + 1) % self.trace.len();
            // The request brings its id; that it was read from memory here is none of its cost.
            let id = black_box(population.ids[usize::try_from(number).unwrap()]);
            let begun = Instant::now();
            let found = black_box(side.ask(population, &id));
            let lasted = begun.elapsed();
            if place >= TURN / 2 && found.is_some() {
                took.push(nanos(lasted));
            }
        }
        assert!(took.len() > TURN / 4, "most are hits");
        let middle = took.len() / 2;
        let (_, p50, _) = took.select_nth_unstable(middle);
        f64::from(*p50)
    }

    fn of(&self, side: Side) -> Estimate {
        estimate(self.rounds(side).to_vec())
    }

    fn over(&self, side: Side, other: Side) -> Estimate {
        ratio(self.rounds(side), self.rounds(other))
    }

    fn rounds(&self, side: Side) -> &[f64] {
        let place = Side::ALL.iter().position(|it| *it == side);
        &self.p50[place.expect("one of all")]
    }
}

fn nanos(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}
