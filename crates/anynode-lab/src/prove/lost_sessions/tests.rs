//! What does not count as a proof.

use super::*;
use crate::checker::Sessions;

/// A run in which everything was done and nothing is wrong, but for the change.
fn shortfalls(change: impl FnOnce(&mut Verdict)) -> Vec<String> {
    let mut verdict = Verdict::default();
    verdict.requests.all = 1000;
    verdict.requests.idempotent = 500;
    verdict.sessions = Sessions {
        begun: 100,
        exposed: 90,
        ..Sessions::default()
    };
    change(&mut verdict);
    let finding = LostSessionsFinding {
        strategy: Strategy::Central,
        claim: Claim::NoLoss,
        pins: Pins::NotAsked,
        seed: 1,
        users: 100,
        requests_asked: 1000,
        kills: 3,
        store_faults: 0,
        kills_asked: 3,
        scalings: Vec::new(),
        address_changes: 0,
        verdict,
        latency: Latency::default(),
        lateness: Duration::ZERO,
    };
    finding.shortfalls()
}

#[test]
fn a_fleet_that_lets_nobody_in_proves_nothing() {
    assert_eq!(shortfalls(|_| {}), [""; 0]);
    let short = shortfalls(|verdict| verdict.sessions = Sessions::default());
    assert_eq!(short, ["no session was begun"]);
}

#[test]
fn a_fleet_that_refuses_every_write_proves_nothing() {
    assert_eq!(shortfalls(|verdict| verdict.requests.failed = 50), [""; 0]);
    let short = shortfalls(|verdict| verdict.requests.failed = 51);
    assert_eq!(short, ["too many requests failed"]);
}
