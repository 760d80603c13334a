//! Which header fields pass, and what the gateway says about the client.
//!
//! Fields about one connection end at the gateway, in both directions (RFC 9110, 7.6.1).
//! What a client claims about its own address, scheme or host is dropped and replaced by what the socket
//! says, or what trusted proxies say, see [`Client`].

mod client;
mod glance;
mod introduction;

use hyper::HeaderMap;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    COOKIE, EXPECT, HOST, HeaderName, HeaderValue, RANGE, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING,
};
use hyper::http::uri::Authority;

pub(crate) use self::client::Client;
pub(crate) use self::glance::Glance;
pub(crate) use self::introduction::Peer;

use self::glance::is_hop_by_hop;
use self::introduction::Introduction;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The fields that change how a message is framed, routed or judged, which is over when trailers come.
const NOT_IN_TRAILERS: [HeaderName; 11] = [
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    RANGE,
    SET_COOKIE,
    TRAILER,
];

/// The fields besides `X-Forwarded-*` in which a proxy says who the client is.
const CLAIMS: [&str; 7] = [
    "cf-connecting-ip",
    "client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-real-ip",
];

/// What the names of fields begin with that only the gateway writes.
const RESERVED: [&str; 2] = ["anynode-", "x-anynode-"];

/// Removes the fields that are about one connection, those named by `Connection` included.
///
/// `Host` and `Content-Length` stay even if named: without them the message would be another one.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap, glance: Glance) {
    if !glance.hop_by_hop {
        return;
    }
    if headers.contains_key(CONNECTION) && !anynode_core::planted("nominated_passed") {
        for name in nominated(headers) {
            headers.remove(name);
        }
    }
    remove_all(headers, is_hop_by_hop);
}

/// Tells whether a comma-separated list field contains `token`, in any case.
pub(crate) fn list_contains(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|other| other.eq_ignore_ascii_case(token))
}

/// Makes the head of a client's request fit for a backend, whatever the client wrote.
///
/// `host` is the request's validated authority, `glance` is of these headers.
pub(crate) fn prepare_request(
    headers: &mut HeaderMap,
    glance: Glance,
    client: &Client,
    peer: &Peer,
    host: &HeaderValue,
) {
    if glance.hop_by_hop {
        strip_request_hop_by_hop(headers, glance);
    }
    if glance.claim {
        strip_claims(headers, client);
    }
    if glance.expect {
        // The gateway itself answers 100 (Continue), when it begins to read the body.
        headers.remove(EXPECT);
    }
    let asked_for = client.host().unwrap_or(host);
    let introduction = if client.is_peer() {
        peer.introduce(client.address(), asked_for)
    } else {
        Introduction::of(client.chain(), client.proto(), asked_for)
    };
    headers.insert(X_FORWARDED_FOR, introduction.chain);
    headers.insert(X_FORWARDED_HOST, introduction.host);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(client.proto()));
    headers.insert(FORWARDED, introduction.forwarded);
}

/// Leaves of the fields about one connection what is true of the next one too.
fn strip_request_hop_by_hop(headers: &mut HeaderMap, glance: Glance) {
    // Both are asked before the fields that tell are removed.
    let takes_trailers = list_contains(headers, &TE, "trailers");
    let is_chunked = headers.contains_key(TRANSFER_ENCODING);
    strip_hop_by_hop(headers, glance);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if is_chunked {
        // Without it a GET's chunked body would be taken for no body.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Removes of trailers what would have been removed of the head or would no longer be heard.
///
/// Many servers merge trailers into the head's fields.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    let is_forged = |name: &HeaderName| {
        is_claim(name.as_str())
            || is_reserved(name.as_str())
            || NOT_IN_TRAILERS.contains(name)
            || is_hop_by_hop(name)
    };
    if anynode_core::planted("forged_trailers") {
        return;
    }
    remove_all(trailers, is_forged);
}

/// Returns nothing for user information and for anything that would end a quoted string.
pub(crate) fn check_authority(authority: &Authority) -> Option<()> {
    let text = authority.as_str();
    let is_plain = text.is_ascii() && !text.contains(['@', '"', '\\']);
    is_plain.then_some(())
}

/// Removes the fields in which proxies commonly name a client's address, scheme or host, and
/// those that are the gateway's own.
///
/// Behind a trusted proxy its `X-Forwarded-*` stay, if they are spelled that way.
/// A field that only one product knows passes: an application that reads another one
/// reads what the client wrote.
fn strip_claims(headers: &mut HeaderMap, client: &Client) {
    let had_real_ip = headers.contains_key(X_REAL_IP);
    remove_all(headers, |name| {
        let name = name.as_str();
        let is_vouched_for = client.vouches_for_old_fields() && name.starts_with("x-forwarded-");
        is_reserved(name) || is_claim(name) && !is_vouched_for
    });
    if had_real_ip && client.vouches_for_old_fields() {
        headers.insert(X_REAL_IP, ascii(&client.address().to_string()));
    }
}

fn remove_all(headers: &mut HeaderMap, is_removed: impl Fn(&HeaderName) -> bool) {
    let removed: Vec<HeaderName> = headers.keys().filter(|n| is_removed(n)).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

/// Tells whether a lower-case field name claims something about the client.
fn is_claim(name: &str) -> bool {
    let equals = |other: &str| name.len() == other.len() && begins(name, other);
    CLAIMS.into_iter().any(equals) || begins(name, "x-forwarded-")
}

/// Tells whether a lower-case field name is one that only the gateway may write.
fn is_reserved(name: &str) -> bool {
    RESERVED.into_iter().any(|prefix| begins(name, prefix))
}

/// CGI and WSGI turn every `-` into `_`, so that `x_forwarded_for` is read as
/// `x-forwarded-for`: names are compared with everything else mapped to `-`.
fn begins(name: &str, prefix: &str) -> bool {
    let normal = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            byte
        } else {
            b'-'
        }
    };
    let mut pairs = name.bytes().zip(prefix.bytes());
    name.len() >= prefix.len() && pairs.all(|(a, b)| normal(a) == b)
}

fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    tokens(headers, &CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect()
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("an address and an authority are visible ASCII")
}

#[cfg(test)]
mod tests;
