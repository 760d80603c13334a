//! What can be done with a running store of whatever kind.

use std::net::SocketAddr;

use anyhow::Error;
use async_trait::async_trait;

use super::disk::Disk;

/// The processes of one store. Dropped, it ends them all.
#[async_trait]
pub(super) trait Deployment: Send + Sync {
    /// By what it is opened.
    fn url(&self) -> Url;

    /// By what it is opened under TLS, if it can be.
    fn secure_url(&self) -> Option<Url>;

    /// The addresses that stores connect to.
    fn addresses(&self) -> Vec<SocketAddr>;

    /// The processes that run, without children of theirs.
    fn pids(&self) -> Vec<u32>;

    /// The disk of its own, if it has one.
    fn disk(&self) -> Option<&Disk> {
        None
    }

    /// Kills the primary; of several, one.
    async fn kill(&mut self) -> Result<(), Error>;

    /// Starts again what was killed and waits until all is well.
    async fn restart(&mut self) -> Result<(), Error>;

    /// Lets the primary stand still; of several, one.
    async fn pause(&mut self) -> Result<(), Error>;

    /// Lets all that stands still go on.
    async fn resume(&mut self) -> Result<(), Error>;

    /// Kills the primary and waits until another has taken over.
    async fn fail_over(&mut self) -> Result<(), Error>;

    /// Removes all data.
    async fn flush(&self) -> Result<(), Error>;

    /// Tells the primary something in its own language.
    async fn command(&self, words: &[&str]) -> Result<String, Error>;

    /// Tells one of the servers something.
    async fn command_at(&self, server: SocketAddr, words: &[&str]) -> Result<String, Error>;
}

/// A URL whose options can be added to.
#[derive(Clone, Debug)]
pub(super) struct Url {
    text: String,
    /// The option that names where in the store the sessions live.
    namespace_option: &'static str,
}

// === impl Url ===

impl Url {
    pub(super) fn new(text: String, namespace_option: &'static str) -> Self {
        Self {
            text,
            namespace_option,
        }
    }

    /// This URL with another option.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let mark = if self.text.contains('?') { '&' } else { '?' };
        self.text += &format!("{mark}{name}={value}");
        self
    }

    /// This URL with this namespace, which is empty until it is first used.
    pub(super) fn of_namespace(self, namespace: &str) -> Self {
        let option = self.namespace_option;
        self.with(option, namespace)
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
