//! What is printed: the setting before the first round, the results after the last.

use std::net::SocketAddr;

use crate::RATE;
use crate::contender::Contender;
use crate::load::{CONNECTIONS, Load, SLICE, Sample, WARM_UP};
use crate::peers::version;
use crate::stats::{estimate, median};

pub(crate) fn head(rounds: usize, workers: usize, backends: &[SocketAddr]) {
    let most = Load::connect(CONNECTIONS, backends).most();
    println!(
        "{rounds} interleaved rounds of {} s each after {} s, {RATE} requests per second on\n\
         {CONNECTIONS} connections, three backends, {workers} worker(s). Load and backends alone\n\
         bear {most} requests per second.\n\n\
         hyper {}, tokio {} | {} | {}\nLinux {}\n",
        SLICE.as_secs(),
        WARM_UP.as_secs(),
        locked("hyper"),
        locked("tokio"),
        version("haproxy"),
        version("nginx"),
        std::fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim(),
    );
    println!(
        "CPU us: time of the proxy per request, median (least to most of all rounds).\n\
         Ratios: of that time within a round, median (95 % interval).\n\
         Added: latency from the schedule beyond that of the direct run, us, medians.\n"
    );
}

pub(crate) fn samples(samples: &[Vec<Sample>]) {
    println!(
        "{:<24} {:<20} {:<22} {:<22} {:>9} {:>9}",
        "contender", "CPU us", "of HAProxy", "of do-nothing", "added p50", "added p99"
    );
    for contender in Contender::ALL {
        row(contender, samples);
    }
    println!("Every answer was 200.");
}

fn row(contender: Contender, samples: &[Vec<Sample>]) {
    let of = |contender: Contender| &samples[contender.place()];
    let (own, direct) = (of(contender), of(Contender::Direct));
    if contender == Contender::Direct {
        let p50 = median(own.iter().map(|sample| sample.p50).collect());
        let p99 = median(own.iter().map(|sample| sample.p99).collect());
        println!(
            "{:<24} latency itself: p50 {p50:.0} us, p99 {p99:.0} us",
            contender.title()
        );
        return;
    }
    let cpu: Vec<f64> = own.iter().map(|sample| sample.cpu_micros).collect();
    let least = cpu.iter().copied().fold(f64::INFINITY, f64::min);
    let most = cpu.iter().copied().fold(0.0, f64::max);
    let ratio = |other: Contender| {
        let pairs = own.iter().zip(of(other));
        let ratio = estimate(pairs.map(|(a, b)| a.cpu_micros / b.cpu_micros).collect());
        format!(
            "{:.2} ({:.2} to {:.2})",
            ratio.median, ratio.low, ratio.high
        )
    };
    let added = |latency: fn(&Sample) -> f64| {
        let pairs = own.iter().zip(direct);
        median(pairs.map(|(a, b)| latency(a) - latency(b)).collect())
    };
    println!(
        "{:<24} {:<20} {:<22} {:<22} {:>9.0} {:>9.0}",
        contender.title(),
        format!("{:.1} ({least:.1} to {most:.1})", median(cpu)),
        ratio(Contender::HaProxy),
        ratio(Contender::Nothing),
        added(|sample| sample.p50),
        added(|sample| sample.p99),
    );
}

pub(crate) fn instructions(counts: &[(Contender, u64)]) {
    if counts.is_empty() {
        println!("\nInstructions are not counted without valgrind.");
        return;
    }
    println!("\nInstructions outside the kernel for one request (callgrind):");
    for (contender, count) in counts {
        println!("{:<24} {count}", contender.title());
    }
}

/// The version of a package in the lock file that this was built from.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../../../../Cargo.lock");
    let (_, rest) = lock
        .split_once(&format!("\nname = \"{package}\"\nversion = \""))
        .unwrap();
    rest.split('"').next().unwrap()
}
