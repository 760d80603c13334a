//! Heads whose lines end, begin or are divided in odd ways.

use crate::case::{Case, bad, get, incomplete, passed};

const SEEN: &[&str] = &["GET /a"];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = line_ends();
    cases.extend(names());
    cases.extend(values());
    cases
}

fn line_ends() -> Vec<Case> {
    vec![
        bad("bare line feeds", "GET /a HTTP/1.1\nHost: a\n\n"),
        bad(
            "a bare line feed behind the first line",
            "GET /a HTTP/1.1\nHost: a\r\n\r\n",
        ),
        bad(
            "a bare line feed behind a field",
            "GET /a HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
        ),
        bad(
            "a bare line feed behind the last field",
            "GET /a HTTP/1.1\r\nHost: a\n\r\n",
        ),
        bad(
            "two line feeds end the head",
            "GET /a HTTP/1.1\r\nHost: a\r\nX: 1\n\n",
        ),
        bad(
            "a line feed and a carriage return",
            "GET /a HTTP/1.1\n\rHost: a\n\r\n\r",
        ),
        bad(
            "a carriage return twice",
            "GET /a HTTP/1.1\r\nHost: a\r\r\n\r\n",
        ),
        bad("bare carriage returns", "GET /a HTTP/1.1\rHost: a\r\r\r\n"),
        bad(
            "a bare carriage return in a value",
            get("X: 1\rY: forged\r\n"),
        ),
        bad(
            "a bare carriage return at the start of a line",
            get("\rX: 1\r\n"),
        ),
        bad("a folded line", get("X: 1\r\n forged\r\n")),
        bad("a line folded with a tab", get("X: 1\r\n\tforged\r\n")),
        bad("a line of blanks", get(" \r\n")),
        bad(
            "the first field is folded",
            "GET /a HTTP/1.1\r\n Host: a\r\n\r\n",
        ),
        bad(
            "a NUL instead of a line end",
            "GET /a HTTP/1.1\r\nHost: a\0\r\n\r\n",
        ),
        bad(
            "a carriage return before the request",
            format!("\r{}", get("")),
        ),
        bad("a blank before the request", format!(" {}", get(""))),
        bad("a NUL before the request", format!("\0{}", get(""))),
        passed(
            "empty lines before the request",
            format!("\r\n\r\n{}", get("")),
            SEEN,
        ),
        passed(
            "empty bare lines before the request",
            format!("\n\n{}", get("")),
            SEEN,
        ),
        incomplete("half a line", "GET /a HTTP/1.1\r\nHost: a\r\nX: fo"),
        incomplete("no end of the head", "GET /a HTTP/1.1\r\nHost: a\r\n"),
        incomplete(
            "half an end of the head",
            "GET /a HTTP/1.1\r\nHost: a\r\n\r",
        ),
        incomplete("half a method", "GE"),
    ]
}

fn names() -> Vec<Case> {
    vec![
        bad("a blank before the colon", get("X : forged\r\n")),
        bad("a tab before the colon", get("X\t: forged\r\n")),
        bad("a blank in the name", get("X Y: forged\r\n")),
        bad("no name", get(": forged\r\n")),
        bad("no colon", get("forged\r\n")),
        bad("a NUL in the name", get("X\0Y: forged\r\n")),
        bad("a control character in the name", get("X\x01Y: forged\r\n")),
        bad("a DEL in the name", get("X\x7fY: forged\r\n")),
        bad("parentheses in the name", get("X(Y): forged\r\n")),
        bad("a slash in the name", get("X/Y: forged\r\n")),
        bad("a quote in the name", get("\"X\": forged\r\n")),
        bad("an accent in the name", get("X-\u{e9}: forged\r\n")),
        passed(
            "odd letters that a name may have",
            get("X!#$%&'*+.^`|~_Y: 1\r\n"),
            SEEN,
        ),
        passed("an identity", get("X-Anynode-User: forged\r\n"), SEEN),
        passed(
            "an identity in another spelling",
            get("x_ANYNODE.user: forged\r\n"),
            SEEN,
        ),
        passed(
            "an identity twice",
            get("Anynode-Session: forged\r\nanynode-session: forged\r\n"),
            SEEN,
        ),
        passed("an address", get("X-Forwarded-For: forged\r\n"), SEEN),
        passed(
            "an address twice",
            get("X-Forwarded-For: forged\r\nx-forwarded-for: forged\r\n"),
            SEEN,
        ),
        passed(
            "an address in another spelling",
            get("X_Forwarded_For: forged\r\n"),
            SEEN,
        ),
        passed(
            "an address after RFC 7239",
            get("Forwarded: for=forged\r\n"),
            SEEN,
        ),
        passed("a scheme", get("X-Forwarded-Proto: forged\r\n"), SEEN),
        passed("a prefix", get("X-Forwarded-Prefix: /forged\r\n"), SEEN),
        passed("a target", get("X-Forwarded-Uri: /forged\r\n"), SEEN),
    ]
}

fn values() -> Vec<Case> {
    vec![
        bad("a NUL in the value", get("X: a\0forged\r\n")),
        bad(
            "a control character in the value",
            get("X: a\x01forged\r\n"),
        ),
        bad("a bell at the end of the value", get("X: forged\x07\r\n")),
        bad("a DEL in the value", get("X: a\x7fforged\r\n")),
        bad("a vertical tab before the value", get("X:\x0bforged\r\n")),
        bad("a form feed before the value", get("X:\x0cforged\r\n")),
        passed("an empty value", get("X:\r\n"), SEEN),
        passed(
            "tabs and blanks around the value",
            get("X:\t 1 \t\r\n"),
            SEEN,
        ),
        passed("an accent in the value", get("X: \u{e9}\r\n"), SEEN),
        passed(
            "colons in the value",
            get("X: : : Content-Length: 5\r\n"),
            SEEN,
        ),
    ]
}
