//! One PostgreSQL server and its data directory.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Error};
use rustix::process::Signal;
use tokio::time::sleep;

use super::sql::SUPERUSER;
use super::{PASSWORD, USER, parent};
use crate::clock::boot_time;
use crate::server::process::{Order, Process, Rights};
use crate::server::program;
use crate::server::tool::Tool;

/// How long a server may take to accept connections, recovery included.
const START_TIMEOUT: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(5);

/// A shutdown that waits for nobody and removes what the processes share.
const IMMEDIATE: Signal = Signal::QUIT;

/// A shutdown that ends connections and writes everything down.
const FAST: Signal = Signal::INT;

/// A server that may be running or not.
#[derive(Debug)]
pub(super) struct Instance {
    data: PathBuf,
    logs: PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    process: Option<Process>,
}

// === impl Instance ===

impl Instance {
    /// Starts a server on a data directory and waits until it accepts connections.
    ///
    /// # Errors
    /// When it does not in time, with the end of its log.
    pub(super) async fn start(
        data: &Path,
        logs: &Path,
        port: u16,
        settings: Vec<(String, String)>,
    ) -> Result<Self, Error> {
        let mut instance = Self {
            data: data.to_owned(),
            logs: logs.to_owned(),
            port,
            settings,
            process: None,
        };
        instance.launch().await?;
        Ok(instance)
    }

    /// Starts it if it does not run.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(super) async fn launch(&mut self) -> Result<(), Error> {
        if let Some(process) = &mut self.process
            && process.ended()?.is_none()
        {
            return Ok(());
        }
        let mut process = self.order()?.start()?;
        let begun = boot_time();
        while !self.is_ready(&process) {
            if let Some(status) = process.ended()? {
                return Err(process.failure(&format!("ended with {status}")));
            }
            if boot_time() - begun > START_TIMEOUT {
                return Err(process.failure(&format!("does not serve after {START_TIMEOUT:?}")));
            }
            sleep(PAUSE).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Whether the server says in its file, whose first line is its process, that it accepts
    /// connections.
    fn is_ready(&self, process: &Process) -> bool {
        let is_its_own = self.says(0) == process.pid().to_string();
        is_its_own && matches!(self.says(7).as_str(), "ready" | "standby")
    }

    /// A line of the file that is there while the server runs, and after it was killed.
    fn says(&self, line: usize) -> String {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        text.lines().nth(line).unwrap_or_default().trim().to_owned()
    }

    /// Removes the few bytes that a server which was killed leaves to the next one on the same
    /// data, when there will be none: the system has only so many such places.
    fn free_shared_memory(&self) {
        let key_and_id = self.says(6);
        if let Some(id) = key_and_id.split_whitespace().nth(1) {
            let mut command = Command::new("ipcrm");
            // Where it is not possible it is not needed: who is not root has few.
            drop(command.args(["-m", id]).stderr(Stdio::null()).status());
        }
    }

    fn order(&self) -> Result<Order, Error> {
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data.clone().into()];
        let port = self.port.to_string();
        let always = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port),
            ("unix_socket_directories", ""),
            // Files in the data directory, so that nothing is left of a server that was killed.
            ("dynamic_shared_memory_type", "mmap"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let ours = self.settings.iter();
        let ours = ours.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in always.into_iter().chain(ours) {
            arguments.push("-c".into());
            arguments.push(format!("{name}={value}").into());
        }
        let name = self.data.file_name().unwrap_or_default();
        Ok(Order {
            name: format!("postgres in {}", name.display()),
            program: program::script("postgres", "postgresql")?,
            arguments,
            rights: Rights::NeverRoot,
            farewell: "QUIT",
            log: self.logs.join(name).with_extension("log"),
        })
    }

    /// The program by which an operator speaks to it, in the database of the stores.
    ///
    /// # Errors
    /// When it is not here.
    pub(super) fn tool(&self) -> Result<Tool, Error> {
        let (ip, port) = (self.address().ip(), self.port);
        let whom = format!("host={ip} port={port} user={SUPERUSER} dbname={USER} sslmode=disable");
        Ok(Tool {
            name: "psql",
            program: program::script("psql", "postgresql")?,
            arguments: vec![
                "--no-psqlrc".to_owned(),
                // Else it would go on, and what it says would be to another line.
                "--set=ON_ERROR_STOP=1".to_owned(),
                whom,
            ],
            password: Some(("PGPASSWORD", PASSWORD.to_owned())),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The port counts from the next launch on.
    pub(super) fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    pub(super) fn pid(&self) -> Option<u32> {
        Some(self.process.as_ref()?.pid())
    }

    /// Ends all its processes at once, as the end of their machine would.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Ends it in order.
    pub(super) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(FAST);
        }
    }

    pub(super) fn pause(&mut self) {
        if let Some(process) = &mut self.process {
            process.pause();
        }
    }

    pub(super) fn resume(&mut self) {
        if let Some(process) = &mut self.process {
            process.resume();
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.resume();
            process.end(IMMEDIATE);
        }
        self.free_shared_memory();
    }
}

/// Makes a data directory that follows this server.
///
/// # Errors
/// When the copy cannot be made.
pub(super) fn back_up(primary: &Instance, data: &Path) -> Result<(), Error> {
    let address = primary.address();
    let url = format!("postgres://{SUPERUSER}:{PASSWORD}@{address}/{SUPERUSER}");
    let arguments = [
        "--write-recovery-conf",
        "--wal-method=stream",
        "--checkpoint=fast",
        "--no-sync",
    ];
    let mut arguments: Vec<OsString> = arguments.map(OsString::from).to_vec();
    arguments.push(format!("--dbname={url}").into());
    arguments.push("--pgdata".into());
    arguments.push(data.into());
    let order = Order {
        name: "pg_basebackup".to_owned(),
        program: program::script("pg_basebackup", "postgresql")?,
        arguments,
        rights: Rights::NeverRoot,
        farewell: "KILL",
        log: parent(data).join("pg_basebackup.log"),
    };
    order.run()
}

/// Lets nobody but its owner into a data directory, which PostgreSQL insists on.
///
/// # Errors
/// When the system refuses.
pub(super) fn keep_private(data: &Path) -> Result<(), Error> {
    fs::set_permissions(data, Permissions::from_mode(0o700))
        .with_context(|| format!("cannot protect {}", data.display()))
}
