//! The program run to its end, and as a node that serves.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The longest any test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of ours that serves; killed when dropped.
pub(crate) struct Server {
    _process: Child,
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
        let mut process = anynode(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let line = within(BufReader::new(stdout).lines().next_line()).await;
        let line = line.unwrap().expect("it says where it serves");
        let hello: Value = serde_json::from_str(&line).unwrap();
        Self {
            _process: process,
            address: hello["address"].as_str().unwrap().parse().unwrap(),
        }
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
