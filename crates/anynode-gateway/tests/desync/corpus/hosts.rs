//! Hosts that are missing, said twice, or contradicted.

use crate::case::{Case, bad, passed};

fn fields(fields: &str) -> String {
    format!("GET /a HTTP/1.1\r\n{fields}\r\n")
}

fn host(host: &str) -> String {
    fields(&format!("Host: {host}\r\n"))
}

pub(super) fn cases() -> Vec<Case> {
    const SEEN: &[&str] = &["GET /a"];
    vec![
        bad("none", fields("X: 1\r\n")),
        bad("two", fields("Host: a\r\nHost: forged\r\n")),
        bad("the same twice", fields("Host: a\r\nHost: a\r\n")),
        bad(
            "two apart in other letters",
            fields("Host: a\r\nX: 1\r\nhOST: forged\r\n"),
        ),
        bad("an empty one", host("")),
        bad(
            "an empty one and another",
            fields("Host:\r\nHost: forged\r\n"),
        ),
        bad("a user", host("user@forged")),
        bad("a path", host("a/forged")),
        bad("a query", host("a?forged")),
        bad("a fragment", host("a#forged")),
        bad("a scheme", host("http://a")),
        bad("a list", host("a, forged")),
        bad("a blank", host("a forged")),
        bad("a quote", host("a\"forged")),
        bad("a backslash", host("a\\forged")),
        bad("an accent", host("\u{e9}.example")),
        bad("half of a bracket", host("[::1")),
        bad("a NUL", host("a\0forged")),
        bad("a folded one", fields("Host:\r\n forged\r\n")),
        bad("a blank before the colon", fields("Host : forged\r\n")),
        bad(
            "a blank before the name",
            fields("X: 1\r\n Host: forged\r\n"),
        ),
        passed("a port", host("shop.example:8080"), SEEN),
        passed("an address", host("[2001:db8::1]:80"), SEEN),
        passed("blanks around it", host("  shop.example \t"), SEEN),
        passed(
            "another spelling is no host",
            fields("Host: a\r\nX-Host_: 1\r\n"),
            SEEN,
        ),
        passed(
            "a URL wins",
            "GET http://shop.example/a HTTP/1.1\r\nHost: forged.example\r\n\r\n",
            SEEN,
        ),
        bad(
            "a URL and no host",
            "GET http://shop.example/a HTTP/1.1\r\nX: 1\r\n\r\n",
        ),
        bad(
            "a URL and two hosts",
            "GET http://shop.example/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ),
        passed(
            "a claim about the host",
            fields("Host: a\r\nX-Forwarded-Host: forged.example\r\n"),
            SEEN,
        ),
    ]
}
