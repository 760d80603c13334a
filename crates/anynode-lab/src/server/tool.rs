//! The programs by which operators speak to stores: `redis-cli`, `psql`.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Error, anyhow};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A tool that says nothing for so long does not answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// How much of a complaint goes into an error.
const COMPLAINT_BYTES: u64 = 4_096;

/// What `redis-cli -c` says beside its answers, when it goes to another node of the cluster.
const REDIRECTED: &str = "-> Redirected";

/// A program by which an operator speaks to a store, and how it is started.
#[derive(Clone)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// A password, and the variable of the environment in which it is handed over.
    pub(super) password: Option<(&'static str, String)>,
}

/// What a tool says to the lines that it was told. Dropped, it ends the tool.
#[derive(Debug)]
pub struct Answers {
    tool: &'static str,
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

// === impl Tool ===

impl Tool {
    /// Starts it and tells it these lines, and that there are no more.
    ///
    /// # Errors
    /// When it cannot be started, or does not listen.
    pub(super) async fn tell(&self, lines: &[String]) -> Result<Answers, Error> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.password.clone())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let started = command.spawn();
        let mut child = started.with_context(|| format!("{} cannot be started", self.name))?;
        let mut listening = child.stdin.take().expect("it was given a pipe to read");
        let said = child.stdout.take().expect("it was given a pipe to write");
        let mut text = lines.join("\n");
        text.push('\n');
        let told = timeout(DEADLINE, listening.write_all(text.as_bytes())).await;
        told.with_context(|| format!("{} does not listen", self.name))??;
        Ok(Answers {
            tool: self.name,
            lines: BufReader::new(said).lines(),
            child,
        })
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.name)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

// === impl Answers ===

impl Answers {
    /// The next line that it says, as soon as it has said it.
    ///
    /// # Errors
    /// When it does not in time, or has ended, with its complaint.
    pub async fn next(&mut self) -> Result<String, Error> {
        loop {
            let line = timeout(DEADLINE, self.lines.next_line()).await;
            match line.with_context(|| format!("{} does not answer", self.tool))?? {
                None => return Err(self.complaint().await),
                Some(line) if line.starts_with(REDIRECTED) => {}
                Some(line) => return Ok(line),
            }
        }
    }

    async fn complaint(&mut self) -> Error {
        let mut text = Vec::new();
        if let Some(complaining) = self.child.stderr.take() {
            let mut complaining = complaining.take(COMPLAINT_BYTES);
            let read = timeout(DEADLINE, complaining.read_to_end(&mut text)).await;
            // What was read so far is told.
            drop(read);
        }
        let text = String::from_utf8_lossy(&text);
        anyhow!("{} has ended: {}", self.tool, text.trim())
    }
}
