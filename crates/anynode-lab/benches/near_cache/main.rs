//! What a hit of the near cache costs, and how soon a revocation is seen on another node:
//! `cargo xtask bench near-cache`.
//!
//! Names of parts may follow, and leave out the other: `hit`, `push`; `--rounds N`,
//! `--sessions N` for the largest population, `--stores redis,postgres`, and `--quick`, to try it
//! out.
//!
//! - `hit`: what the middleware asks of the near cache for each request, beside a plain map of
//!   as many sessions in as many shards, which checks nothing; and what a copy takes in memory.
//! - `push`: a session is revoked on one node, and another one that holds a copy of it is asked
//!   until it refuses. Both are in this process, each with its own connections to a real server.
//!
//! Whatever is compared takes turns, slice by slice, and ratios are taken within a round, so
//! that a drift of the machine favours nobody.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark asks the clock, prints, and ends at the first surprise"
)]

mod arguments;
mod bars;
mod most;

mod hit;
mod plain;
mod population;
mod push;

#[path = "../stores/session.rs"]
mod session;
#[path = "../middleware/stats.rs"]
mod stats;
#[path = "../../../anynode-core/benches/near_trace/zipf.rs"]
mod zipf;

use arguments::{Arguments, Part};
use bars::Bars;

fn main() {
    // `cargo bench` adds `--bench`; without it, this was only to be seen to start.
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let arguments = match Arguments::parse(words.iter().map(String::as_str)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut bars = Bars::default();
    for part in &arguments.parts {
        match part {
            Part::Hit => hit::run(&arguments, &runtime, &mut bars),
            Part::Push => runtime.block_on(push::run(&arguments, &mut bars)),
        }
    }
    bars.tell();
}
