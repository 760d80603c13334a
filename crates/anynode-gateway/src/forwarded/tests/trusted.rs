//! Whom to believe about who the client is.

use super::*;

/// Checks who the client is behind a trusted proxy that says `said` in `X-Forwarded-For`.
fn is_behind(said: &'static str, chain: &str) {
    let map = prepared(&[("x-forwarded-for", said)], "10.0.0.1:9");
    assert_eq!(map["x-forwarded-for"], chain, "{said}");
    let first = chain.split(',').next().unwrap();
    let client = client(&headers(&[("x-forwarded-for", said)]), "10.0.0.1:9");
    assert_eq!(client.address().to_string(), first, "{said}");
}

#[test]
fn a_chain_is_read_from_its_end_and_as_far_as_trusted_proxies_vouch_for_it() {
    is_behind("192.0.2.1", "192.0.2.1, 10.0.0.1");
    is_behind("198.51.100.9, 192.0.2.1", "192.0.2.1, 10.0.0.1");
    is_behind(
        "192.0.2.1,10.0.0.2 ,\t10.0.0.3",
        "192.0.2.1, 10.0.0.2, 10.0.0.3, 10.0.0.1",
    );
    is_behind(
        "10.0.0.7, 192.0.2.1, 10.0.0.2",
        "192.0.2.1, 10.0.0.2, 10.0.0.1",
    );
    is_behind("10.0.0.7", "10.0.0.7, 10.0.0.1");
    is_behind("2001:db8::7", "2001:db8::7, 10.0.0.1");
    is_behind("::ffff:192.0.2.1", "192.0.2.1, 10.0.0.1");
}

#[test]
fn ports_are_left_out_and_what_names_no_address_ends_the_chain() {
    is_behind("192.0.2.1:4711", "192.0.2.1, 10.0.0.1");
    is_behind("192.0.2.1:_hidden", "192.0.2.1, 10.0.0.1");
    is_behind("[2001:db8::7]:4711", "2001:db8::7, 10.0.0.1");
    is_behind("[2001:db8::7]", "2001:db8::7, 10.0.0.1");
    for nobody in [
        "",
        " ",
        ",",
        "unknown",
        "_hidden",
        "192.0.2",
        "192.0.2.1:",
        "[192.0.2.1]",
        "[2001:db8::7",
        "[2001:db8::7]x",
        "fe80::1%eth0",
        "shop.example",
        "192.0.2.1 198.51.100.9",
        "\"192.0.2.1\"",
    ] {
        is_behind(nobody, "10.0.0.1");
    }
    is_behind("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2, 10.0.0.1");
}

#[test]
fn a_chain_of_more_proxies_than_are_read_ends_at_the_last_one_read() {
    let many = "10.0.0.2, ".repeat(20) + "10.0.0.3";
    let chain = "10.0.0.2, ".repeat(15) + "10.0.0.3, 10.0.0.1";
    is_behind(Box::leak(many.into_boxed_str()), &chain);
}

#[test]
fn several_lines_are_one_chain() {
    let fields = [
        ("x-forwarded-for", "198.51.100.9"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-for", "10.0.0.2"),
    ];
    let map = prepared(&fields, "[fd00::1]:9");
    assert_eq!(map["x-forwarded-for"], "192.0.2.1, 10.0.0.2, fd00::1");
    assert_eq!(
        map["forwarded"],
        "for=192.0.2.1;host=\"shop.example:8080\";proto=http, for=10.0.0.2, for=\"[fd00::1]\""
    );
}

#[test]
fn a_trusted_proxy_is_believed_about_scheme_host_and_prefix() {
    let map = prepared(
        &[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "bank.example"),
            ("x-forwarded-prefix", "/shop"),
            ("x_forwarded_prefix", "/admin"),
            ("x-real-ip", "198.51.100.9"),
            ("forwarded", "for=198.51.100.9;proto=http"),
            ("true-client-ip", "198.51.100.9"),
        ],
        "10.0.0.1:9",
    );
    let expected = headers(&[
        ("x-forwarded-for", "192.0.2.1, 10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "bank.example"),
        ("x-forwarded-prefix", "/shop"),
        ("x-real-ip", "192.0.2.1"),
        (
            "forwarded",
            "for=192.0.2.1;host=\"bank.example\";proto=https, for=10.0.0.1",
        ),
        ("host", "shop.example:8080"),
    ]);
    assert_eq!(map, expected);
}

#[test]
fn a_scheme_or_host_that_is_none_or_said_twice_is_not_believed() {
    for (name, said) in [
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", "a\" b"),
        ("x-forwarded-host", "user@bank.example"),
        ("x-forwarded-host", ""),
    ] {
        let map = prepared(&[(name, said)], "10.0.0.1:9");
        assert_eq!(map["x-forwarded-proto"], "http", "{said}");
        assert_eq!(map["x-forwarded-host"], "shop.example:8080", "{said}");
    }
    let twice = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-proto", "https"),
    ];
    assert_eq!(prepared(&twice, "10.0.0.1:9")["x-forwarded-proto"], "http");
}

#[test]
fn forwarded_is_believed_where_there_are_no_older_fields() {
    for (said, expected) in [
        (
            "for=192.0.2.1;proto=https;host=bank.example",
            "for=192.0.2.1;host=\"bank.example\";proto=https, for=10.0.0.1",
        ),
        (
            "for=198.51.100.9;proto=http, For=\"[2001:db8::7]:4711\" ; Proto=HTTPS, for=10.0.0.2",
            "for=\"[2001:db8::7]\";host=\"shop.example:8080\";proto=https, for=10.0.0.2, for=10.0.0.1",
        ),
        (
            "for=192.0.2.1;by=\"a, for=198.51.100.9\"",
            "for=192.0.2.1;host=\"shop.example:8080\";proto=http, for=10.0.0.1",
        ),
        (
            "for=192.0.2.1;proto=https, for=unknown",
            "for=10.0.0.1;host=\"shop.example:8080\";proto=http",
        ),
        (
            "for=_hidden",
            "for=10.0.0.1;host=\"shop.example:8080\";proto=http",
        ),
    ] {
        let map = prepared(
            &[("forwarded", said), ("x-forwarded-proto", "https")],
            "10.0.0.1:9",
        );
        assert_eq!(map["forwarded"], expected, "{said}");
    }
}
