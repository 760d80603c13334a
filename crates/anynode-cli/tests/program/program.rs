//! The program run to its end, and as a node that serves.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{sleep, timeout};

/// The longest any test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of ours that serves; killed when dropped.
pub(crate) struct Server {
    process: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    pub(crate) address: SocketAddr,
}

/// What the program printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

// === impl Server ===

impl Server {
    /// A node on this store.
    pub(crate) async fn node(name: &str, store: &str) -> Self {
        Self::start(&["node", "--name", name, "--store", store]).await
    }

    /// Starts the program and waits for the line that says where it serves.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::spawn(anynode(arguments)).await
    }

    async fn spawn(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = process.stderr.take().unwrap();
        let stdout = process.stdout.take().unwrap();
        let line = within(BufReader::new(stdout).lines().next_line()).await;
        let line = line.unwrap().expect("it says where it serves");
        let hello: Value = serde_json::from_str(&line).unwrap();
        Self {
            process,
            stderr: BufReader::new(stderr).lines(),
            address: hello["address"].as_str().unwrap().parse().unwrap(),
        }
    }

    /// A gateway with this configuration on a free port.
    pub(crate) async fn gateway(config: &Path) -> Self {
        let config = config.to_str().unwrap();
        Self::start(&["gateway", "--json", "--with-parent", "--config", config]).await
    }

    /// The same of a process that may have only so many files open, and so many if it asks for more.
    pub(crate) async fn gateway_with_files(config: &Path, soft: u64, hard: u64) -> Self {
        let mut shell = Command::new("sh");
        let limited = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
        shell.args(["-c", &limited, env!("CARGO_BIN_EXE_anynode")]);
        shell.args(["gateway", "--json", "--with-parent", "--config"]);
        shell.arg(config).kill_on_drop(true);
        Self::spawn(shell).await
    }

    /// How many files it may have open, and how many if it asked for more.
    pub(crate) fn files_max(&self) -> (u64, u64) {
        let of = std::fs::read_to_string(format!("/proc/{}/limits", self.process.id().unwrap()));
        let of = of.unwrap();
        let line = of
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let mut numbers = line.unwrap().split_whitespace().map(|n| n.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// Reads its log on to the next line that contains this.
    pub(crate) async fn logged(&mut self, part: &str) -> String {
        loop {
            let line = within(self.stderr.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended without a line with {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Closes its stdin, as the death of this process would.
    pub(crate) fn let_go(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Waits until it has ended, and returns its exit code; its stdin stays open meanwhile.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let stdin = self.process.stdin.take();
        let ended = within(self.process.wait()).await.unwrap();
        drop(stdin);
        ended.code()
    }
}

// === impl Ran ===

impl Ran {
    /// The lines of stdout, each of which has to be JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:?}")))
            .collect()
    }
}

/// Runs the program to its end.
pub(crate) async fn run(arguments: &[&str]) -> Ran {
    let output = within(anynode(arguments).output()).await.unwrap();
    ran(&output)
}

/// Runs the program, which has to end with this exit code, and returns what it printed.
pub(crate) async fn check(arguments: &[&str], code: i32) -> Ran {
    let ran = run(arguments).await;
    assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    ran
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

pub(crate) fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

/// The URL of the store in this file.
pub(crate) fn sqlite(path: &Path) -> String {
    format!("sqlite:{}", path.display())
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
