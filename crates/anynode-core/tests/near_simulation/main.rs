//! Fleets of nodes whose near caches are the crate's own state machines, on stores and networks
//! that fail in every way a seed can draw; a judge who shares no code with them holds each
//! answer to what was promised.
//!
//! One thread, one queue of what happens next, and one seed for all that is left to chance: a
//! seed that breaks a promise does so every time. `ANYNODE_SEED=n` runs that one and tells what
//! happens; `ANYNODE_SEEDS=n` says how many, from `ANYNODE_FIRST_SEED` on.
//!
//! Read in this order:
//! - [`plan`]: what a seed is about, and what goes wrong;
//! - [`world`]: time, and the queue;
//! - [`verb`], [`shelf`], [`server`], [`replica`], [`net`], [`faults`]: the store, the network;
//! - [`node`], [`clock`], [`channel`], [`hearing`], [`reading`], [`deciding`], [`writing`]: a
//!   node, which asks the crate for every decision and does what it says;
//! - [`client`], [`operator`], [`record`]: who asks, and for what;
//! - [`history`], [`judge`]: what happened, and whether what clients were told agrees with it.
//!
//! What must hold (reference/coherence.md 2.1): I1 no answer lacks what was acknowledged longer
//! ago than its class allows (H/(1-rho) + D; nothing on `strict`; the maximum age where a channel
//! drops events), and none shows what was never written; I3 what a node was told or said itself
//! is final; I6 own writes are shown; I8 nobody is turned away who is logged in; I9 nothing
//! outlives its deadline; R2 what a fail-over lost and a node remembers is brought back; and when
//! all is healed, every node whose clock is good trusts again, and answers everything. I2, I4 and
//! I5 are how those are kept: breaking one shows as I1.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod draws;
mod plan;

mod world;

mod faults;
mod net;
mod replica;
mod server;
mod shelf;
mod verb;

mod channel;
mod clock;
mod deciding;
mod hearing;
mod node;
mod reading;
mod writing;

mod client;
mod operator;
mod record;

mod history;
mod judge;

mod batch;
mod counts;

/// As many seeds as a test has time for.
const SEEDS: u64 = 10_000;

#[test]
fn no_seed_breaks_a_promise() {
    if let Some(seed) = batch::asked("ANYNODE_SEED") {
        return batch::replay(seed);
    }
    let first = batch::asked("ANYNODE_FIRST_SEED").unwrap_or(0);
    let seeds = batch::asked("ANYNODE_SEEDS").unwrap_or(SEEDS);
    let counts = batch::run(first, seeds);
    println!("{counts}");
    if seeds >= SEEDS {
        assert_eq!(counts.never(), [""; 0], "never seen");
    }
}

#[test]
fn a_seed_does_the_same_every_time() {
    for seed in 0..20 {
        assert_eq!(batch::counts_of(seed), batch::counts_of(seed), "{seed}");
    }
}
