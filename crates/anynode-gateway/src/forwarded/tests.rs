//! What passes and what is replaced.

mod trusted;

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

/// Prepares a request that came from `peer` when `10.0.0.0/8` and `fd00::/8` are trusted.
fn prepared(fields: &[(&'static str, &'static str)], peer: &str) -> HeaderMap {
    let mut map = headers(fields);
    let host = HeaderValue::from_static("shop.example:8080");
    map.insert(HOST, host.clone());
    let client = client(&map, peer);
    let (glance, peer) = (Glance::at(&map), Peer::new(peer.parse().unwrap()));
    prepare_request(&mut map, glance, &client, &peer, &host);
    map
}

fn client(headers: &HeaderMap, peer: &str) -> Client {
    let trusted = ["10.0.0.0/8", "fd00::/8"].map(|prefix| prefix.parse().unwrap());
    Client::of(headers, peer.parse().unwrap(), &trusted)
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
    let glance = Glance::at(&map);
    strip_hop_by_hop(&mut map, glance);
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

/// The spellings in which a name passes for another one somewhere behind.
fn spellings(name: &str) -> [String; 12] {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let words: Vec<_> = name.split('-').collect();
    let title: Vec<_> = words.iter().map(|word| capital(word)).collect();
    [
        name.to_owned(),
        name.to_uppercase(),
        title.join("-"),
        name.replacen('-', "`", 1),
        name.replace('-', "_"),
        title.join("_"),
        name.to_uppercase().replace('-', "_"),
        name.replace('-', "."),
        title.join("."),
        name.replace('-', "~"),
        name.replace('-', "!"),
        name.replace('-', "|"),
    ]
}

#[test]
fn no_spelling_of_a_field_of_the_gateway_passes_and_none_in_trailers() {
    for name in [
        "x-anynode-user",
        "anynode-session",
        "x-forwarded-for",
        "x-forwarded-user",
        "x-real-ip",
        "client-ip",
    ] {
        for spelling in spellings(name) {
            let spelling: &'static str = Box::leak(spelling.into_boxed_str());
            let map = prepared(&[(spelling, "forged"), (spelling, "twice")], "192.0.2.1:9");
            let mut trailers = headers(&[(spelling, "forged")]);
            strip_trailers(&mut trailers);
            assert!(map.values().all(|value| value != "forged"), "{spelling}");
            assert!(trailers.is_empty(), "{spelling}");
        }
    }
}

#[test]
fn trailers_keep_what_comes_after_a_body_and_lose_what_belongs_before_it() {
    let mut trailers = headers(&[
        ("x-checksum", "1"),
        ("grpc-status", "0"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("host", "b"),
        ("cookie", "a=b"),
        ("authorization", "Basic"),
        ("connection", "close"),
        ("set-cookie", "a=b"),
    ]);
    strip_trailers(&mut trailers);
    let kept = headers(&[("x-checksum", "1"), ("grpc-status", "0")]);
    assert_eq!(trailers, kept);
}

#[test]
fn each_request_of_a_connection_is_introduced_by_the_host_it_asks_for() {
    let peer = Peer::new("192.0.2.1:9".parse().unwrap());
    for host in ["a.example", "a.example", "b.example", "a.example"] {
        let host_value = HeaderValue::from_static(host);
        let mut map = headers(&[("host", host)]);
        let (glance, client) = (Glance::at(&map), client(&map, "192.0.2.1:9"));
        prepare_request(&mut map, glance, &client, &peer, &host_value);
        assert!(peer.asked_before(&host_value));
        assert_eq!(map["x-forwarded-host"], host);
        let forwarded = format!("for=192.0.2.1;host=\"{host}\";proto=http");
        assert_eq!(map["forwarded"], forwarded);
    }
    assert!(!peer.asked_before(&HeaderValue::from_static("b.example")));
}
