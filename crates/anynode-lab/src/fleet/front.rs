//! The gateway of a fleet, in this process for now.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Error, bail};
use anynode_gateway::{Backend, BackendId, Gateway, GatewayConfig, Running};

use super::Strategy;
use super::process::Launcher;
use super::rank::{Line, State, name};

/// How long a change of the backends may take to be noticed.
pub(super) const NOTICE: Duration = Duration::from_millis(400);

#[derive(Debug)]
pub(super) struct Front {
    running: Running,
    known: Vec<u64>,
}

impl Front {
    #[expect(clippy::unused_async, reason = "a process will be waited for")]
    pub(super) async fn start(
        _launcher: &Launcher,
        _directory: &Path,
        strategy: Strategy,
        lines: &[Line],
    ) -> Result<Self, Error> {
        if !matches!(strategy, Strategy::Memory | Strategy::Central) {
            bail!("this gateway has no affinity yet");
        }
        let config = GatewayConfig::new("127.0.0.1:0".parse()?, Vec::new());
        let running = Gateway::new(config).start()?;
        let mut front = Self {
            running,
            known: Vec::new(),
        };
        front.tell(lines)?;
        Ok(front)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.local_addr()
    }

    pub(super) fn tell(&mut self, lines: &[Line]) -> Result<(), Error> {
        let backends = self.running.backends();
        for line in lines {
            let name = name(line.number);
            match line.state {
                State::Up if self.known.contains(&line.incarnation) => {}
                State::Up => backends.insert(Backend::new(name, line.address))?,
                State::Drain => backends.drain(BackendId::of(&name)),
            }
        }
        self.known = lines.iter().map(|line| line.incarnation).collect();
        for (id, _) in backends.states() {
            if !lines
                .iter()
                .any(|line| BackendId::of(&name(line.number)) == id)
            {
                backends.remove(id);
            }
        }
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "a process will be measured")]
    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        Ok(Duration::ZERO)
    }

    pub(super) async fn stop(self) -> Result<(), Error> {
        tokio::task::spawn_blocking(|| self.running.stop()).await?;
        Ok(())
    }
}
