//! What a session costs a request: `cargo xtask bench middleware`.
//!
//! One axum application is served five ways, each by a process of its own on a core of its
//! own: without sessions, with a session that it leaves alone, and reading one typed value of
//! an 8-key, 500-byte session from memory, from SQLite, and from tower-sessions' memory
//! store. Every request of every variant bears a valid cookie. Each variant is measured
//! against the application without sessions in interleaved pairs.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark asks the clock, prints, and ends at the first surprise"
)]

mod app;
mod instructions;
mod load;
mod server;
mod stats;

use app::Variant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", variant] => server::serve(Variant::named(variant)),
        ["repeat", variant, count] => instructions::repeat(
            Variant::named(variant),
            count.parse().expect("a number of requests"),
        ),
        // `cargo bench` adds `--bench`; a number of rounds may follow.
        rest => {
            let rounds = rest.iter().find_map(|text| text.parse().ok()).unwrap_or(40);
            compare(rounds);
        }
    }
}

fn compare(rounds: usize) {
    println!(
        "The same axum application, {rounds} interleaved pairs of {} ms each, one server core,\n\
         {} connections. Ratio: throughput over that of the application without sessions,\n\
         median of pairs with its 95 % interval. CPU: server time per request, median.\n\
         Instructions: callgrind, one request through the router, without network.\n",
        load::SLICE.as_millis(),
        load::CONNECTIONS
    );
    let rows = load::measure(rounds);
    println!(
        "{:<34} {:>7}  {:<16} {:>10} {:>13}",
        "variant", "ratio", "95 % interval", "CPU us", "instructions"
    );
    for row in rows {
        let instructions = instructions::count(row.variant)
            .map_or("no valgrind".to_owned(), |count| count.to_string());
        println!(
            "{:<34} {:>7.3}  {:<16} {:>10.2} {:>13}",
            row.variant.title(),
            row.ratio.median,
            format!("{:.3} to {:.3}", row.ratio.low, row.ratio.high),
            row.cpu_micros,
            instructions
        );
    }
}
