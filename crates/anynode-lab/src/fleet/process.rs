//! A role of the `anynode` program as a child process: started, heard, signalled, ended.
//!
//! Its stdin is a pipe that this process alone holds open, so it ends with this process, however
//! that ends. It has a process group of its own: when this process dies, the kernel continues
//! the stopped ones among such groups, so that a paused child hears of the end as well.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::{Plan, usage};
use crate::fault::WallClocks;

/// How long a process may take from its start to its first line.
const HELLO_TIMEOUT: Duration = Duration::from_secs(30);

/// More than the longest first line.
const HELLO_BYTES_MAX: u64 = 1024;

/// How long a process may take to stop in order before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// How much the roles log.
const LOG: &str = "ANYNODE_LOG";

/// How roles are started.
#[derive(Clone)]
pub(super) struct Launcher {
    /// The program that has `role` as a subcommand.
    program: PathBuf,
    clocks: Option<WallClocks>,
    /// May hold a password, so there is no derived `Debug`.
    store: Option<String>,
}

/// A running role.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    address: SocketAddr,
    pid: Pid,
    child: Child,
    lifeline: Option<ChildStdin>,
}

#[derive(Deserialize)]
struct Hello {
    address: SocketAddr,
}

// === impl Launcher ===

impl Launcher {
    /// Starts roles from this program, or another one.
    pub(super) fn new(plan: &Plan, store: Option<String>) -> Result<Self, Error> {
        let program = match &plan.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().context("the system does not name this program")?,
        };
        let clocks = plan.clocks.clone();
        Ok(Self {
            program,
            clocks,
            store,
        })
    }

    /// Starts a role and waits until it serves.
    pub(super) async fn launch(
        &self,
        name: &str,
        arguments: &[OsString],
    ) -> Result<Process, Error> {
        let mut command = self.command(arguments);
        if let Some(clocks) = &self.clocks {
            command.envs(clocks.environment(name)?);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let hello = match timeout(HELLO_TIMEOUT, hello(stdout)).await {
            Ok(hello) => hello.with_context(|| format!("{name} does not serve"))?,
            Err(_elapsed) => bail!("{name} did not start within {HELLO_TIMEOUT:?}"),
        };
        let pid = child
            .id()
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        Ok(Process {
            name: name.to_owned(),
            address: hello.address,
            pid: pid.with_context(|| format!("{name} ended at once"))?,
            child,
            lifeline,
        })
    }

    fn command(&self, arguments: &[OsString]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("role")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0);
        if std::env::var_os(LOG).is_none() {
            // What is done to a fleet is no news to who does it.
            command.env(LOG, "error");
        }
        match &self.store {
            Some(store) => command.env("ANYNODE_STORE", store),
            None => command.env_remove("ANYNODE_STORE"),
        };
        command
    }
}

async fn hello(stdout: ChildStdout) -> Result<Hello, Error> {
    let mut line = String::new();
    let mut stdout = BufReader::new(stdout.take(HELLO_BYTES_MAX));
    stdout.read_line(&mut line).await?;
    serde_json::from_str(&line).with_context(|| format!("its first line is {line:?}"))
}

impl std::fmt::Debug for Launcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launcher")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

// === impl Process ===

impl Process {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The processor time it has used so far.
    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        usage::cpu_of(self.pid()).with_context(|| format!("{} cannot be measured", self.name))
    }

    /// Ends it with SIGKILL, in the midst of whatever it does.
    pub(super) async fn kill(mut self) -> Result<(), Error> {
        self.signal(Signal::KILL)?;
        self.child.wait().await?;
        Ok(())
    }

    /// Asks it to stop with SIGTERM and waits for its end.
    ///
    /// # Errors
    /// When it does not end in time; then it is killed.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.signal(Signal::TERM)?;
        let name = self.name.clone();
        let Ok(ended) = timeout(STOP_TIMEOUT, self.child.wait()).await else {
            self.child.kill().await?;
            bail!("{name} did not stop within {STOP_TIMEOUT:?}");
        };
        drop(self.lifeline.take());
        let status = ended?;
        if !status.success() {
            bail!("{name} ended with {status}");
        }
        Ok(())
    }

    /// Lets it stand still with SIGSTOP.
    pub(super) fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on with SIGCONT.
    pub(super) fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// The process has not been waited for, so its id belongs to nobody else.
    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let sent = kill_process(self.pid, signal);
        sent.with_context(|| format!("{} has ended by itself", self.name))
    }
}
