//! Heads that are longer than the gateway reads.

use crate::case::{Case, Expect, get, passed, refused};

pub(super) fn cases() -> Vec<Case> {
    let target = |length: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
            "a".repeat(length - 1)
        )
    };
    let fields = |count: usize| get(&"X: 1\r\n".repeat(count));
    let value = |length: usize| get(&format!("X: {}\r\n", "x".repeat(length)));
    let longer = format!("{}{}", get(""), target(8193));
    vec![
        refused("a target that is too long", target(8193), 414),
        refused("a target that is much too long", target(20_000), 414),
        refused("a target longer than a head", target(40_000), 431),
        refused(
            "a URL that is too long",
            format!(
                "GET http://{}/a HTTP/1.1\r\nHost: a\r\n\r\n",
                "a".repeat(8193)
            ),
            414,
        ),
        refused("too many fields", fields(100), 431),
        refused("many too many fields", fields(3000), 431),
        refused("a field that is too long", value(33 * 1024), 431),
        refused(
            "a name that is too long",
            get(&format!("{}: 1\r\n", "x".repeat(33 * 1024))),
            431,
        ),
        passed("a long field", value(20 * 1024), &["GET /a"]),
        passed("many fields", fields(90), &["GET /a"]),
        Case::new(
            "too long a target behind a good one",
            longer,
            Expect::Refused(&["GET /a"], 414),
        ),
    ]
}
