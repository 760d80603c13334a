//! The driver without a store around it.

use std::future::Future;

use anynode_lab::server::Server;

use super::Verb;
use super::capture::{Captured, Sent};
use crate::relay::Protocol;

/// A driver with its connections to the server, as many as the store uses.
pub(crate) trait Driver: Send + Sync + Sized + 'static {
    type Protocol: Protocol<Message: Sent + Sync>;

    /// Connects, and keeps as many bytes for each session as the store does, under a primary
    /// key and nothing else.
    async fn connect(server: &Server, url: &str, captured: &Captured<Self::Protocol>) -> Self;

    /// Sends what the store sent, and waits for the answer.
    fn send(
        &self,
        verb: Verb,
        task: usize,
        message: &<Self::Protocol as Protocol>::Message,
    ) -> impl Future<Output = ()> + Send;

    /// Reads or writes the bytes of a session.
    fn plain(&self, verb: Verb, task: usize, session: usize) -> impl Future<Output = ()> + Send;
}
