//! Nodes as processes of their own, which serve the sample application.

use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::scene::PATIENCE;

/// A node; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
    _stdout: BufReader<ChildStdout>,
}

// === impl Process ===

impl Process {
    /// A node of this strategy on this store.
    pub(crate) async fn node(name: &str, strategy: &str, store: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_anynode-lab"))
            .args(["role", "node", "--name", name, "--strategy", strategy])
            .env("ANYNODE_STORE", store)
            .env("ANYNODE_LOG", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut hello = String::new();
        let greeting = timeout(PATIENCE, stdout.read_line(&mut hello)).await;
        greeting.expect("it starts").unwrap();
        let hello: Value = serde_json::from_str(&hello).unwrap();
        Self {
            child,
            address: hello["address"].as_str().unwrap().parse().unwrap(),
            _stdout: stdout,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for its end, which has to be a good one.
    pub(crate) async fn ended(&mut self) {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.expect("it ends").unwrap().success());
    }
}
