//! Receipts for revocations, of real node processes on real servers.

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anynode::core::near::{Attendance, Proof};
use anynode::store::open;
use anynode::{AdminSessions, Receipt};
use anynode_core::{Handle, NodeEntry, NodeId, Store, UserId};
use anynode_lab::server::{Kind, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::scene::{PATIENCE, eventually};

const LAB: &str = env!("CARGO_BIN_EXE_anynode-lab");

/// Three web servers of the program, on one store.
struct Fleet {
    url: String,
    store: Arc<dyn Store>,
    nodes: Vec<Process>,
    /// The store's server, where it has one.
    _server: Option<Server>,
}

/// A node of the program; killed when dropped.
struct Process {
    child: Child,
    name: String,
    address: SocketAddr,
}

/// A machine that stands still for seconds may have forgotten a dead node before it is asked.
const TRIES_MAX: usize = 5;

// === impl Fleet ===

impl Fleet {
    async fn on(kind: Kind) -> Self {
        let server = Server::start(kind).await.unwrap();
        let url = server.url();
        Self::at(url, Some(server)).await
    }

    async fn at(url: String, server: Option<Server>) -> Self {
        // Of several that start at once, one would make the schema and the others wait for it.
        let store = open(&url).await.unwrap();
        let mut nodes = Vec::new();
        for name in ["n1", "n2", "n3"] {
            nodes.push(Process::start(name, &url).await);
        }
        let fleet = Self {
            url,
            store,
            nodes,
            _server: server,
        };
        fleet.is_registered().await;
        fleet
    }

    async fn is_registered(&self) {
        let all_are = async || {
            let Ok(nodes) = self.store.nodes().await else {
                return false;
            };
            let has = |node: &Process| nodes.iter().any(|entry| node.is(entry.node.as_str()));
            self.nodes.iter().all(has)
        };
        eventually("the nodes are registered", all_are).await;
    }

    fn sessions(&self) -> AdminSessions {
        AdminSessions::new(self.store.clone())
    }

    /// Logs in on the first node, and has each answer for the session once, so that it keeps a
    /// copy.
    async fn logged_in(&self, user: &str) -> (String, Handle) {
        let cookie = self.nodes[0].log_in(user).await;
        for node in &self.nodes {
            assert_eq!(node.user(&cookie).await.as_deref(), Some(user));
        }
        let user = UserId::new(user).unwrap();
        let (listed, _) = self.sessions().list(&user, None).await.unwrap();
        (cookie, listed[0].handle)
    }

    /// Runs `anynode` with these arguments, and returns the lines that it printed.
    async fn run(&self, arguments: &[&str]) -> Vec<String> {
        let mut program = Command::new(LAB);
        program.arg("role").args(arguments).stdin(Stdio::null());
        program.env("ANYNODE_STORE", &self.url).kill_on_drop(true);
        let ended = timeout(PATIENCE, program.output()).await;
        let output = ended.expect("it ends").unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

// === impl Process ===

impl Process {
    async fn start(name: &str, url: &str) -> Self {
        let mut program = Command::new(LAB);
        program
            .args(["role", "node", "--strategy", "near-cache", "--name", name])
            .env("ANYNODE_STORE", url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = program.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let hello = timeout(PATIENCE, lines.next_line()).await;
        let hello = hello.expect("it starts").unwrap().expect("it serves");
        let hello: Value = serde_json::from_str(&hello).unwrap();
        Self {
            child,
            name: name.to_owned(),
            address: hello["address"].as_str().unwrap().parse().unwrap(),
        }
    }

    /// Whether it is registered under this name.
    fn is(&self, registered: &str) -> bool {
        let rest = registered.strip_prefix(&self.name);
        rest.is_some_and(|rest| rest.starts_with('.'))
    }

    fn pid(&self) -> Pid {
        let id = self.child.id().expect("it runs");
        Pid::from_raw(id.try_into().unwrap()).unwrap()
    }

    /// Has it stand still.
    async fn pause(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let stat = format!("/proc/{}/stat", self.child.id().unwrap());
        let stands_still = async || {
            let stat = fs::read_to_string(&stat).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        };
        eventually("it stands still", stands_still).await;
    }

    fn resume(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Has it end in order.
    async fn stop(&mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let ended = timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.expect("it ends").unwrap().success());
    }

    /// Kills it with SIGKILL.
    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    async fn log_in(&self, user: &str) -> String {
        let form = format!("name={user}");
        let answer = self.ask("POST /login", "", &form).await;
        let lines = answer.lines();
        let set = lines.filter_map(|line| line.strip_prefix("set-cookie: "));
        let mut pairs = set.filter_map(|set| set.split(';').next());
        // Not the companion, by which this client would have nodes read through.
        let is_session = |pair: &&str| pair.split_once('=').is_some_and(|(_, id)| id.len() == 43);
        pairs.find(is_session).expect("it is set").to_owned()
    }

    /// Whom it takes the bearer of this cookie for, once it can tell.
    async fn user(&self, cookie: &str) -> Option<String> {
        let asking = async {
            loop {
                let answer = self.ask("GET /whoami", cookie, "").await;
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                if head.starts_with("HTTP/1.1 200") {
                    return serde_json::from_str::<Value>(body).unwrap();
                }
                assert!(head.starts_with("HTTP/1.1 503"), "{answer}");
            }
        };
        let body = timeout(PATIENCE, asking).await.expect("it can tell");
        body["user"].as_str().map(str::to_owned)
    }

    async fn ask(&self, what: &str, cookie: &str, form: &str) -> String {
        let mut head = format!(
            "{what} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nsec-fetch-site: same-origin\r\n\
             content-length: {}\r\n",
            self.address,
            form.len()
        );
        if !form.is_empty() {
            head += "content-type: application/x-www-form-urlencoded\r\n";
        }
        if !cookie.is_empty() {
            head += &format!("cookie: {cookie}\r\n");
        }
        let asking = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request = format!("{head}\r\n{form}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        timeout(PATIENCE, asking).await.expect("it answers")
    }
}

/// Every node confirms, also to an operator who has no node of their own; and as soon as that is
/// printed, none of them takes the session for alive.
async fn check_all_confirm(kind: Kind) {
    let mut fleet = Fleet::on(kind).await;
    let mut round = 0;
    let all_confirmed = async || {
        round += 1;
        let user = format!("ada{round}");
        let (cookie, handle) = fleet.logged_in(&user).await;
        let revoke = ["sessions", "revoke", &handle.to_string(), "--json"];
        let printed = fleet.run(&revoke).await;
        for node in &fleet.nodes {
            assert_eq!(node.user(&cookie).await, None, "{printed:?}");
        }
        let receipt: Value = serde_json::from_str(&printed[1]).unwrap();
        println!("{kind}: {}", printed[1]);
        // A node that stood still meanwhile is no failure: it is named.
        let count = |field: &str| receipt[field].as_array().unwrap().len();
        count("confirmed") == 3 && count("missing") == 0 && receipt["proof"] == "confirmed"
    };
    eventually("three of three confirm", all_confirmed).await;
    let (cookie, _) = fleet.logged_in("bob").await;
    let printed = fleet.run(&["users", "revoke", "bob"]).await;
    println!("{kind}: {}", printed[1]);
    for node in &fleet.nodes {
        assert_eq!(node.user(&cookie).await, None, "{printed:?}");
    }
    let printed = fleet.run(&["users", "revoke", "bob", "--no-wait"]).await;
    assert_eq!(printed.len(), 1, "{printed:?}");
    fleet.nodes[2].stop().await;
    let nodes = fleet.store.nodes().await.unwrap();
    let is_it = |entry: &NodeEntry| fleet.nodes[2].is(entry.node.as_str());
    assert!(!nodes.iter().any(is_it), "it left: {nodes:?}");
}

#[tokio::test]
async fn all_confirm_on_redis() {
    check_all_confirm(Kind::Redis).await;
}

#[tokio::test]
async fn all_confirm_on_a_redis_cluster() {
    check_all_confirm(Kind::RedisCluster).await;
}

#[tokio::test]
async fn all_confirm_on_redis_under_sentinels() {
    check_all_confirm(Kind::RedisSentinel).await;
}

#[tokio::test]
async fn all_confirm_on_postgres() {
    check_all_confirm(Kind::Postgres).await;
}

/// Nodes that ask at every read have nothing to confirm.
#[tokio::test]
async fn nobody_has_to_confirm_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.db");
    let fleet = Fleet::at(format!("sqlite:{}", path.display()), None).await;
    let (cookie, _) = fleet.logged_in("ada").await;
    let printed = fleet.run(&["users", "revoke", "ada"]).await;
    for node in &fleet.nodes {
        assert_eq!(node.user(&cookie).await, None, "{printed:?}");
    }
    let expected = "nothing to confirm: 3 nodes ask the store at every read, ";
    assert!(printed[1].starts_with(expected), "{printed:?}");
}

/// One node stands still and one was killed: they are named, and waited for until neither may
/// still serve it.
async fn check_named(kind: Kind, bound: Duration) {
    let mut fleet = Fleet::on(kind).await;
    for round in 0..TRIES_MAX {
        let (cookie, handle) = fleet.logged_in(&format!("ada{round}")).await;
        fleet.nodes[1].pause().await;
        fleet.nodes[2].kill().await;
        let revoked = fleet.sessions().revoke_and_confirm(handle).await;
        let (_, receipt) = revoked.unwrap();
        println!("{kind}: {receipt}");
        fleet.nodes[1].resume();
        // It stood still for longer than its lease, and knows that.
        for node in &fleet.nodes[..2] {
            assert_eq!(node.user(&cookie).await, None, "{receipt}");
        }
        if is_exact(&receipt, &fleet.nodes) && matches!(receipt.proof, Proof::Bound(_)) {
            assert!(receipt.took >= bound, "{receipt}");
            return;
        }
        fleet.nodes[2] = Process::start("n3", &fleet.url).await;
        fleet.is_registered().await;
    }
    panic!("the machine is too slow to tell");
}

/// Whether the first confirmed and the others did not: anything else takes a machine that stood
/// still for seconds, and nobody who did not confirm is ever among those who did.
fn is_exact(receipt: &Receipt, nodes: &[Process]) -> bool {
    let Attendance { confirmed, missing } = receipt.nodes.as_ref().expect("they are known");
    let has = |names: &[NodeId], node: &Process| {
        let mut names = names.iter().map(NodeId::as_str);
        names.any(|name| node.is(name))
    };
    for node in &nodes[1..] {
        assert!(!has(confirmed, node), "{receipt}");
    }
    has(confirmed, &nodes[0]) && nodes[1..].iter().all(|node| has(missing, node))
}

#[tokio::test]
async fn a_node_that_hangs_and_one_that_died_are_named_on_redis() {
    check_named(Kind::Redis, Duration::from_secs(1)).await;
}

/// The D of this cluster is a second.
#[tokio::test]
async fn a_node_that_hangs_and_one_that_died_are_named_on_a_redis_cluster() {
    check_named(Kind::RedisCluster, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_node_that_hangs_and_one_that_died_are_named_on_postgres() {
    check_named(Kind::Postgres, Duration::from_secs(1)).await;
}
