//! The proofs at a hundredth of their size, with real processes.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const LAB: &str = env!("CARGO_BIN_EXE_anynode-lab");

/// Runs the program and answers what it printed, after it ended well.
fn prove(arguments: &[&str]) -> String {
    let output = Command::new(LAB)
        .arg("prove")
        .args(arguments)
        .output()
        .expect("starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{complaint}");
    printed
}

#[test]
fn no_update_is_lost_or_doubled_in_three_processes_that_are_killed() {
    let printed = prove(&["lost-updates-in-store", "--updates=1000", "--kills=3"]);
    assert!(printed.contains("3 kills"), "{printed}");
    assert!(
        printed.contains("0 lost, 0 doubled, 0 \"database is locked\""),
        "{printed}"
    );
}

#[test]
fn no_session_rises_from_its_revocation_in_the_store() {
    let printed = prove(&["risen-sessions-in-store", "--races=1000"]);
    assert!(printed.contains("0 risen, 0 errors"), "{printed}");
}

#[test]
fn no_session_is_lost_when_nodes_are_killed_added_and_taken_away() {
    let printed = prove(&["lost-sessions", "--quick", "--requests=2000"]);
    assert!(
        printed.contains("3 to 13 nodes, 13 to 3 nodes"),
        "{printed}"
    );
    assert!(printed.contains(": 0 lost; 0 of "), "{printed}");
}

#[test]
fn sessions_in_memory_are_lost() {
    let printed = prove(&[
        "lost-sessions",
        "--quick",
        "--strategy=memory",
        "--requests=2000",
        "--nodes-between=4",
    ]);
    assert!(!printed.contains(": 0 lost; "), "{printed}");
}

#[test]
fn no_update_is_lost_or_doubled_when_nodes_are_killed() {
    let printed = prove(&["lost-updates", "--quick", "--updates=500"]);
    assert!(
        printed.contains("; 0 lost, 0 lost with sessions, 0 doubled, 0 stale;"),
        "{printed}"
    );
}

#[test]
fn no_session_is_accepted_after_its_end() {
    let printed = prove(&["risen-sessions", "--quick", "--logouts=100"]);
    assert!(printed.contains(", 0 risen; 0 of "), "{printed}");
}

/// Of the situations, those in which a copy, a lease and a gap are put to the test.
const SITUATIONS: [&str; 3] = [
    "--situation=healthy",
    "--situation=cut",
    "--situation=slow-then-silent",
];

#[test]
fn no_revoked_session_is_accepted_after_the_bound() {
    let row = ["revoked-accepted", "--revocations=90", "--store=redis"];
    let printed = prove(&[&row[..], &SITUATIONS].concat());
    assert!(printed.contains(" requests after the bound accepted; refused after p50"));
    let last = printed.lines().last().expect("a summary");
    assert!(last.contains("in 3 situations; 0 of "), "{printed}");
    assert!(last.contains(", 0 refused falsely"), "{printed}");
}

#[test]
fn on_a_file_a_revoked_session_is_accepted_by_no_request_that_is_sent_afterwards() {
    let row = ["revoked-accepted", "--revocations=40"];
    let situations = ["--situation=healthy", "--situation=node-paused"];
    let printed = prove(&[&row[..], &situations].concat());
    assert!(
        printed.contains("last accepted after 0.0 ms (L 0.00 s, D 0.00 s)"),
        "{printed}"
    );
}

#[test]
fn answers_are_never_behind_by_more_than_the_bound_and_the_wall_is_drawn() {
    let directory = tempfile::tempdir().expect("there is room");
    let svg = directory.path().join("staleness.svg");
    let row = [
        "staleness",
        "--quick",
        "--store=postgres",
        "--situation=healthy",
    ];
    let drawn = format!("--svg={}", svg.display());
    let printed = prove(&[&row[..], &["--situation=hole-from-store", &drawn]].concat());
    assert!(
        printed.contains(", 0 beyond it, 0 older than they said"),
        "{printed}"
    );
    let svg = std::fs::read_to_string(svg).expect("it was drawn");
    assert!(svg.contains("class=\"wall\"") && svg.contains("class=\"copies\""));
}

#[test]
fn a_summary_in_json_says_whether_the_claim_holds() {
    let printed = prove(&["risen-sessions", "--quick", "--logouts=10", "--json"]);
    let last = printed.lines().last().expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(last).expect("is JSON");
    assert_eq!(summary["holds"], true, "{summary}");
    assert_eq!(summary["found"]["strategy"], "central");
}

#[test]
fn a_proof_of_nothing_is_a_mistake_of_who_asks_for_it() {
    for mistake in [
        "lost-sessions --users=0",
        "lost-sessions --rate=0",
        "lost-sessions --requests=0",
        "lost-sessions --nodes=0",
        "lost-sessions --nodes-between=65",
        "lost-sessions --store=nothing",
        "lost-updates --updates=0",
        "risen-sessions --logouts=0",
        "affinity-moves --clients=0",
        "revoked-accepted --revocations=0",
        "revoked-accepted --situation=rain",
        "staleness --store=nothing",
        "lost-updates-in-store --processes=0",
        "lost-updates-in-store --updates=0",
        "risen-sessions-in-store --races=0",
    ] {
        let row = mistake.split(' ');
        let output = Command::new(LAB).arg("prove").args(row).output();
        let output = output.expect("starts");
        assert_eq!(output.status.code(), Some(2), "{mistake}: {output:?}");
    }
}

#[test]
fn a_proof_that_is_stopped_leaves_no_file_and_proves_nothing() {
    for row in ["lost-sessions", "lost-updates-in-store"] {
        let directory = tempfile::tempdir().expect("there is room");
        let count = || std::fs::read_dir(&directory).expect("is there").count();
        let mut lab = Command::new(LAB)
            .args(["prove", row])
            .env("TMPDIR", directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        wait_until("its files are there", || count() > 0);
        let pid = i32::try_from(lab.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("is a process"), Signal::INT).expect("it lives");
        let status = lab.wait().expect("ends");
        assert_eq!(status.code(), Some(1), "{row}");
        assert_eq!(count(), 0, "{row}");
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1500 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("waited in vain until {what}");
}

#[test]
fn an_eleventh_node_takes_its_share_of_the_clients_alone() {
    let printed = prove(&["affinity-moves", "--quick"]);
    assert!(
        printed.contains(", 0 of them between nodes that stayed"),
        "{printed}"
    );
}

#[test]
fn a_client_that_changes_its_address_is_kept_by_a_cookie_and_by_a_store_and_not_by_its_address() {
    let change = |strategy: &str| {
        let strategy = format!("--strategy={strategy}");
        let row = ["lost-sessions", "--quick", "--change-addresses"];
        prove(&[&row[..], &["--requests=1500", &strategy]].concat())
    };
    assert!(change("sticky-cookie").contains(" 0 sessions moved, "));
    assert!(change("central").contains(": 0 lost; "));
    assert!(!change("sticky-ip").contains(": 0 lost; "));
}
