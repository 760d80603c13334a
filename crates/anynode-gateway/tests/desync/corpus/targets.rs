//! Request lines that are old, new, or divided in odd ways.

use crate::case::{Case, Expect, bad, passed, refused};

fn line(line: &str) -> String {
    format!("{line}\r\nHost: shop.example\r\n\r\n")
}

fn target(target: &str) -> String {
    line(&format!("GET {target} HTTP/1.1"))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = versions_and_methods();
    cases.extend(targets());
    cases
}

fn versions_and_methods() -> Vec<Case> {
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    vec![
        bad("HTTP/0.9", "GET /a\r\n"),
        bad("HTTP/0.9 with fields", line("GET /a")),
        bad("HTTP/1.2", line("GET /a HTTP/1.2")),
        bad("HTTP/2.0", line("GET /a HTTP/2.0")),
        bad("HTTP/1.10", line("GET /a HTTP/1.10")),
        bad("HTTP/01.1", line("GET /a HTTP/01.1")),
        bad("HTTP/1.1x", line("GET /a HTTP/1.1x")),
        bad("HTTP/1", line("GET /a HTTP/1")),
        bad("small letters", line("GET /a http/1.1")),
        bad("a blank in the version", line("GET /a HTTP /1.1")),
        bad("a blank behind the version", line("GET /a HTTP/1.1 ")),
        bad("another protocol", line("GET /a ICY/1.1")),
        bad("two versions", line("GET /a HTTP/1.1 HTTP/1.1")),
        bad("two blanks", line("GET  /a HTTP/1.1")),
        bad("two blanks before the version", line("GET /a  HTTP/1.1")),
        bad("a tab", line("GET\t/a HTTP/1.1")),
        bad("a tab before the version", line("GET /a\tHTTP/1.1")),
        bad("no method", line("/a HTTP/1.1")),
        bad("a blank for a method", line(" /a HTTP/1.1")),
        bad("no target", line("GET HTTP/1.1")),
        bad("a parenthesis in the method", line("G(T /a HTTP/1.1")),
        bad("a NUL in the method", line("G\0T /a HTTP/1.1")),
        bad("a colon in the method", line("GET: /a HTTP/1.1")),
        Case::new("the preface of HTTP/2", preface, Expect::Cut),
        refused("TRACE", line("TRACE /a HTTP/1.1"), 501),
        refused("CONNECT", line("CONNECT shop.example:80 HTTP/1.1"), 501),
        passed(
            "OPTIONS of everything",
            line("OPTIONS * HTTP/1.1"),
            &["OPTIONS *"],
        ),
        passed(
            "a method of WebDAV",
            line("PROPFIND /a HTTP/1.1"),
            &["PROPFIND /a"],
        ),
        Case::new(
            "HTTP/1.0",
            line("GET /a HTTP/1.0"),
            Expect::Closed(&["GET /a"]),
        ),
        bad("HTTP/1.0 without a host", "GET /a HTTP/1.0\r\n\r\n"),
    ]
}

fn targets() -> Vec<Case> {
    vec![
        bad("a blank", target("/a b")),
        bad("a NUL", target("/a\0b")),
        bad("a control character", target("/a\x01b")),
        bad("a DEL", target("/a\x7fb")),
        bad("a tab", target("/a\tb")),
        bad("a carriage return", target("/a\rb")),
        bad("a name without a scheme", target("shop.example")),
        bad("a name and a port", target("shop.example:80")),
        bad("a relative path", target("a/b")),
        bad("everything, of a GET", target("*")),
        bad("another scheme", target("ftp://shop.example/a")),
        bad("a file", target("file:///etc/passwd")),
        bad("a scheme without a host", target("http:///a")),
        bad("a scheme alone", target("http://")),
        bad("a user in the host", target("http://user@shop.example/a")),
        bad(
            "a user and a secret in the host",
            target("http://user:secret@shop.example/a"),
        ),
        bad("a blank in the host", target("http://shop example/a")),
        passed(
            "a URL",
            target("http://shop.example/a?b=c"),
            &["GET /a?b=c"],
        ),
        passed(
            "a URL without a path",
            target("http://shop.example"),
            &["GET /"],
        ),
        passed(
            "two slashes",
            target("//other.example/a"),
            &["GET //other.example/a"],
        ),
        passed("dots", target("/a/../b/./c"), &["GET /a/../b/./c"]),
        passed("an encoded NUL", target("/a%00b"), &["GET /a%00b"]),
        passed(
            "encoded line ends",
            target("/a%0d%0aX:%20forged"),
            &["GET /a%0d%0aX:%20forged"],
        ),
        passed("an encoded slash", target("/a%2fb"), &["GET /a%2fb"]),
        passed(
            "a URL in the query",
            target("/a?b=http://c/d"),
            &["GET /a?b=http://c/d"],
        ),
        passed("two question marks", target("/a?b?c"), &["GET /a?b?c"]),
        passed(
            "a fragment, which is not sent on",
            target("/a#b"),
            &["GET /a"],
        ),
    ]
}
