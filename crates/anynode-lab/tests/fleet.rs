//! Fleets of real processes: what is done to them happens, and they end with who started them.

use std::collections::HashSet;
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anynode_lab::checker::check;
use anynode_lab::fleet::{Plan, Strategy};
use anynode_lab::history::{History, Kind, What};
use anynode_lab::stage::{Stage, Step};
use anynode_lab::user::{Load, Mix};
use rustix::process::{Pid, Signal, kill_process};

const LAB: &str = env!("CARGO_BIN_EXE_anynode-lab");

/// How often a condition is looked at, and how many times at most.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS_MAX: usize = 1500;

fn plan(strategy: Strategy, nodes: usize) -> Plan {
    Plan {
        program: Some(LAB.into()),
        ..Plan::new(strategy, nodes)
    }
}

fn load(users: u32) -> Load {
    Load {
        users,
        rate: 200,
        mix: Mix::default(),
        seed: 1,
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if condition() {
            return;
        }
        sleep(LOOK);
    }
    panic!("waited in vain until {what}");
}

/// The processes whose parent is this one.
fn children_of(parent: u32) -> HashSet<u32> {
    let entries = fs::read_dir("/proc").expect("Linux has it").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat_of(*pid).is_some_and(|stat| stat.1 == parent))
        .collect()
}

/// The state of a process and its parent.
fn stat_of(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn is_gone(pid: u32) -> bool {
    stat_of(pid).is_none_or(|(state, _)| state == 'Z')
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("is a process"), signal).expect("it lives");
}

#[test]
fn a_fleet_ends_with_who_started_it_even_by_kill_9_and_though_a_node_stands_still() {
    let mut lab = Command::new(LAB)
        .args(["prove", "lost-sessions", "--change-addresses"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the fleet has started", || children_of(lab.id()).len() >= 4);
    let fleet = children_of(lab.id());
    let node = *fleet.iter().next().unwrap();
    signal(node, Signal::STOP);
    wait_until("the node stands still", || {
        stat_of(node).is_some_and(|(state, _)| state == 'T')
    });
    lab.kill().unwrap();
    lab.wait().unwrap();
    wait_until("the fleet has ended", || {
        fleet.iter().all(|&pid| is_gone(pid))
    });
}

#[tokio::test]
async fn a_node_that_is_killed_is_replaced_by_another_process() {
    let mut stage = Stage::start(&plan(Strategy::Memory, 1), load(5), None)
        .await
        .unwrap();
    let before = (stage.fleet().node_pids(), stage.fleet().node_addresses());
    stage.perform(Step::Crash).await.unwrap();
    let after = (stage.fleet().node_pids(), stage.fleet().node_addresses());
    assert_ne!(before.0, after.0);
    assert_ne!(before.1, after.1);
    assert!(is_gone(before.0[0]));
    let history = stage.finish().await.unwrap().history;
    let node = "n1".to_owned();
    assert_eq!(history.incidents[0].what, What::Crash { node });
}

#[tokio::test]
async fn nothing_is_lost_in_a_deploy_a_pause_and_a_scaling_and_revoked_users_are_refused() {
    let mut stage = Stage::start(&plan(Strategy::Central, 2), load(20), None)
        .await
        .unwrap();
    let steps = [
        Step::Steady(Duration::from_millis(500)),
        Step::Deploy,
        Step::Pause(Duration::from_millis(300)),
        Step::Scale(4),
        Step::ChangeAddresses,
        Step::Scale(1),
        Step::Revoke(5),
        Step::Steady(Duration::from_secs(1)),
    ];
    for step in steps {
        stage.perform(step).await.unwrap();
    }
    assert_eq!(stage.fleet().nodes(), 1);
    let outcome = stage.finish().await.unwrap();

    assert_eq!(outcome.history.incidents.len(), steps.len());
    assert_eq!(outcome.samples.len(), steps.len() + 1);
    for pair in outcome.samples.windows(2) {
        assert!(pair[0].usage.node_cpu <= pair[1].usage.node_cpu);
        assert!(pair[0].usage.store_calls <= pair[1].usage.store_calls);
    }
    let last = outcome.samples.last().unwrap();
    assert!(last.usage.store_calls > 0);
    assert!(last.usage.node_cpu > Duration::ZERO && last.usage.gateway_cpu > Duration::ZERO);

    let verdict = check(&outcome.history);
    assert_eq!(verdict.sessions.lost, []);
    assert_eq!(verdict.requests.idempotent_failed, 0);
    assert_eq!(verdict.revocations.risen, []);
    assert_eq!(verdict.updates.lost + verdict.updates.doubled, 0);
    let everywhere = |history: &History| {
        let calls = history.calls.iter();
        let calls = calls.filter(|call| call.kind == Kind::LogoutEverywhere);
        calls.filter(|call| call.is_accepted()).count()
    };
    assert_eq!(everywhere(&outcome.history), 5);
    assert!(verdict.revocations.asked_for >= 5);
}
