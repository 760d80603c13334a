//! Nothing is left of a store: not when it is dropped, nor when its starter is killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anynode_lab::server::{Kind, Server};
use tokio::time::{sleep, timeout};

use crate::is_running;

const PATIENCE: Duration = Duration::from_secs(20);

async fn wait_until_gone(pids: &[u32]) {
    let gone = async {
        while pids.iter().any(|pid| is_running(*pid)) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let gone = timeout(PATIENCE, gone).await;
    gone.unwrap_or_else(|_| panic!("still running: {pids:?}"));
}

/// The directory that a server works in.
fn directory(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/cwd")).unwrap()
}

/// The processes that a process started, and those that these started.
fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut at = 0;
    while let Some(parent) = found.get(at) {
        found.extend(children_of(*parent));
        at += 1;
    }
    found.split_off(1)
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        rest.split(' ').nth(1) == Some(&parent.to_string())
    };
    ids.filter(of).collect()
}

async fn check_drop(kind: Kind) {
    let server = Server::start(kind).await.unwrap();
    let pids = server.pids();
    let directory = directory(pids[0]);
    assert!(directory.exists());
    let all: Vec<u32> = pids
        .iter()
        .flat_map(|pid| descendants(*pid))
        .chain(pids.clone())
        .collect();
    drop(server);
    wait_until_gone(&all).await;
    assert!(!directory.exists(), "{}", directory.display());
}

#[tokio::test]
async fn nothing_is_left_of_a_redis_that_is_dropped() {
    check_drop(Kind::Redis).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_postgres_that_is_dropped() {
    check_drop(Kind::Postgres).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_redis_under_sentinels_that_is_dropped() {
    check_drop(Kind::RedisSentinel).await;
}

/// A store that another process started, and that process.
fn started_elsewhere(kind: Kind) -> (Child, Vec<u32>) {
    let mut starter = Command::new(env!("CARGO_BIN_EXE_anynode-lab"))
        .args(["serve", kind.name()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let said = starter.stdout.take().unwrap();
    BufReader::new(said).read_line(&mut url).unwrap();
    let pids = descendants(starter.id());
    assert!(!pids.is_empty(), "{url}");
    (starter, pids)
}

async fn check_kill(kind: Kind) {
    let (mut starter, pids) = started_elsewhere(kind);
    let all_run = pids.iter().all(|pid| is_running(*pid));
    starter.kill().unwrap();
    starter.wait().unwrap();
    assert!(all_run);
    wait_until_gone(&pids).await;
}

#[tokio::test]
async fn nothing_runs_on_when_the_starter_of_a_redis_is_killed() {
    check_kill(Kind::Redis).await;
}

#[tokio::test]
async fn nothing_runs_on_when_the_starter_of_a_postgres_is_killed() {
    check_kill(Kind::Postgres).await;
}

#[tokio::test]
async fn nothing_runs_on_when_the_starter_of_a_cluster_is_killed() {
    check_kill(Kind::RedisCluster).await;
}

#[tokio::test]
async fn nothing_runs_on_when_the_starter_of_a_pgbouncer_is_killed() {
    check_kill(Kind::PgBouncer).await;
}

#[tokio::test]
async fn a_server_outlives_the_thread_that_asked_for_it() {
    let start = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Server::start(Kind::Redis)).unwrap()
    };
    let server = std::thread::spawn(start).join().unwrap();
    assert_eq!(server.command(&["PING"]).await.unwrap(), "PONG");
}
