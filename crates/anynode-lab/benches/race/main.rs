//! The race that a client-side cache has to win: `cargo xtask bench race`.
//!
//! A read of a key and a write of it cross: the server answers the read, takes the write and tells
//! the cache to forget the key, and the cache keeps what was read afterwards. Nothing will ever
//! tell it to forget that. Here there are 2,000 keys that are written five times each, with two
//! who read through the cache beside each write; then all rest, and each key is read through the
//! cache and past it. What differs then is stale for good.
//!
//! The cache of redis-rs (its feature `cache-aio`) and the near cache take turns on one Redis. The
//! first is a program of its own, because a feature that is on for one crate of a workspace is on
//! for all of them. `--rounds 3` and `--keys 2000` are the defaults; `--quick` is one round of 300.
//!
//! It holds where nothing was stale in the near cache, and something was in the other: else the
//! race was not exposed, and nothing is shown.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints, and ends at the first surprise"
)]

mod ours;
mod workload;

#[path = "../stores/program.rs"]
mod program;
#[path = "../stores/session.rs"]
#[allow(dead_code, reason = "sessions of users are measured elsewhere")]
mod session;

use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use anynode_lab::server::{Kind, Server};
use tokio::process::Command;

use crate::ours::Ours;
use crate::workload::{AT_ONCE, Outcome, READERS, REST, WRITES, race};

struct Arguments {
    rounds: u32,
    keys: u32,
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`; without it, this was only to be seen to start.
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    let Some(arguments) = Arguments::parse(words.iter().map(String::as_str)) else {
        eprintln!("bench race takes --rounds NUMBER, --keys NUMBER and --quick");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match runtime.block_on(run(&arguments)) {
        shortfalls if shortfalls.is_empty() => ExitCode::SUCCESS,
        shortfalls => {
            println!("does not hold: {}", shortfalls.join("; "));
            ExitCode::FAILURE
        }
    }
}

/// Runs the rounds, and answers what is short of the claim.
async fn run(arguments: &Arguments) -> Vec<&'static str> {
    let Arguments { rounds, keys } = *arguments;
    let server = Server::start(Kind::Redis).await.unwrap();
    let peer = program::built("race/peer", "cache-aio").await;
    println!(
        "race on one Redis: {keys} keys in each of {rounds} rounds, {WRITES} writes of each, \
         {READERS} reads beside each write, {AT_ONCE} keys at once, then {REST:?} of rest"
    );
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Each begins in turn.
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                let outcome = of_peer(&peer, &server, round, keys).await;
                print(round, "redis-rs cache-aio", &outcome, keys);
                theirs.push(outcome);
            } else {
                let contender = Ours::open(&server.fresh_url()).await;
                let outcome = race(Arc::new(contender), keys).await;
                print(round, "anynode near cache", &outcome, keys);
                ours.push(outcome);
            }
        }
    }
    let stale = |outcomes: &[Outcome]| -> usize { outcomes.iter().map(|one| one.stale).sum() };
    let clean = ours.iter().filter(|one| one.stale == 0).count();
    println!(
        "stale for good: anynode near cache {} of {}, none in {clean} of {rounds} rounds; \
         redis-rs cache-aio {} of {}",
        stale(&ours),
        keys * rounds,
        stale(&theirs),
        keys * rounds,
    );
    short_of(&ours, &theirs, keys)
}

fn short_of(ours: &[Outcome], theirs: &[Outcome], keys: u32) -> Vec<&'static str> {
    let keys = usize::try_from(keys).unwrap();
    let conditions = [
        (
            ours.iter().all(|one| one.stale == 0),
            "the near cache had stale copies",
        ),
        (
            theirs.iter().all(|one| one.stale > 0),
            "too little exposed: the other cache had none in some round",
        ),
        (
            ours.iter().all(|one| one.loads >= keys),
            "too little exposed: fewer loads of the near cache than keys",
        ),
        (
            ours.iter().all(|one| one.copies * 10 >= keys * 9),
            "too little exposed: the near cache kept too few copies afterwards",
        ),
    ];
    let broken = conditions.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, what)| what).collect()
}

/// Has the program of the other cache run the race, on keys of its own.
async fn of_peer(program: &std::path::Path, server: &Server, round: u32, keys: u32) -> Outcome {
    let url = format!("{}?protocol=resp3", server.url());
    let output = Command::new(program)
        .args([url, format!("race-{round}"), keys.to_string()])
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "the peer says why it ended");
    let said = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<usize> = said
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    let [stale, loads, copies] = figures[..] else {
        panic!("the peer prints three figures");
    };
    Outcome {
        stale,
        loads,
        copies,
    }
}

fn print(round: u32, name: &str, outcome: &Outcome, keys: u32) {
    let Outcome {
        stale,
        loads,
        copies,
    } = outcome;
    println!(
        "round {}: {name}: {stale} of {keys} stale for good ({:.1} %); {loads} reads went to the \
         server during the race, {copies} keys were answered from a copy afterwards",
        round + 1,
        f64::from(u32::try_from(*stale).unwrap()) * 100.0 / f64::from(keys),
    );
}

// === impl Arguments ===

impl Arguments {
    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut arguments = Self {
            rounds: 3,
            keys: 2_000,
        };
        while let Some(word) = words.next() {
            let mut number = || {
                words
                    .next()?
                    .parse()
                    .ok()
                    .filter(|number: &u32| *number > 0)
            };
            match word {
                "--bench" => {}
                "--quick" => (arguments.rounds, arguments.keys) = (1, 300),
                "--rounds" => arguments.rounds = number()?,
                "--keys" => arguments.keys = number()?,
                _ => return None,
            }
        }
        Some(arguments)
    }
}
