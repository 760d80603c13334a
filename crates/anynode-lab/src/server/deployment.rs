//! What can be done with a running store of whatever kind.

use std::fmt::Write;
use std::net::SocketAddr;

use anyhow::{Context, Error};
use async_trait::async_trait;

use super::disk::Disk;
use super::tool::Tool;

/// The processes of one store. Dropped, it ends them all.
#[async_trait]
pub(super) trait Deployment: Send + Sync {
    /// By what it is opened.
    fn url(&self) -> Url;

    /// By what it is opened under TLS, if it can be.
    fn secure_url(&self) -> Option<Url>;

    /// The addresses that stores connect to.
    fn addresses(&self) -> Vec<SocketAddr>;

    /// The addresses that stores connect to, those included that only tell of others.
    fn entrances(&self) -> Vec<SocketAddr> {
        self.addresses()
    }

    /// Lets servers that name each other name these doors from now on, and each other's.
    async fn announce(&mut self, _doors: &Doors) -> Result<(), Error> {
        Ok(())
    }

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

    /// The program by which an operator speaks to the primary.
    async fn tool(&self) -> Result<Tool, Error>;
}

/// Where servers are reached in place of their own addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Doors(pub(super) Vec<Door>);

/// Where one server is reached in place of its own address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door {
    pub(super) server: SocketAddr,
    pub(super) at: SocketAddr,
}

/// A URL whose options can be added to.
#[derive(Clone, Debug)]
pub(super) struct Url {
    text: String,
    /// The option that names where in the store the sessions live.
    namespace_option: &'static str,
}

// === impl Doors ===

impl Doors {
    /// The door of this server.
    ///
    /// # Errors
    /// When it has none.
    pub(super) fn of(&self, server: SocketAddr) -> Result<SocketAddr, Error> {
        let mut doors = self.0.iter();
        let door = doors.find(|door| door.server == server);
        door.map(|door| door.at)
            .with_context(|| format!("there is no door to {server}"))
    }
}

// === impl Url ===

impl Url {
    /// This URL with the ports of the doors in place of those of the servers behind them. Hosts
    /// stay: a certificate may be for a name.
    pub(super) fn through(self, doors: &Doors) -> Self {
        let mut parts = self.text.split(':');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let port = part[..part.len() - rest.len()].parse::<u16>().ok();
            let mut doors = doors.0.iter();
            let written = match doors.find(|door| Some(door.server.port()) == port) {
                Some(door) => write!(text, ":{}{rest}", door.at.port()),
                None => write!(text, ":{part}"),
            };
            written.expect("a text takes whatever is written to it");
        }
        Self { text, ..self }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(ports: &[(u16, u16)]) -> Doors {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let doors = ports.iter().map(|(server, door)| Door {
            server: at(*server),
            at: at(*door),
        });
        Doors(doors.collect())
    }

    fn check(url: &str, expected: &str) {
        let doors = doors(&[(7001, 8001), (7002, 7001)]);
        let url = Url::new(url.to_owned(), "prefix");
        assert_eq!(url.through(&doors).into_text(), expected);
    }

    #[test]
    fn a_url_leads_through_the_doors_of_its_servers() {
        check("redis://127.0.0.1:7001/", "redis://127.0.0.1:8001/");
        check(
            "redis+cluster://h:7001,h:7002/",
            "redis+cluster://h:8001,h:7001/",
        );
        check(
            "rediss://me:7x@localhost:7002/?a=b",
            "rediss://me:7x@localhost:7001/?a=b",
        );
    }

    #[test]
    fn a_port_that_only_begins_alike_is_another() {
        check("redis://127.0.0.1:70011/", "redis://127.0.0.1:70011/");
    }
}
