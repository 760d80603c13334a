//! A server as a child process: started, watched, paused, killed.
//!
//! It ends with this process, however that ends: the kernel kills it when the thread that
//! started it is gone, which is why one thread that never ends starts them all.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error};
use rustix::process::{Pid, Signal, kill_process};

use super::place::{self, NOBODY};
use crate::clock::boot_time;

/// How much of a log goes into an error.
const TAIL_LINES: usize = 20;

/// How long a process and its children may take to end before the harder way is taken.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How often one looks whether they have.
const PAUSE: Duration = Duration::from_millis(1);

/// What is to be started.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// What errors call it.
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) rights: Rights,
    /// The name of the signal that it is sent when this process ends.
    pub(super) farewell: &'static str,
    /// Where everything goes that it says.
    pub(super) log: PathBuf,
}

/// As whom a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// As this process.
    Same,
    /// As nobody if this process is root: the server refuses to run as root.
    NeverRoot,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

type Started = io::Result<Child>;

/// The thread that starts all servers.
static STARTER: LazyLock<mpsc::Sender<(Command, mpsc::Sender<Started>)>> = LazyLock::new(|| {
    let (sender, orders) = mpsc::channel::<(Command, mpsc::Sender<Started>)>();
    thread::spawn(move || {
        for (mut command, answer) in orders {
            // Who does not wait for the answer any more lets the child end with its handle.
            drop(answer.send(command.spawn()));
        }
    });
    sender
});

// === impl Order ===

impl Order {
    /// The command line that runs it as whom it is to run, and no longer than this process.
    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        if self.rights == Rights::NeverRoot && place::is_root() {
            command
                .arg(format!("--reuid={NOBODY}"))
                .arg(format!("--regid={NOBODY}"))
                .arg("--clear-groups");
        }
        command
            .args(["--pdeathsig", self.farewell, "--"])
            .arg(&self.program)
            .args(&self.arguments);
        command
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started at all. That it ended at once is seen later.
    pub(super) fn start(&self) -> Result<Process, Error> {
        let Self { name, log, .. } = self;
        let said = File::options().create(true).append(true).open(log);
        let said = said.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = self.command();
        command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said);
        let (sender, answer) = mpsc::channel();
        let sent = STARTER.send((command, sender));
        sent.expect("the thread that starts servers never ends");
        let started = answer.recv().expect("every order is answered");
        let child = started.with_context(|| {
            format!("{name} cannot be started by setpriv, which is part of util-linux")
        })?;
        Ok(Process {
            name: name.clone(),
            child,
            log: log.clone(),
        })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or fails, with the end of what it said.
    pub(super) fn run(&self) -> Result<(), Error> {
        let mut process = self.start()?;
        let status = process.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(process.failure(&format!("{status}")))
    }
}

// === impl Process ===

impl Process {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        Ok(self.child.try_wait()?)
    }

    /// An error that says this and the end of the log.
    pub(super) fn failure(&self, what: &str) -> Error {
        let Self { name, log, .. } = self;
        let log = tail(log);
        anyhow::anyhow!("{name}: {what}; the end of its log:\n{log}")
    }

    /// Ends it and its children with SIGKILL, in the midst of whatever they do.
    pub(super) fn kill(&mut self) {
        // Stopped first, so that no child is born unseen.
        self.tell(Signal::STOP);
        let children = children_of(self.pid());
        self.tell(Signal::KILL);
        for child in &children {
            tell(*child, Signal::KILL);
        }
        drop(self.child.wait());
        // What they share with it is free when they are gone.
        let begun = boot_time();
        while children.iter().any(|child| is_running(*child)) && boot_time() - begun < END_TIMEOUT {
            thread::sleep(PAUSE);
        }
    }

    /// Ends it by this signal, or with SIGKILL when it takes too long.
    pub(super) fn end(&mut self, signal: Signal) {
        self.tell(signal);
        let begun = boot_time();
        while let Ok(None) = self.child.try_wait() {
            if boot_time() - begun > END_TIMEOUT {
                return self.kill();
            }
            thread::sleep(PAUSE);
        }
    }

    /// Lets it and its children stand still.
    pub(super) fn pause(&mut self) {
        self.tell(Signal::STOP);
        for child in children_of(self.pid()) {
            tell(child, Signal::STOP);
        }
    }

    /// Lets it and its children go on.
    pub(super) fn resume(&mut self) {
        for child in children_of(self.pid()) {
            tell(child, Signal::CONT);
        }
        self.tell(Signal::CONT);
    }

    /// Sends it a signal, unless it has ended: then its id may be another's.
    pub(super) fn tell(&mut self, signal: Signal) {
        if let Ok(None) = self.child.try_wait() {
            tell(self.pid(), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process; one that has ended by itself does not need it.
fn tell(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.expect("the id of a process is a positive number");
    let _ended_by_itself = kill_process(pid, signal);
}

/// The processes that a process has started and that have not been waited for.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| state_and_parent(*pid).is_some_and(|(_, of)| of == parent);
    ids.filter(is_child).collect()
}

/// Whether the process is there and has not ended; nobody may have asked how it ended yet.
pub(super) fn is_running(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != "Z")
}

/// Of `PID (NAME) STATE PARENT …`; the name may hold anything.
fn state_and_parent(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines = VecDeque::new();
    for line in text.lines() {
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
    Vec::from(lines).join("\n")
}
