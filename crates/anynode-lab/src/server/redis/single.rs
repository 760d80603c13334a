//! A lone Redis or Valkey.

use std::net::SocketAddr;

use anyhow::{Error, bail};
use async_trait::async_trait;

use super::ask::Access;
use super::node::Node;
use crate::server::deployment::{Deployment, Url};
use crate::server::place::Place;
use crate::server::program;
use crate::server::setup::Setup;

/// One server, on its own.
#[derive(Debug)]
pub(in crate::server) struct Single {
    node: Node,
    _place: Place,
}

// === impl Single ===

impl Single {
    /// Starts the server whose start script has this name and is part of this tool.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(in crate::server) async fn start(
        script: &str,
        tool: &str,
        setup: &Setup,
    ) -> Result<Self, Error> {
        let program = program::script(script, tool)?;
        let place = Place::new(script)?;
        let lines = super::lines(setup);
        let node = Node::start(script, &program, place.path(), Access::default(), &lines).await?;
        Ok(Self {
            node,
            _place: place,
        })
    }
}

#[async_trait]
impl Deployment for Single {
    fn url(&self) -> Url {
        Url::new(format!("redis://{}/", self.node.address()), "prefix")
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![self.node.address()]
    }

    fn pids(&self) -> Vec<u32> {
        self.node.pid().into_iter().collect()
    }

    async fn kill(&mut self) -> Result<(), Error> {
        self.node.kill();
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Error> {
        self.node.launch().await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.node.pause();
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.node.resume();
        Ok(())
    }

    async fn fail_over(&mut self) -> Result<(), Error> {
        bail!("a lone server has none to fail over to")
    }

    async fn flush(&self) -> Result<(), Error> {
        self.node.ask(&["FLUSHALL"]).await.map(drop)
    }

    async fn command(&self, words: &[&str]) -> Result<String, Error> {
        self.node.ask(words).await
    }

    async fn command_at(&self, _: SocketAddr, words: &[&str]) -> Result<String, Error> {
        self.node.ask(words).await
    }
}
