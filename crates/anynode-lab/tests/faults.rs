//! A few cells of the matrix of stores and faults, with real processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

const LAB: &str = env!("CARGO_BIN_EXE_anynode-lab");

fn prove(arguments: &[&str]) -> Output {
    Command::new(LAB)
        .args(["prove", "faults"])
        .args(arguments)
        .output()
        .unwrap()
}

/// What was printed, after it ended well.
fn passed(arguments: &[&str]) -> String {
    let output = prove(arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{complaint}");
    printed
}

#[test]
fn a_file_that_is_flushed_and_whose_node_stands_still_passes() {
    let cells = ["--store=sqlite", "--fault=flush", "--fault=node-paused"];
    let printed = passed(&cells);
    assert!(printed.contains("faults: 2 of 2 passed"), "{printed}");
}

#[test]
fn servers_that_are_killed_cut_off_and_garbled_pass() {
    let cells = [
        "--store=redis",
        "--store=postgres",
        "--fault=killed",
        "--fault=cut",
        "--fault=malformed",
    ];
    let printed = passed(&cells);
    assert!(printed.contains("faults: 6 of 6 passed"), "{printed}");
}

#[test]
fn servers_under_sentinels_that_are_half_open_pass() {
    let printed = passed(&["--store=redis-sentinel", "--fault=half-open"]);
    assert!(printed.contains("faults: 1 of 1 passed"), "{printed}");
}

#[test]
fn what_makes_no_sense_is_not_counted_as_passed() {
    let output = prove(&["--store=sqlite", "--fault=cut", "--fault=slow"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("0 of 0 passed, 2 make no sense"),
        "{printed}"
    );
}

#[test]
fn an_unknown_store_is_a_mistake_of_who_asks_for_it() {
    let output = prove(&["--store=paper"]);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(
        complaint.contains("the kinds are sqlite, redis,"),
        "{complaint}"
    );
}
