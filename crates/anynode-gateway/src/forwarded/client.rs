//! Who the client is: what the socket says, or what proxies say that the operator trusts.
//!
//! A chain of addresses is read from its end, where the nearest proxy wrote, and only as far as a trusted
//! proxy vouches for it: the first address that is none of theirs is the client, and whatever stands before
//! it is the client's own invention, of which nothing is passed on.

use std::net::{IpAddr, SocketAddr};

use anynode_core::balance::AddressPrefix;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::{FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

/// The most proxies of a chain that are read; who stands behind more is taken for the client.
const HOPS_MAX: usize = 16;

/// Who asks, over which proxies, and by which scheme and host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Client {
    address: IpAddr,
    /// The trusted proxies between the client and us, the nearest last; none if the client is the peer.
    hops: Vec<IpAddr>,
    /// Who said so.
    word: Word,
    proto: &'static str,
    /// The host the first trusted proxy was asked for, if it says so.
    host: Option<HeaderValue>,
}

/// Whose word is taken for who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// That of the socket alone.
    Socket,
    /// A trusted proxy's `X-Forwarded-*`.
    OldFields,
    /// A trusted proxy's `Forwarded`.
    Forwarded,
}

/// An element of `Forwarded`.
#[derive(Debug, Default)]
struct Element<'a> {
    address: Option<IpAddr>,
    proto: Option<&'a str>,
    host: Option<&'a str>,
}

// === impl Client ===

impl Client {
    /// Decides who sent a request with these header fields that came from `peer`.
    ///
    /// Of a trusted proxy either `X-Forwarded-For` and its like are believed or `Forwarded`, never a mixture:
    /// a proxy that writes one of them passes the other on as the client wrote it.
    pub(crate) fn of(headers: &HeaderMap, peer: SocketAddr, trusted: &[AddressPrefix]) -> Self {
        let direct = Self {
            address: peer.ip().to_canonical(),
            hops: Vec::new(),
            word: Word::Socket,
            proto: "http",
            host: None,
        };
        let is_trusted = |address| trusted.iter().any(|prefix| prefix.contains(address));
        if !is_trusted(direct.address) && !anynode_core::planted("claims_believed") {
            return direct;
        }
        if headers.contains_key(FORWARDED) && !headers.contains_key(X_FORWARDED_FOR) {
            return direct.by_forwarded(headers, is_trusted);
        }
        let chain = values(headers, &X_FORWARDED_FOR).flat_map(|value| value.split(','));
        let chain: Vec<_> = chain.collect();
        Self {
            word: Word::OldFields,
            proto: only(headers, &X_FORWARDED_PROTO).map_or("http", proto_of),
            host: only(headers, &X_FORWARDED_HOST).and_then(host_of),
            ..direct.behind(chain.into_iter().rev().map(address_of), is_trusted)
        }
    }

    fn by_forwarded(self, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Self {
        let elements = values(headers, &FORWARDED).flat_map(|value| split(value, ','));
        let elements: Vec<_> = elements.collect();
        let nearest = elements.into_iter().rev().take(HOPS_MAX);
        let nearest: Vec<_> = nearest.map(Element::parse).collect();
        let addresses = nearest.iter().map(|element| element.address);
        let client = self.behind(addresses, is_trusted);
        // The element of the client's address was written by the first trusted proxy.
        let first = client.hops.len().checked_sub(1);
        let first = first.and_then(|index| nearest.get(index));
        Self {
            word: Word::Forwarded,
            proto: first
                .and_then(|element| element.proto)
                .map_or("http", proto_of),
            host: first.and_then(|element| element.host).and_then(host_of),
            ..client
        }
    }

    /// The address that affinity by source and the logs go by.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Tells whether the client is the peer, and nobody else's word is taken for anything.
    pub(super) fn is_peer(&self) -> bool {
        self.word == Word::Socket
    }

    /// Tells whether the request's `X-Forwarded-*` are a trusted proxy's.
    pub(super) fn vouches_for_old_fields(&self) -> bool {
        self.word == Word::OldFields
    }

    pub(super) fn proto(&self) -> &'static str {
        self.proto
    }

    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }

    /// The client and then every trusted proxy, the nearest last.
    pub(super) fn chain(&self) -> impl Iterator<Item = IpAddr> {
        [self.address].into_iter().chain(self.hops.iter().copied())
    }

    /// Walks from the peer away, as long as the proxies met are trusted and say who is behind them.
    fn behind(
        mut self,
        farther: impl Iterator<Item = Option<IpAddr>>,
        is_trusted: impl Fn(IpAddr) -> bool,
    ) -> Self {
        for next in farther.take(HOPS_MAX) {
            let Some(next) = next else { break };
            self.hops.insert(0, self.address);
            self.address = next;
            if !is_trusted(next) {
                break;
            }
        }
        self
    }
}

// === impl Element ===

impl<'a> Element<'a> {
    fn parse(text: &'a str) -> Self {
        let mut element = Self::default();
        for pair in split(text, ';') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = unquoted(value.trim());
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => element.address = address_of(value),
                name if name.eq_ignore_ascii_case("proto") => element.proto = Some(value),
                name if name.eq_ignore_ascii_case("host") => element.host = Some(value),
                _ => {}
            }
        }
        element
    }
}

/// Reads an address with or without a port; `None` for `unknown`, an obfuscated name and everything else.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Some(six) = text.strip_prefix('[') {
        let (six, port) = six.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address: std::net::Ipv6Addr = six.parse().ok().filter(|_| is_port)?;
        return Some(IpAddr::V6(address).to_canonical());
    }
    let address = match text.split_once(':') {
        // More than one colon is an IPv6 address without a port.
        Some((four, port)) if !port.contains(':') => is_port(port).then_some(four)?,
        _ => text,
    };
    address.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// A number, or a name that hides one (RFC 7239, 6.3).
fn is_port(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !text.is_empty() && text.bytes().all(is_plain)
}

fn proto_of(text: &str) -> &'static str {
    let is_https = text.trim().eq_ignore_ascii_case("https");
    if is_https { "https" } else { "http" }
}

fn host_of(text: &str) -> Option<HeaderValue> {
    let authority = text.trim().parse::<hyper::http::uri::Authority>().ok()?;
    super::check_authority(&authority)?;
    HeaderValue::from_str(authority.as_str()).ok()
}

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.unwrap_or(value)
}

/// Splits at every `separator` that stands in no quoted string.
fn split(text: &str, separator: char) -> impl DoubleEndedIterator<Item = &str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, character) in text.char_indices() {
        if character == '"' {
            quoted = !quoted;
        } else if character == separator && !quoted {
            parts.push(&text[start..at]);
            start = at + character.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts.into_iter()
}

/// The values of a field, in the order of its lines; one that is no text counts as unreadable.
fn values<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let values = headers.get_all(name).into_iter();
    values.map(|value| value.to_str().unwrap_or("unknown"))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = values(headers, name);
    values.next().filter(|_| values.next().is_none())
}
