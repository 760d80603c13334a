//! What stores cost: `cargo xtask bench stores`.
//!
//! Names of parts may follow, and leave out the others: `ops`, `users`, `sweep`, `bytes`;
//! `--stores redis,postgres` leaves out stores, and `--sessions 10000` makes everything
//! smaller, to try it out. Each store runs in a server that is started for its part.
//!
//! - `ops`: `load` and `replace` beside the bare driver, which sends the very commands that a
//!   relay saw the store send; beside a plain read and write of as many bytes by primary key;
//!   and beside the stores of tower-sessions, which run in a process of their own (`peers`).
//! - `users`: `list` and `revoke` of a user of 20 sessions among very many and among few.
//! - `sweep`: what sweeping the dead does to who loads meanwhile, and what it gives back.
//! - `bytes`: what a session and the end of one cost in memory or on disk.
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

mod bytes;
mod ops;
mod sweep;
mod users;

mod contest;
mod fill;
mod gauge;
mod peers;
mod program;
mod relay;
mod session;
#[path = "../middleware/stats.rs"]
mod stats;

use arguments::{Arguments, Part};

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
    for part in &arguments.parts {
        runtime.block_on(async {
            match part {
                Part::Ops => ops::run(&arguments).await,
                Part::Users => users::run(&arguments).await,
                Part::Sweep => sweep::run(&arguments).await,
                Part::Bytes => bytes::run(&arguments).await,
            }
        });
    }
}
