//! How many requests a near cache answers, by what it evicts: on a skewed trace, on one that a
//! crawler runs through, and on one whose top visitors change.

mod policies;
mod shard;
mod trace;
mod zipf;

use policies::{Clock, Lru, Moka, Policy, Quick, S3Fifo, Sieve};
use shard::Shipped;
use trace::{SESSIONS, Shape};

type Make = fn(usize) -> Box<dyn Policy>;

const POLICIES: &[(&str, Make)] = &[
    ("LRU", |room| Box::new(Lru::new(room))),
    ("CLOCK, 1 bit", |room| Box::new(Clock::new(room, 1))),
    ("CLOCK, 2 bits", |room| Box::new(Clock::new(room, 3))),
    ("SIEVE", |room| Box::new(Sieve::new(room))),
    ("S3-FIFO", |room| Box::new(S3Fifo::new(room))),
    ("this one", |room| Box::new(Shipped::new(room))),
    ("moka", |room| Box::new(Moka::new(room))),
    ("quick_cache", |room| Box::new(Quick::new(room))),
];

/// Room for so many thousandths of all sessions.
const ROOMS: [usize; 4] = [10, 50, 100, 250];

fn main() {
    for shape in Shape::ALL {
        let trace = shape.trace();
        println!(
            "\n{}: {} requests, {SESSIONS} sessions",
            shape.name(),
            trace.len()
        );
        print!("{:<14}", "hits at room");
        for room in ROOMS {
            print!("{:>8} %", thousandths(room));
        }
        println!();
        for (name, make) in POLICIES {
            print!("{name:<14}");
            for room in ROOMS {
                let mut policy = make(SESSIONS * room / 1_000);
                let hits = trace.iter().filter(|key| policy.request(**key)).count();
                print!("{:>8} %", thousandths(hits * 1_000 / trace.len()));
            }
            println!();
        }
    }
}

fn thousandths(of: usize) -> String {
    format!("{}.{}", of / 10, of % 10)
}
