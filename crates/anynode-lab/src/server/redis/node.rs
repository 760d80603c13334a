//! One Redis, Valkey or sentinel process.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, bail};
use tokio::time::sleep;

use super::ask::{Access, field_of};
use crate::clock::boot_time;
use crate::server::port;
use crate::server::process::{Order, Process, Rights};
use crate::server::program;
use crate::server::tool::Tool;

/// How long a node may take to answer, reading its data included.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a node that is starting is asked.
const PAUSE: Duration = Duration::from_millis(10);

/// A process that may be running or not.
#[derive(Debug)]
pub(super) struct Node {
    address: SocketAddr,
    /// What others are to call it, where that is not its own address.
    announced: Option<SocketAddr>,
    access: Access,
    order: Order,
    conf: PathBuf,
    process: Option<Process>,
    state: State,
}

/// What was last done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Paused,
    Killed,
}

// === impl Node ===

impl Node {
    /// Starts a node with a free port, whose files lie in this directory, and waits until it
    /// answers. `lines` are its configuration; the last of a name counts.
    ///
    /// # Errors
    /// When it does not answer in time, with the end of its log.
    pub(super) async fn start(
        name: &str,
        program: &Path,
        directory: &Path,
        access: Access,
        lines: &[String],
    ) -> Result<Self, Error> {
        let port = port::free()?;
        let mut node = Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            announced: None,
            access,
            order: order(name, program, directory),
            conf: directory.join("conf"),
            process: None,
            state: State::Killed,
        };
        let common = [
            "bind 127.0.0.1".to_owned(),
            format!("port {port}"),
            format!("dir {}", directory.display()),
        ];
        let text: String = common
            .iter()
            .chain(lines)
            .map(|line| format!("{line}\n"))
            .collect();
        let conf = &node.conf;
        fs::write(conf, text).with_context(|| format!("cannot write {}", conf.display()))?;
        node.launch().await?;
        Ok(node)
    }

    /// Starts a node that was killed, with the data and the configuration that it has on disk;
    /// one that runs is left alone.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(super) async fn launch(&mut self) -> Result<(), Error> {
        if self.process.is_some() {
            return Ok(());
        }
        let mut process = self.order.start()?;
        let begun = boot_time();
        while let Err(error) = self.answers(&process).await {
            if let Some(status) = process.ended()? {
                return Err(process.failure(&format!("ended with {status}")));
            }
            if boot_time() - begun > START_TIMEOUT {
                let what = format!("does not serve after {START_TIMEOUT:?} ({error:#})");
                return Err(process.failure(&what));
            }
            sleep(PAUSE).await;
        }
        self.process = Some(process);
        self.state = State::Running;
        Ok(())
    }

    /// Whether it is this process that answers at the address, and has read its data.
    async fn answers(&self, process: &Process) -> Result<(), Error> {
        let info = self.access.text(self.address, &["INFO"]).await?;
        if field_of(&info, "process_id") != process.pid().to_string() {
            bail!("another server is at {}", self.address);
        }
        if field_of(&info, "loading") == "1" {
            bail!("it is still reading its data");
        }
        Ok(())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What others call it.
    pub(super) fn name(&self) -> SocketAddr {
        self.announced.unwrap_or(self.address)
    }

    /// Whether it is called so, or has this address.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.address == address || self.announced == Some(address)
    }

    /// Gives it another name than its address, by these settings, now and after each launch.
    ///
    /// # Errors
    /// When it does not take a setting.
    pub(super) async fn rename(
        &mut self,
        name: SocketAddr,
        settings: &[(&str, String)],
    ) -> Result<(), Error> {
        for (setting, value) in settings {
            self.ask(&["CONFIG", "SET", setting, value]).await?;
            self.configure(&format!("{setting} {value}"))?;
        }
        self.announced = Some(name);
        Ok(())
    }

    pub(super) fn pid(&self) -> Option<u32> {
        Some(self.process.as_ref()?.pid())
    }

    /// Whether it has not been killed; it may be paused.
    pub(super) fn is_running(&self) -> bool {
        self.state != State::Killed
    }

    /// Whether it can answer.
    pub(super) fn is_awake(&self) -> bool {
        self.state == State::Running
    }

    /// Adds a line to its configuration, for its next launch.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn configure(&self, line: &str) -> Result<(), Error> {
        let mut file = File::options().append(true).open(&self.conf)?;
        writeln!(file, "{line}").context("the configuration cannot be changed")
    }

    pub(super) fn kill(&mut self) {
        self.process = None;
        self.state = State::Killed;
    }

    pub(super) fn pause(&mut self) {
        if let Some(process) = &mut self.process {
            process.pause();
            self.state = State::Paused;
        }
    }

    pub(super) fn resume(&mut self) {
        if let Some(process) = &mut self.process {
            process.resume();
            self.state = State::Running;
        }
    }

    /// Asks it and gives its answer as text.
    ///
    /// # Errors
    /// When it does not answer in time, or with an error.
    pub(super) async fn ask(&self, words: &[&str]) -> Result<String, Error> {
        self.access.text(self.address, words).await
    }

    /// The program by which an operator speaks to it.
    ///
    /// # Errors
    /// When it is not here.
    pub(super) fn tool(&self) -> Result<Tool, Error> {
        let (ip, port) = (self.address.ip(), self.address.port());
        let password = self.access.password.clone();
        Ok(Tool {
            name: "redis-cli",
            program: program::script("redis-cli", "redis")?,
            arguments: vec!["-h".into(), ip.to_string(), "-p".into(), port.to_string()],
            password: password.map(|password| ("REDISCLI_AUTH", password)),
        })
    }
}

fn order(name: &str, program: &Path, directory: &Path) -> Order {
    Order {
        name: name.to_owned(),
        program: program.to_owned(),
        arguments: vec![directory.join("conf").into()],
        rights: Rights::Same,
        farewell: "KILL",
        log: directory.join("log"),
    }
}
