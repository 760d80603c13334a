//! Upgrades that servers ignore, to protocols nobody speaks, or with a body.

use crate::case::{Case, Expect, SMUGGLED, get, passed, post};

const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(super) fn cases() -> Vec<Case> {
    const SEEN: &[&str] = &["GET /a"];
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: forged\r\n";
    let length = format!("{WEBSOCKET}Content-Length: {}\r\n", SMUGGLED.len());
    let other = |protocol: &str| get(&format!("Connection: upgrade\r\nUpgrade: {protocol}\r\n"));
    vec![
        passed("to a websocket that is refused", get(WEBSOCKET), SEEN),
        passed(
            "to a websocket that is refused, with a request behind it",
            get(WEBSOCKET) + SMUGGLED,
            &["GET /a", "GET /smuggled"],
        ),
        passed(
            "to a websocket with a body that looks like a request",
            get(&length) + SMUGGLED,
            &["GET /a GET /smuggled HTTP/1.1\r\nHost: shop.example"],
        ),
        passed(
            "to a websocket with a chunked body",
            get(&format!("{WEBSOCKET}Transfer-Encoding: chunked\r\n")) + "5\r\nhello\r\n0\r\n\r\n",
            &["GET /a hello"],
        ),
        passed(
            "to a websocket of a POST",
            post(WEBSOCKET, ""),
            &["POST /a"],
        ),
        passed("to HTTP/2", get(h2c), SEEN),
        passed(
            "to HTTP/2 with a body",
            post(&format!("{h2c}Content-Length: 5\r\n"), "hello"),
            &["POST /a hello"],
        ),
        passed(
            "to HTTP/2 with a request behind it",
            get(h2c) + SMUGGLED,
            &["GET /a", "GET /smuggled"],
        ),
        Case::new(
            "to HTTP/2 with its preface behind it",
            get(h2c) + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            Expect::Closed(SEEN),
        ),
        passed("to TLS", other("TLS/1.0"), SEEN),
        passed("to forged", other("forged"), SEEN),
        passed("to two protocols", other("websocket, forged"), SEEN),
        passed("to nothing", other(""), SEEN),
        passed("without naming it", get("Upgrade: forged\r\n"), SEEN),
        passed("named but not said", get("Connection: upgrade\r\n"), SEEN),
        passed(
            "said twice",
            get("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: forged\r\n"),
            SEEN,
        ),
        Case::new(
            "of HTTP/1.0",
            format!("GET /a HTTP/1.0\r\nHost: a\r\n{WEBSOCKET}\r\n"),
            Expect::Closed(SEEN),
        ),
    ]
}
