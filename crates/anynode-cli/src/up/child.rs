//! One node as a child process: started, heard, stopped.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use anynode_gateway::{Backend, Incarnation};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{self, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::board::Board;
use crate::args::{STORE_VARIABLE, Strategy};
use crate::node::{self, Hello};

/// How long a node may take from its start to its first line.
const HELLO_TIMEOUT: Duration = Duration::from_secs(20);

/// More than the longest first line.
const HELLO_BYTES_MAX: u64 = 1024;

/// How long a node is given to stop before it is killed: as long as it gives itself, and a little
/// more, so that it is nearly always its own end.
const KILL_AFTER: Duration = node::OUTLIVE_MAX.saturating_add(Duration::from_secs(1));

/// Starts nodes.
#[derive(Clone)]
pub(super) struct Launcher {
    executable: Arc<PathBuf>,
    /// May hold a password, so the launcher has no derived `Debug`.
    store: Arc<str>,
    strategy: Strategy,
    board: Board,
}

/// A node that serves.
#[derive(Debug)]
pub(super) struct Child {
    number: u64,
    pid: u32,
    address: SocketAddr,
    process: process::Child,
    /// Holds the node's pipes. It stops when its stdin is closed, however this process ends.
    lifeline: Lifeline,
}

/// The task that talks with a node; with it go the pipes.
#[derive(Debug)]
struct Lifeline(JoinHandle<()>);

// === impl Launcher ===

impl Launcher {
    pub(super) fn new(
        executable: PathBuf,
        store: String,
        strategy: Strategy,
        board: Board,
    ) -> Self {
        Self {
            executable: Arc::new(executable),
            store: store.into(),
            strategy,
            board,
        }
    }

    /// Starts the node of this number and waits until it serves.
    pub(super) async fn launch(&self, number: u64) -> Result<Child, Error> {
        let name = name(number);
        let mut process = self
            .command(&name)
            .spawn()
            .with_context(|| format!("node {name} cannot be started"))?;
        let stdin = process.stdin.take().expect("stdin is a pipe");
        let stdout = process.stdout.take().expect("stdout is a pipe");
        let mut stdout = BufReader::new(stdout);
        let hello = timeout(HELLO_TIMEOUT, hello(&mut stdout)).await;
        let hello = match hello {
            Ok(Ok(Some(hello))) => hello,
            Ok(Ok(None)) => bail!("node {name} ended or did not say where it serves"),
            Ok(Err(error)) => return Err(error).context(format!("node {name} cannot be heard")),
            Err(_elapsed) => bail!("node {name} did not start within {HELLO_TIMEOUT:?}"),
        };
        let pid = process.id().context("the node ended at once")?;
        Ok(Child {
            number,
            pid,
            address: hello.address,
            process,
            lifeline: Lifeline(tokio::spawn(self.board.clone().talk(stdin, stdout))),
        })
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&*self.executable);
        command
            .args(["node", "--demo", "--name", name])
            .args(["--strategy", self.strategy.name()])
            .env(STORE_VARIABLE, &*self.store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            // A group of its own: Ctrl-C in a terminal goes to the fleet, which first stops the
            // gateway, and not to the nodes at the same time.
            .process_group(0);
        command
    }
}

async fn hello(stdout: &mut BufReader<ChildStdout>) -> io::Result<Option<Hello>> {
    let mut line = String::new();
    stdout.take(HELLO_BYTES_MAX).read_line(&mut line).await?;
    Ok(Hello::parse(&line))
}

fn name(number: u64) -> String {
    format!("n{number}")
}

impl fmt::Debug for Launcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Launcher")
            .field("executable", &self.executable)
            .finish_non_exhaustive()
    }
}

// === impl Child ===

impl Child {
    pub(super) fn name(&self) -> String {
        name(self.number)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The node as the gateway sees it, under a name that its successors keep.
    pub(super) fn backend(&self) -> Backend {
        let name = self.name();
        // A successor may be given the same port, and is another life all the same.
        let incarnation = Incarnation::named(&name, &format!("{} {}", self.pid, self.address));
        Backend {
            incarnation,
            ..Backend::new(name, self.address)
        }
    }

    /// Waits until the process has ended.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        // It would close stdin first, had the lifeline not been taken out of it.
        self.process.wait().await
    }

    /// Kills the process with `SIGKILL`. It is the child's own handle that is asked, so no other process is met.
    pub(super) fn kill(&mut self) {
        // An error means that the process has ended meanwhile.
        let _ = self.process.start_kill();
    }

    /// Closes the lifeline, waits for the node to finish its requests, and kills it if it does not end.
    ///
    /// It asks as the death of this process would, so that there is one way to stop and it is in
    /// use every day; a signal to a process id could meet another process.
    pub(super) async fn stop(mut self) {
        drop(self.lifeline);
        if timeout(KILL_AFTER, self.process.wait()).await.is_err() {
            // An error means that the process has ended meanwhile.
            let _ = self.process.kill().await;
        }
    }
}

// === impl Lifeline ===

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.abort();
    }
}
