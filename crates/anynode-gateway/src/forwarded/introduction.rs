//! What a connection's requests say about their client when it speaks for itself: the same every time.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard};

use hyper::header::HeaderValue;

use super::ascii;

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    /// Of the last request that introduced this peer itself.
    last: Mutex<Option<Introduction>>,
}

/// How a client is introduced to a backend.
#[derive(Clone, Debug)]
pub(super) struct Introduction {
    /// The host that was asked for.
    pub(super) host: HeaderValue,
    /// For `X-Forwarded-For`.
    pub(super) chain: HeaderValue,
    /// For `Forwarded`.
    pub(super) forwarded: HeaderValue,
}

// === impl Peer ===

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            last: Mutex::default(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells whether the last request asked for this host too, so that it need not be parsed again.
    pub(crate) fn asked_before(&self, host: &HeaderValue) -> bool {
        self.last().as_ref().is_some_and(|last| last.host == *host)
    }

    /// Introduces this peer itself, as at `address`; `host` is validated.
    pub(super) fn introduce(&self, address: IpAddr, host: &HeaderValue) -> Introduction {
        let mut last = self.last();
        match &*last {
            Some(last) if last.host == *host => last.clone(),
            _ => {
                let introduction = Introduction::of([address].into_iter(), "http", host);
                last.insert(introduction).clone()
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Introduction>> {
        self.last
            .lock()
            .expect("no holder of an introduction panics")
    }
}

// === impl Introduction ===

impl Introduction {
    /// Says who the client is, in the old field and in that of RFC 7239.
    ///
    /// The chain begins with the client, and the proxies between it and us follow.
    pub(super) fn of(chain: impl Iterator<Item = IpAddr>, proto: &str, host: &HeaderValue) -> Self {
        let host_text = host
            .to_str()
            .expect("a validated authority is visible ASCII");
        let mut addresses = String::new();
        let mut forwarded = String::new();
        for address in chain {
            if addresses.is_empty() {
                addresses = address.to_string();
                forwarded = format!("for={};host=\"{host_text}\";proto={proto}", node(address));
            } else {
                addresses = format!("{addresses}, {address}");
                forwarded = format!("{forwarded}, for={}", node(address));
            }
        }
        Self {
            // A copy, because the field itself holds the whole buffer it was read into.
            host: ascii(host_text),
            chain: ascii(&addresses),
            forwarded: ascii(&forwarded),
        }
    }
}

fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    }
}
