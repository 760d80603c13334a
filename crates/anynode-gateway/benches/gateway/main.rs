//! What the gateway costs a request, beside other proxies: `cargo xtask bench gateway`.
//!
//! A number of rounds and a number of workers may follow, or `instructions`, which counts those
//! of one request by callgrind and leaves out all that depends on the machine.
//!
//! Each contender is a process of its own in front of the same three backends: HAProxy with
//! cookie affinity, nginx, a hyper proxy that does nothing but pass (`nothing.rs`, the floor of
//! what anything on hyper can cost), and the gateway with and without cookie affinity.
//!
//! - What counts is the time that the proxy's processes spend on a core, for each answered
//!   request. It is robust where two cores have to bear load, proxy and backends, as requests
//!   per second are not. A proxy has core 0 for itself and one worker; the load and the backends
//!   share core 1. With two workers or more nothing is bound to a core.
//! - The load is open: 64 connections, each request at its scheduled time whatever became of
//!   the others, at a rate far below what any contender can bear. Latency counts from the
//!   schedule, and what a proxy adds is the difference to the direct run of the same round.
//! - Rounds are interleaved, each begins with another contender, and ratios are taken within a
//!   round, so that a drift of the machine favours nobody.
//! - Every answer is 200 with its whole body, or the benchmark ends.
//! - Each connection bears a session's cookie and the affinity cookie that it was given. All
//!   say who the client is in the same three `X-Forwarded` fields (the gateway in `Forwarded`
//!   too), none writes a log, and all keep connections alive on both sides.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark asks the clock, prints, and ends at the first surprise"
)]

mod contender;
mod peers;

mod backend;
mod nothing;
mod process;

mod instructions;
mod load;
#[path = "../../../anynode-lab/benches/middleware/stats.rs"]
mod stats;
mod table;

use std::net::SocketAddr;

use contender::Contender;
use load::{Load, Sample};
use process::{Cores, Process};

/// Requests per second.
const RATE: u32 = 4_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["backend"] => backend::serve(),
        ["proxy", contender, workers, backends @ ..] => {
            let backends: Vec<SocketAddr> = backends.iter().map(|at| at.parse().unwrap()).collect();
            Contender::named(contender).serve(workers.parse().unwrap(), &backends);
        }
        // `cargo bench` adds `--bench`.
        rest if rest.contains(&"instructions") => {
            let (_running, backends) = start_backends(Cores::Free);
            table::instructions(&count_instructions(&backends));
        }
        rest => {
            let mut numbers = rest.iter().filter_map(|text| text.parse::<usize>().ok());
            let rounds = numbers.next().unwrap_or(7).max(1);
            compare(rounds, numbers.next().unwrap_or(1));
        }
    }
}

fn compare(rounds: usize, workers: usize) {
    let cores = Cores::of(workers);
    let (_running, backends) = start_backends(cores);
    let contenders: Vec<_> = Contender::ALL
        .into_iter()
        .map(|contender| (contender, contender.start(cores, workers, &backends)))
        .collect();
    cores.enter_load();
    table::head(rounds, workers, &backends);
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for place in 0..contenders.len() {
            let turn = (round + place) % contenders.len();
            let (contender, process) = &contenders[turn];
            let load = Load::connect(load::CONNECTIONS, &process.addresses());
            samples[turn].push(load.measure(*contender, RATE, process));
        }
    }
    table::samples(&samples);
    table::instructions(&count_instructions(&backends));
}

fn start_backends(cores: Cores) -> (Vec<Process>, Vec<SocketAddr>) {
    let start = || process::role(process::this_program(), &["backend"]);
    let running: Vec<Process> = (0..3).map(|_| cores.beside_load(start)).collect();
    let addresses = running.iter().map(Process::address).collect();
    (running, addresses)
}

fn count_instructions(backends: &[SocketAddr]) -> Vec<(Contender, u64)> {
    let roles = Contender::ALL
        .into_iter()
        .filter(|contender| contender.is_role());
    let counted =
        roles.map(|contender| Some((contender, instructions::count(contender, backends)?)));
    counted.flatten().collect()
}
