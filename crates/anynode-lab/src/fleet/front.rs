//! The gateway of a fleet: its configuration, its process, and the file of its backends, which
//! it watches.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error};

use super::Strategy;
use super::process::{Launcher, Process};
use super::rank::{Line, State, name};

/// How long the gateway takes to notice a change of its backends, and what was under way to end.
pub(super) const NOTICE: Duration = Duration::from_millis(400);

/// The gateway of a fleet.
#[derive(Debug)]
pub(super) struct Front {
    process: Process,
    directory: PathBuf,
}

// === impl Front ===

impl Front {
    /// Writes the files into `directory` and starts the gateway from them.
    pub(super) async fn start(
        launcher: &Launcher,
        directory: &Path,
        strategy: Strategy,
        lines: &[Line],
    ) -> Result<Self, Error> {
        let config = directory.join("anynode.toml");
        fs::write(&config, config_of(strategy))
            .context("the gateway's configuration cannot be written")?;
        write_key(&directory.join("affinity.key")).context("the affinity key cannot be written")?;
        write_backends(directory, lines)?;
        let arguments = ["gateway", "--json", "--with-parent", "--config"];
        let mut arguments = Vec::from(arguments.map(OsString::from));
        arguments.push(config.into());
        Ok(Self {
            process: launcher.launch("the gateway", &arguments).await?,
            directory: directory.to_owned(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Tells the gateway which backends there are; it knows after [`NOTICE`].
    pub(super) fn tell(&self, lines: &[Line]) -> Result<(), Error> {
        write_backends(&self.directory, lines)
    }

    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        self.process.cpu()
    }

    pub(super) async fn stop(self) -> Result<(), Error> {
        self.process.stop().await
    }
}

fn config_of(strategy: Strategy) -> String {
    let affinity = match strategy {
        Strategy::Memory | Strategy::Central | Strategy::NearCache => "kind = \"none\"\n",
        Strategy::StickyCookie => {
            "kind = \"cookie\"\nname = \"affinity\"\n\
             keys = [{ id = 1, file = \"affinity.key\" }]\n"
        }
        Strategy::StickyIp => "kind = \"source\"\n",
    };
    format!(
        "listen = \"127.0.0.1:0\"\n\
         [affinity]\n{affinity}\
         [health]\nkind = \"http\"\npath = \"/healthz\"\n\
         [backends]\nfile = \"backends.toml\"\n"
    )
}

/// Replaces the file as a whole, so that the gateway never reads half of it.
fn write_backends(directory: &Path, lines: &[Line]) -> Result<(), Error> {
    let mut text = String::new();
    for line in lines {
        let state = match line.state {
            State::Up => "up",
            State::Drain => "drain",
        };
        write!(
            text,
            "[[backend]]\nname = \"{}\"\naddress = \"{}\"\nstate = \"{state}\"\n\
             incarnation = \"{}\"\n\n",
            name(line.number),
            line.address,
            line.incarnation
        )?;
    }
    let next = directory.join("backends.toml.next");
    fs::write(&next, text)
        .and_then(|()| fs::rename(&next, directory.join("backends.toml")))
        .context("the gateway's backends cannot be written")
}

/// A new key of 32 random bytes in hexadecimal digits that nobody else may read.
fn write_key(path: &Path) -> Result<(), Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).context("the system gives no random bytes")?;
    let mut text = String::new();
    for byte in key {
        write!(text, "{byte:02x}")?;
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
