//! One node by itself: where it keeps sessions, what it counts, how it stops.

use std::net::SocketAddr;
use std::process::Stdio;

use hyper::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin};

use crate::client::Client;
use crate::program::{anynode, run, within};

/// `anynode node`, whose parent is the test.
struct Node {
    process: Child,
    lifeline: Option<ChildStdin>,
    address: SocketAddr,
}

// === impl Node ===

impl Node {
    async fn start(arguments: &[&str]) -> Self {
        let mut process = anynode(&["node"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lifeline = process.stdin.take();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut hello = String::new();
        within(stdout.read_line(&mut hello)).await.unwrap();
        let hello: Value = serde_json::from_str(&hello).unwrap();
        let address = hello["address"].as_str().unwrap().parse().unwrap();
        Self {
            process,
            lifeline,
            address,
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    async fn exit_code(&mut self) -> Option<i32> {
        within(self.process.wait()).await.unwrap().code()
    }
}

/// How often the node called its store for each of these operations.
async fn store_calls(client: &mut Client, verbs: [&str; 2]) -> [u64; 2] {
    let text = client.get("/metrics").await.body;
    verbs.map(|verb| {
        let name = format!("anynode_store_seconds_count{{verb=\"{verb}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&name));
        count.map_or(0, |count| count.parse().unwrap())
    })
}

#[tokio::test]
async fn a_session_in_memory_is_known_to_its_node_and_to_no_other() {
    let memory = ["--strategy", "memory", "--name"];
    let one = Node::start(&[&memory[..], &["m1"]].concat()).await;
    let other = Node::start(&[&memory[..], &["m2"]].concat()).await;
    let mut user = Client::logged_in(one.address, "ada").await;
    assert_eq!(user.post("/visit", "").await.json()["visits"], 1);
    assert_eq!(user.post("/visit", "").await.json()["node"], "m1");

    let mut elsewhere = Client::connect(other.address).await;
    elsewhere.cookie = user.cookie.clone();
    let refused = elsewhere.post("/visit", "").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let whoami = elsewhere.get("/whoami").await.json();
    assert_eq!(whoami["user"], Value::Null);
}

#[tokio::test]
async fn the_calls_of_the_store_are_counted_by_operation() {
    let node = Node::start(&["--strategy", "memory"]).await;
    let mut user = Client::logged_in(node.address, "ada").await;
    let [loads, replaces] = store_calls(&mut user, ["load", "replace"]).await;
    for _ in 0..5 {
        user.get("/whoami").await;
    }
    for _ in 0..3 {
        user.post("/visit", "").await;
    }
    let after = store_calls(&mut user, ["load", "replace"]).await;
    assert_eq!(after, [loads + 8, replaces + 3]);
}

#[tokio::test]
async fn a_signal_lets_a_node_finish_what_it_was_asked() {
    let mut node = Node::start(&["--strategy", "memory"]).await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let head = format!(
        "POST /login HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 8\r\nexpect: 100-continue\r\n\r\n",
        node.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    // The node says this once the request has begun.
    within(lines.read_line(&mut line)).await.unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");

    node.signal(Signal::TERM);
    within(async { while TcpStream::connect(node.address).await.is_ok() {} }).await;
    lines.write_all(b"name=ada").await.unwrap();
    let mut answer = String::new();
    // To the end of the connection.
    within(lines.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.contains("HTTP/1.1 303"), "{answer}");
    assert!(answer.contains("\r\nset-cookie: "), "{answer}");
    assert_eq!(node.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_node_ends_with_its_standard_input() {
    let mut node = Node::start(&["--strategy", "memory"]).await;
    drop(node.lifeline.take());
    assert_eq!(node.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_node_listens_where_it_is_told_and_a_taken_port_is_refused() {
    let node = Node::start(&["--strategy", "memory", "--listen", "127.0.0.2:0"]).await;
    assert_eq!(node.address.ip().to_string(), "127.0.0.2");

    let taken = node.address.to_string();
    let output = run(&["node", "--strategy", "memory", "--listen", &taken]).await;
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{reason}");
    for part in ["--listen", taken.as_str(), "in use"] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[tokio::test]
async fn a_strategy_whose_store_is_missing_or_unused_is_refused() {
    for arguments in [
        &["node"][..],
        &[
            "node",
            "--strategy",
            "memory",
            "--store",
            "sqlite:unused.db",
        ],
        &["node", "--strategy", "memory", "--listen", "0.0.0.0:0"],
    ] {
        let output = run(arguments).await;
        let reason = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {reason}");
        assert!(reason.contains("--s") || reason.contains("--l"), "{reason}");
    }
}

#[tokio::test]
async fn outside_of_the_demonstration_there_is_nothing_to_kill() {
    let mut node = Node::start(&["--strategy", "memory"]).await;
    let mut user = Client::logged_in(node.address, "ada").await;
    let list = b"[{\"name\":\"n1\",\"pid\":1,\"state\":\"running\"}]\n";
    let lifeline = node.lifeline.as_mut().unwrap();
    within(lifeline.write_all(list)).await.unwrap();
    for path in ["/kill", "/memory/kill"] {
        let answer = user.post(path, "node=n1").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/nodes", "/memory"] {
        let answer = user.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let page = user.get("/").await;
    assert!(!page.body.contains("action=\"/kill\""), "{page:?}");
    assert_eq!(page.attribute("data-hops"), "0", "its store is its memory");
}
