//! Which header fields pass, and what the gateway says about the client.
//!
//! Fields about one connection end at the gateway, in both directions (RFC 9110, 7.6.1).
//! What a client claims about its own address, scheme or host is dropped and
//! replaced by what the socket says: there are no trusted proxies yet.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The fields that are about one connection, whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
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

/// Removes the fields that are about one connection, those named by `Connection` included.
///
/// `Host` and `Content-Length` stay even if named: without them the message would be another one.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in nominated(headers) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Tells whether a comma-separated list field contains `token`, in any case.
pub(crate) fn list_contains(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|other| other.eq_ignore_ascii_case(token))
}

/// Makes the head of a client's request fit for a backend, whatever the client wrote.
///
/// `host` is the request's validated authority.
pub(crate) fn prepare_request(headers: &mut HeaderMap, client: SocketAddr, host: &HeaderValue) {
    // Both are asked before the fields that tell are removed.
    let takes_trailers = list_contains(headers, &TE, "trailers");
    let is_chunked = headers.contains_key(TRANSFER_ENCODING);

    strip_hop_by_hop(headers);
    strip_claims(headers);
    // The gateway itself answers 100 (Continue), when it begins to read the body.
    headers.remove(EXPECT);

    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if is_chunked {
        // Without it a GET's chunked body would be taken for no body.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    describe_client(headers, client, host);
}

/// Says what the socket says about the client, in the old fields and in that of RFC 7239.
fn describe_client(headers: &mut HeaderMap, client: SocketAddr, host: &HeaderValue) {
    let address = client.ip().to_canonical();
    let host_text = host.to_str().expect("a validated authority is ASCII");
    let node = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let forwarded = format!("for={node};host=\"{host_text}\";proto=http");
    headers.insert(X_FORWARDED_FOR, ascii(&address.to_string()));
    headers.insert(X_FORWARDED_HOST, host.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    headers.insert(FORWARDED, ascii(&forwarded));
    headers.insert(HOST, host.clone());
}

/// Removes the fields in which proxies commonly name a client's address, scheme or host.
///
/// A field that only one product knows passes: an application that reads another one
/// reads what the client wrote.
fn strip_claims(headers: &mut HeaderMap) {
    let claims: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_claim(name.as_str()))
        .cloned()
        .collect();
    for name in claims {
        headers.remove(name);
    }
}

/// Tells whether a lower-case field name claims something about the client.
///
/// CGI and WSGI turn every `-` into `_`, so that `x_forwarded_for` is read as
/// `x-forwarded-for`: names are compared with everything else mapped to `-`.
fn is_claim(name: &str) -> bool {
    let normal = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            byte
        } else {
            b'-'
        }
    };
    let equals = |other: &str| name.len() == other.len() && begins(name, other, normal);
    CLAIMS.into_iter().any(equals) || begins(name, "x-forwarded-", normal)
}

fn begins(name: &str, prefix: &str, normal: impl Fn(u8) -> u8) -> bool {
    name.len() >= prefix.len()
        && name
            .bytes()
            .zip(prefix.bytes())
            .all(|(a, b)| normal(a) == b)
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
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = fields.iter().map(|&(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_static(value))
        });
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    }

    fn prepared(fields: &[(&'static str, &'static str)], client: &str) -> HeaderMap {
        let mut map = headers(fields);
        let host = HeaderValue::from_static("shop.example:8080");
        prepare_request(&mut map, client.parse().unwrap(), &host);
        map
    }

    #[test]
    fn fields_about_one_connection_are_removed_and_so_are_those_they_name() {
        let mut map = headers(&[
            ("connection", "keep-alive, X-Secret"),
            ("connection", "x-other"),
            ("keep-alive", "timeout=5"),
            ("x-secret", "1"),
            ("x-other", "1"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "Basic"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("cookie", "a=b"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("cookie", "a=b")]));
    }

    #[test]
    fn a_request_cannot_name_away_its_host_its_length_or_what_the_gateway_says() {
        let connection = ("connection", "host, content-length, x-forwarded-for");
        let map = prepared(&[connection, ("content-length", "3")], "192.0.2.1:9");
        assert_eq!(map["host"], "shop.example:8080");
        assert_eq!(map["content-length"], "3");
        assert_eq!(map["x-forwarded-for"], "192.0.2.1");
    }

    #[test]
    fn what_a_client_claims_is_replaced_by_what_the_socket_says() {
        let map = prepared(
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-for", "10.0.0.2"),
                ("x_forwarded_for", "10.0.0.3"),
                ("x-forwarded_proto", "https"),
                ("x-forwarded-prefix", "/admin"),
                ("x.real.ip", "10.0.0.4"),
                ("forwarded", "for=10.0.0.5"),
                ("true-client-ip", "10.0.0.6"),
                ("x-client-ip", "10.0.0.7"),
                ("client_ip", "10.0.0.8"),
                ("cf-connecting-ip", "10.0.0.9"),
                ("x-cluster-client-ip", "10.0.0.10"),
                ("forwarded-by-post", "kept"),
                ("client-ip-note", "kept"),
            ],
            "192.0.2.1:9",
        );
        let expected = headers(&[
            ("forwarded-by-post", "kept"),
            ("client-ip-note", "kept"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-host", "shop.example:8080"),
            ("x-forwarded-proto", "http"),
            (
                "forwarded",
                "for=192.0.2.1;host=\"shop.example:8080\";proto=http",
            ),
            ("host", "shop.example:8080"),
        ]);
        assert_eq!(map, expected);
    }

    #[test]
    fn an_ipv6_client_is_quoted_and_a_mapped_one_is_told_as_ipv4() {
        let six = prepared(&[], "[2001:db8::1]:9");
        assert_eq!(six["x-forwarded-for"], "2001:db8::1");
        assert!(
            six["forwarded"]
                .to_str()
                .unwrap()
                .starts_with("for=\"[2001:db8::1]\";")
        );
        let mapped = prepared(&[], "[::ffff:192.0.2.1]:9");
        assert_eq!(mapped["x-forwarded-for"], "192.0.2.1");
    }

    #[test]
    fn a_client_that_takes_trailers_is_told_to_the_backend_as_one_that_does() {
        let map = prepared(
            &[("te", "gzip, trailers"), ("connection", "TE")],
            "192.0.2.1:9",
        );
        assert_eq!(
            (&map["te"], &map["connection"]),
            (&ascii("trailers"), &ascii("te"))
        );
    }
}
