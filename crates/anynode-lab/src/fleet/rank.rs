//! A node's place in the fleet, which its successors take over.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Error;

use super::Strategy;
use super::process::{Launcher, Process};
use super::usage::{Usage, store_calls_in};
use crate::wire;

/// A node's place in the fleet: a name that stays, and the process that bears it now.
#[derive(Debug)]
pub(super) struct Rank {
    pub(super) number: u64,
    /// Counts the processes that the fleet has had; no two have the same.
    pub(super) incarnation: u64,
    pub(super) state: State,
    pub(super) process: Process,
}

/// A node as the gateway is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) address: SocketAddr,
    pub(super) incarnation: u64,
    pub(super) state: State,
}

/// Whether the gateway gives a node anything new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Drain,
}

/// The name of the node of this number.
pub(super) fn name(number: u64) -> String {
    format!("n{number}")
}

// === impl Rank ===

impl Rank {
    /// Starts a process for the place of this number.
    pub(super) async fn fill(
        launcher: &Launcher,
        strategy: Strategy,
        number: u64,
        incarnation: u64,
    ) -> Result<Self, Error> {
        let name = name(number);
        let mut arguments = vec!["node", "--name", &name, "--strategy", strategy.of_node()];
        if strategy == Strategy::NearCache {
            arguments.push("--tell-age");
        }
        let arguments: Vec<_> = arguments.into_iter().map(OsString::from).collect();
        let process = launcher.launch(&name, &arguments).await?;
        Ok(Self {
            number,
            incarnation,
            state: State::Up,
            process,
        })
    }

    pub(super) fn line(&self) -> Line {
        Line {
            number: self.number,
            address: self.process.address(),
            incarnation: self.incarnation,
            state: self.state,
        }
    }

    /// What its process has used since its start.
    pub(super) async fn usage(&self) -> Result<Usage, Error> {
        let metrics = wire::text_of(self.process.address(), "/metrics").await?;
        Ok(Usage {
            gateway_cpu: Duration::ZERO,
            node_cpu: self.process.cpu()?,
            store_cpu: None,
            store_calls: store_calls_in(&metrics),
        })
    }
}
