//! How stores on the network are reached: TCP without delay, TLS, and the rule that plaintext
//! stays on this machine.

mod stream;
mod tls;

use std::{fmt, io, net::IpAddr, str::FromStr, time::Duration};

use anynode_core::store::{Error, ErrorKind};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

pub(super) use self::{stream::Stream, tls::Tls};

/// Where a server listens.
///
/// An IPv6 address is written in brackets: `[::1]:6379`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// The text names no host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidAddress;

/// How the bytes of a connection are kept from others.
#[derive(Clone, Debug)]
pub(super) enum Security {
    /// Not at all, which is refused for everything but this machine.
    PlainOnThisMachine,
    /// Not at all, wherever the server is: allowed by name in the URL.
    PlainAnywhere,
    /// TLS, with the certificate checked for the host's name.
    Tls(Tls),
}

/// What the URL of a store says to allow plaintext to another machine.
pub(super) const PLAINTEXT_OPTION: &str = "plaintext=allowed";

/// Connects within `limit`, secured as asked.
///
/// # Errors
/// The error of the last address that was tried, `TimedOut`, or `PermissionDenied` where
/// [`Security::admits`] says no.
pub(super) async fn dial(
    address: &Address,
    security: &Security,
    limit: Duration,
) -> io::Result<Stream> {
    let connecting = async {
        let tcp = admitted(address, security).await?;
        match security {
            Security::PlainOnThisMachine | Security::PlainAnywhere => Ok(Stream::Plain(tcp)),
            Security::Tls(tls) => tls.over(tcp, &address.host).await,
        }
    };
    timeout(limit, connecting)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// As [`dial`], for a driver that agrees on TLS with the server before it speaks it.
///
/// # Errors
/// As [`dial`].
#[cfg(feature = "postgres")]
pub(super) async fn reach(
    address: &Address,
    security: &Security,
    limit: Duration,
) -> io::Result<TcpStream> {
    timeout(limit, admitted(address, security))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Connects by TCP, if the host may be reached so.
async fn admitted(address: &Address, security: &Security) -> io::Result<TcpStream> {
    if !security.admits(&address.host) {
        let message = format!("plaintext to another machine, and no {PLAINTEXT_OPTION}");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    connect(address).await
}

/// Connects by TCP to the first address of the host that answers.
async fn connect(address: &Address) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for place in lookup_host((address.host.as_str(), address.port)).await? {
        match TcpStream::connect(place).await {
            Ok(tcp) => {
                // A call is one small write: waiting for more to send with it would only add
                // the delay of an acknowledgement.
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

// === impl Security ===

impl Security {
    /// Whether a connection to this host is permitted.
    pub(super) fn admits(&self, host: &str) -> bool {
        match self {
            Self::PlainOnThisMachine => is_this_machine(host),
            Self::PlainAnywhere | Self::Tls(_) => true,
        }
    }

    /// Refuses a host that may not be reached so, with what to do about it.
    ///
    /// # Errors
    /// `Config`.
    pub(super) fn check(&self, host: &str, store: &'static str) -> Result<(), Error> {
        if self.admits(host) {
            return Ok(());
        }
        Err(
            Error::new(ErrorKind::Config, store, "open").with_detail(format!(
                "the server is on another machine, and sessions would cross the network in plain \
             text; use TLS, or say {PLAINTEXT_OPTION} in the URL"
            )),
        )
    }
}

/// Whether a host is surely this machine: a loopback address, or `localhost` (RFC 6761).
fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

// === impl Address ===

impl Address {
    /// Parses `HOST`, `HOST:PORT` or `[IPv6]:PORT`, with this port where none is given.
    ///
    /// # Errors
    /// [`InvalidAddress`] when there is no host, or the port is not one.
    pub(super) fn parse(text: &str, default_port: u16) -> Result<Self, InvalidAddress> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(text) => text.split_once(']').ok_or(InvalidAddress)?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => u16::from_str(port).map_err(|_| InvalidAddress)?,
            None if rest.is_empty() => default_port,
            None => return Err(InvalidAddress),
        };
        if host.is_empty() || port == 0 {
            return Err(InvalidAddress);
        }
        let host = host.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        let shown = |text| Address::parse(text, 6379).map(|address| address.to_string());
        assert_eq!(shown("db"), Ok("db:6379".to_owned()));
        assert_eq!(shown("db:1"), Ok("db:1".to_owned()));
        assert_eq!(shown("[::1]"), Ok("[::1]:6379".to_owned()));
        assert_eq!(shown("[::1]:1"), Ok("[::1]:1".to_owned()));
        for bad in [
            "", ":1", "db:", "db:0", "db:65536", "db:1:2", "[::1", "[]:1", "[::1]x",
        ] {
            assert_eq!(shown(bad), Err(InvalidAddress), "{bad}");
        }
    }

    #[test]
    fn plaintext_leaves_this_machine_only_when_it_was_allowed_by_name() {
        let plain = Security::PlainOnThisMachine;
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(plain.admits(host), "{host}");
        }
        let others = [
            "10.0.0.1",
            "db",
            "localhost.example.com",
            "::",
            "0.0.0.0",
            "1.127.0.0",
        ];
        for host in others {
            assert!(!plain.admits(host), "{host}");
            assert!(Security::PlainAnywhere.admits(host), "{host}");
            let refused = plain.check(host, "redis").expect_err("refused");
            assert_eq!(refused.kind(), ErrorKind::Config);
            assert!(refused.to_string().contains(PLAINTEXT_OPTION));
            assert!(!refused.to_string().contains(host), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_refused_host_is_not_dialled() {
        let address = Address::parse("192.0.2.1:1", 1).expect("an address");
        let limit = Duration::from_secs(60);
        let refused = dial(&address, &Security::PlainOnThisMachine, limit).await;
        let kind = refused.expect_err("refused").kind();
        assert_eq!(kind, io::ErrorKind::PermissionDenied);
    }
}
