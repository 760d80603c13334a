//! A lone Redis or Valkey.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Error, bail};
use async_trait::async_trait;

use super::ask::Access;
use super::node::Node;
use crate::server::certificate::Certificate;
use crate::server::deployment::{Deployment, Url};
use crate::server::place::Place;
use crate::server::port;
use crate::server::program;
use crate::server::setup::Setup;
use crate::server::tool::Tool;

/// The password of the user `default`, who may do everything and whom no store knows.
const OPERATOR: &str = "operator-of-the-lab";

/// What a store may do: nothing that reaches beyond its own keys, but for learning how the
/// server is set up and whether it is the primary.
const RIGHTS: &str = "~an*:* resetchannels +@all -@admin -@dangerous +info +role +config|get";

/// One server, on its own.
#[derive(Debug)]
pub(in crate::server) struct Single {
    node: Node,
    /// Where and how stores reach it.
    address: SocketAddr,
    url: Url,
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
        let address = node.address();
        Ok(Self {
            node,
            address,
            url: Url::new(format!("redis://{address}/"), "prefix"),
            _place: place,
        })
    }

    /// Starts a Redis that stores reach under TLS, as a user with few rights.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(in crate::server) async fn start_secure(setup: &Setup) -> Result<Self, Error> {
        let program = program::script("redis-server", "redis")?;
        let place = Place::new("redis-tls")?;
        let Certificate {
            authority,
            certificate,
            key,
        } = Certificate::write(place.path())?;
        let (user, password) = ("anynode", "anynode-lab");
        let users = write_users(place.path(), user, password)?;
        let port = port::free()?;
        let mut lines = super::lines(setup);
        lines.extend([
            format!("tls-port {port}"),
            format!("tls-ca-cert-file {}", authority.display()),
            format!("tls-cert-file {}", certificate.display()),
            format!("tls-key-file {}", key.display()),
            "tls-auth-clients no".to_owned(),
            users,
        ]);
        let access = Access {
            password: Some(OPERATOR.to_owned()),
        };
        let node = Node::start("redis-tls", &program, place.path(), access, &lines).await?;
        let url = format!("rediss://{user}:{password}@localhost:{port}/");
        let url = Url::new(url, "prefix").with("tls_ca", &authority.display().to_string());
        Ok(Self {
            node,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            url,
            _place: place,
        })
    }
}

/// Writes who may do what, and answers the line that names the file.
fn write_users(directory: &Path, user: &str, password: &str) -> Result<String, Error> {
    let file = directory.join("users.acl");
    let text = format!(
        "user default on >{OPERATOR} ~* &* +@all\n\
         user {user} on >{password} {RIGHTS}\n"
    );
    fs::write(&file, text)?;
    Ok(format!("aclfile {}", file.display()))
}

#[async_trait]
impl Deployment for Single {
    fn url(&self) -> Url {
        self.url.clone()
    }

    fn secure_url(&self) -> Option<Url> {
        let is_secure = self.address != self.node.address();
        is_secure.then(|| self.url())
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![self.address]
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

    async fn tool(&self) -> Result<Tool, Error> {
        self.node.tool()
    }
}
