//! The program as a child process, and what the system says about processes.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// The longest any test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// `anynode up` on a free port with a state directory of its own; killed when dropped.
pub(crate) struct Up {
    process: Child,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    pub(crate) gateway: SocketAddr,
    pub(crate) nodes: Vec<Node>,
    /// What it says of the copies that nodes keep.
    pub(crate) copies: String,
    _state: TempDir,
}

/// A node as `anynode up` announced it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) pid: Pid,
    pub(crate) address: SocketAddr,
}

// === impl Up ===

impl Up {
    /// Starts three nodes and returns when everything is announced.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`Up::start`], with more arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let state = TempDir::new().unwrap();
        let mut process = anynode(&["up", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .arg("--state")
            .arg(state.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let mut up = Self {
            process,
            stdout: Some(BufReader::new(stdout).lines()),
            gateway: ([127, 0, 0, 1], 0).into(),
            nodes: Vec::new(),
            copies: String::new(),
            _state: state,
        };
        let page = up.line_with("  page ").await;
        let url = page.split_whitespace().last().unwrap();
        let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
        up.gateway = address.parse().unwrap();
        for name in ["n1", "n2", "n3"] {
            let line = up.line_with(&format!("  node   {name} ")).await;
            up.nodes.push(Node::announced(&line));
        }
        up.copies = up.line_with("  copies ").await;
        up.line_with("Ctrl-C stops everything").await;
        up
    }

    /// Reads on to the next line that contains this.
    pub(crate) async fn line_with(&mut self, part: &str) -> String {
        let stdout = self.stdout.as_mut().expect("stdout is open");
        loop {
            let line = within(stdout.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended without a line with {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits until the killed node has a successor, and returns it.
    pub(crate) async fn successor_of(&mut self, name: &str) -> Node {
        let report = format!("node {name} was killed (signal 9); a new one runs as pid");
        let line = self.line_with(&report).await;
        Node::announced(&line)
    }

    /// Lets nobody read what the program prints from now on.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        within(self.process.wait()).await.unwrap()
    }

    /// Waits until none of the announced nodes runs any more.
    pub(crate) async fn nodes_ended(&self) {
        for node in &self.nodes {
            until(|| !node.is_running()).await;
        }
    }
}

// === impl Node ===

impl Node {
    /// The node of a line that says `pid 1` and `at 127.0.0.1:1`.
    fn announced(line: &str) -> Self {
        let (_, address) = line.rsplit_once(" at ").unwrap();
        let address = address.split([',', ' ']).next().unwrap();
        Self {
            pid: pid_in(line),
            address: address.parse().unwrap(),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// A process that ended and was not yet waited for is not running.
    pub(crate) fn is_running(&self) -> bool {
        let pid = self.pid.as_raw_nonzero();
        let Ok(stat) = fs::read_to_string(Path::new("/proc").join(format!("{pid}/stat"))) else {
            return false;
        };
        let after_name = stat.rsplit(')').next().unwrap();
        !after_name.trim_start().starts_with(['Z', 'X'])
    }
}

fn pid_in(line: &str) -> Pid {
    let (_, after) = line.rsplit_once("pid ").unwrap();
    let digits = after.split_whitespace().next().unwrap();
    Pid::from_raw(digits.parse().unwrap()).unwrap()
}

// === running, waiting ===

/// Runs the program to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    within(anynode(arguments).output()).await.unwrap()
}

/// The program with these arguments, and nothing of this environment that changes what they mean.
pub(crate) fn anynode(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anynode"));
    command
        .args(arguments)
        .env_remove("ANYNODE_STORE")
        .env_remove("ANYNODE_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// Waits until the condition holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
