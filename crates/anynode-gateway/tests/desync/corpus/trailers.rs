//! Trailers that forge what a head says, or that hide a line.

use crate::case::{Case, bad, chunked, passed, post};

/// A chunked body with these trailers, which the head announces so that they may pass.
fn with(trailers: &str) -> String {
    let names = trailers.lines().filter_map(|line| line.split(':').next());
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    let fields = format!(
        "Trailer: {}\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n",
        names.join(", ")
    );
    post(&fields, &format!("5\r\nhello\r\n0\r\n{trailers}\r\n"))
}

pub(super) fn cases() -> Vec<Case> {
    const SEEN: &[&str] = &["POST /a hello"];
    let many = "X: 1\r\n".repeat(150);
    let long = format!("X: {}\r\n", "x".repeat(40 * 1024));
    let tail = |trailers: &str| chunked(&format!("0\r\n{trailers}\r\n"));
    vec![
        passed("a checksum", with("X-Checksum: 1\r\n"), SEEN),
        passed("a length", with("Content-Length: 100\r\nX: 1\r\n"), SEEN),
        passed(
            "a coding",
            with("Transfer-Encoding: forged\r\nX: 1\r\n"),
            SEEN,
        ),
        passed("a host", with("Host: forged.example\r\nX: 1\r\n"), SEEN),
        passed("a cookie", with("Cookie: id=forged\r\nX: 1\r\n"), SEEN),
        passed(
            "credentials",
            with("Authorization: forged\r\nX: 1\r\n"),
            SEEN,
        ),
        passed("a connection", with("Connection: forged\r\nX: 1\r\n"), SEEN),
        passed("an upgrade", with("Upgrade: forged\r\nX: 1\r\n"), SEEN),
        passed(
            "an address",
            with("X-Forwarded-For: forged\r\nX: 1\r\n"),
            SEEN,
        ),
        passed(
            "an address in another spelling",
            with("X_Forwarded_For: forged\r\nX: 1\r\n"),
            SEEN,
        ),
        passed(
            "an address after RFC 7239",
            with("Forwarded: for=forged\r\nX: 1\r\n"),
            SEEN,
        ),
        passed(
            "an identity",
            with("X-Anynode-User: forged\r\nX: 1\r\n"),
            SEEN,
        ),
        passed(
            "an identity in another spelling",
            with("x_anynode.user: forged\r\nX: 1\r\n"),
            SEEN,
        ),
        passed(
            "only a forged one",
            with("X-Anynode-User: forged\r\n"),
            SEEN,
        ),
        passed(
            "a forged one that was not announced",
            chunked("5\r\nhello\r\n0\r\nX-Anynode-User: forged\r\n\r\n"),
            SEEN,
        ),
        bad("a bare line feed", tail("A: b\nContent-Length: 5\r\n")),
        bad("a bare line feed behind the last", tail("A: b\n")),
        bad("a bare carriage return", tail("A: b\rC: d\r\n")),
        bad("a folded line", tail("A: b\r\n c\r\n")),
        bad("a blank before the colon", tail("A : b\r\n")),
        bad(
            "a line that is no field",
            tail("GET /smuggled HTTP/1.1\r\n"),
        ),
        bad("a NUL", tail("A: \0\r\n")),
        bad("no name", tail(": b\r\n")),
        bad("too many", tail(&many)),
        bad("too long", tail(&long)),
    ]
}
