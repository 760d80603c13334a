//! The proofs at a hundredth of their size, with real processes.

use std::process::Command;

/// Runs the program and answers what it printed, after it ended well.
fn prove(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_anynode-lab"))
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
    let printed = prove(&["lost-updates", "--updates", "1000", "--kills", "3"]);
    assert!(printed.contains("3 kills"), "{printed}");
    assert!(
        printed.contains("0 lost, 0 doubled, 0 \"database is locked\""),
        "{printed}"
    );
}

#[test]
fn no_session_rises_from_its_revocation() {
    let printed = prove(&["risen-sessions", "--races", "1000"]);
    assert!(printed.contains("0 risen, 0 errors"), "{printed}");
}
