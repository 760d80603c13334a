//! What is printed.

use crate::bars::Bars;
use crate::load::{CONNECTIONS, Row, SLICE};
use crate::revoked::{Ended, bound};
use crate::variant::Variant;

/// What the throughput may not fall below where the near cache answers.
const NEAR_MIN: f64 = 0.97;

pub(crate) fn cost(rows: &[Row], rounds: usize, bars: &mut Bars) {
    println!(
        "The same axum application, {rounds} interleaved pairs of {} ms each, one server core,\n\
         {CONNECTIONS} connections. Ratio: throughput over that of the application without \
         sessions,\nmedian of pairs with its 95 % interval. CPU: server time per request, median; \
         and how many\ntimes as much as without sessions.\n",
        SLICE.as_millis(),
    );
    println!(
        "{:<37} {:>7}  {:<16} {:>10} {:>7}",
        "variant", "ratio", "95 % interval", "CPU us", "times"
    );
    for row in rows {
        println!(
            "{:<37} {:>7.3}  {:<16} {:>10.2} {:>7.3}",
            row.variant.title(),
            row.ratio.median,
            format!("{:.3} to {:.3}", row.ratio.low, row.ratio.high),
            row.cpu_micros,
            row.cpu_ratio,
        );
    }
    println!();
    for row in rows.iter().filter(|row| row.variant.is_near_cache()) {
        bars.judge(
            row.ratio.median >= NEAR_MIN,
            format_args!(
                "throughput, {}: {:.3}, at least {NEAR_MIN}",
                row.variant.title(),
                row.ratio.median
            ),
        );
    }
}

pub(crate) fn revoked(ended: &[(Variant, Ended)], bars: &mut Bars) {
    println!(
        "\nSessions ended through another process, and asked for {:.2} s after the last was \
         acknowledged:\n",
        bound().as_secs_f64()
    );
    println!(
        "{:<37} {:>16} {:>16}",
        "variant", "accepted before", "accepted after"
    );
    for (variant, ended) in ended {
        let of = |accepted| format!("{accepted} of {}", ended.sessions);
        println!(
            "{:<37} {:>16} {:>16}",
            variant.title(),
            of(ended.accepted_before),
            of(ended.accepted_after)
        );
        // Nodes that do not know their sessions refuse them for nothing.
        assert_eq!(ended.accepted_before, ended.sessions, "all were alive");
    }
    println!();
    for (variant, ended) in ended.iter().filter(|(variant, _)| variant.is_near_cache()) {
        bars.judge(
            ended.accepted_after == 0,
            format_args!(
                "ended sessions accepted after the bound, {}: {} of {}",
                variant.title(),
                ended.accepted_after,
                ended.sessions
            ),
        );
    }
}

pub(crate) fn instructions(counts: &[(Variant, Option<u64>)]) {
    println!("\nInstructions outside the kernel, one request through the router (callgrind):\n");
    for (variant, count) in counts {
        let count = count.map_or("no valgrind".to_owned(), |count| count.to_string());
        println!("{:<37} {count:>16}", variant.title());
    }
}
