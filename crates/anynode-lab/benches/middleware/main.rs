//! What a session costs a request: `cargo xtask bench middleware`.
//!
//! One axum application is served in several ways, each by a process of its own on a core of its
//! own: without sessions, with a session that it leaves alone, and reading one typed value of
//! an 8-key, 500-byte session from memory, from SQLite, from Redis and from the near cache over
//! Redis and PostgreSQL; beside it tower-sessions with its stores in memory and in Redis, and
//! with its Moka cache over that one, served by a program of their own (`../stores/peers`).
//! Every request of every variant bears a valid cookie. Each variant is measured against the
//! application without sessions in interleaved pairs. The stores are real servers and share the
//! core of the load.
//!
//! In the end all sessions of the nodes that others share a store with are ended through another
//! process, and the nodes are asked for them again once the staleness bound has gone by.
//!
//! A number of rounds may follow, and names of parts, which leave out the others: `cost`,
//! `instructions`, `revoked`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark asks the clock, prints, and ends at the first surprise"
)]

mod app;
mod variant;
mod visitors;

mod instructions;
mod load;
mod revoked;
mod server;
mod stats;
mod stores;
mod table;

#[path = "../near_cache/bars.rs"]
mod bars;
#[path = "../stores/program.rs"]
mod program;

use bars::Bars;
use server::{Programs, Server};
use stores::Stores;
use variant::Variant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", variant, url] => server::serve(Variant::named(variant), url),
        ["repeat", variant, url, count] => instructions::repeat(
            Variant::named(variant),
            count.parse().expect("a number of requests"),
            url,
        ),
        // `cargo bench` adds `--bench`; without it, this was only to be seen to start.
        rest if rest.contains(&"--bench") => measure(rest),
        _ => {}
    }
}

fn measure(words: &[&str]) {
    let rounds = words.iter().find_map(|text| text.parse().ok());
    let parts = ["cost", "instructions", "revoked"];
    let is_named = |part: &&str| words.contains(part);
    let is_asked = |part: &str| is_named(&part) || !parts.iter().any(is_named);
    server::pin_load();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let programs = Programs::with_peers(runtime.block_on(program::built("stores/peers", "peers")));
    let stores = runtime.block_on(Stores::start());
    let servers: Vec<(Variant, Server)> = Variant::ALL
        .into_iter()
        .map(|variant| (variant, programs.serve(variant, stores.fresh_url(variant))))
        .collect();
    let mut bars = Bars::default();
    if is_asked("cost") {
        let base = programs.serve(Variant::Without, String::new());
        // Six pairs are the fewest that have an interval.
        let rounds = rounds.unwrap_or(40).max(6);
        let rows = load::measure(&base, &servers, rounds);
        table::cost(&rows, rounds, &mut bars);
    }
    if is_asked("revoked") {
        let shared = servers
            .iter()
            .filter(|(variant, _)| Variant::SHARED.contains(variant));
        let ended = shared.map(|(variant, server)| {
            let ended = revoked::measure(&runtime, &programs, *variant, server);
            (*variant, ended)
        });
        table::revoked(&ended.collect::<Vec<_>>(), &mut bars);
    }
    drop(servers);
    if is_asked("instructions") {
        let counts = Variant::ALL.map(|variant| {
            let fresh_url = || stores.fresh_url(variant);
            (variant, instructions::count(&programs, variant, fresh_url))
        });
        table::instructions(&counts);
    }
    bars.tell();
}
