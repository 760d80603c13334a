//! Requests that follow one another without waiting, good ones and bad ones.

use crate::case::{Case, Expect, SMUGGLED, bad, chunked, get, passed, post, refused};

pub(super) fn cases() -> Vec<Case> {
    let plain = get("");
    let sized = post("Content-Length: 5\r\n", "hello");
    let chunks = chunked("5\r\nhello\r\n0\r\n\r\n");
    let unclear = post(
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    );
    let head = plain.replacen("GET", "HEAD", 1);
    let old = plain.replacen("HTTP/1.1", "HTTP/1.0", 1);
    let kept = old.replacen("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n", 1);
    let then = |status| Expect::Refused(&["GET /a"], status);
    vec![
        passed("two", plain.repeat(2), &["GET /a", "GET /a"]),
        passed("twenty", plain.repeat(20), &["GET /a"; 20]),
        passed(
            "behind a length",
            sized.repeat(2),
            &["POST /a hello", "POST /a hello"],
        ),
        passed(
            "behind chunks",
            chunks.repeat(2),
            &["POST /a hello", "POST /a hello"],
        ),
        passed(
            "lengths and chunks in turn",
            format!("{sized}{chunks}{plain}{sized}"),
            &["POST /a hello", "POST /a hello", "GET /a", "POST /a hello"],
        ),
        passed(
            "behind HEAD",
            format!("{head}{plain}"),
            &["HEAD /a", "GET /a"],
        ),
        passed(
            "with empty lines between",
            format!("{plain}\r\n\r\n{plain}\r\n"),
            &["GET /a", "GET /a"],
        ),
        passed(
            "of HTTP/1.0 that is kept alive",
            format!("{kept}{plain}"),
            &["GET /a", "GET /a"],
        ),
        Case::new(
            "behind HTTP/1.0",
            format!("{old}{SMUGGLED}"),
            Expect::Closed(&["GET /a"]),
        ),
        Case::new(
            "behind close",
            get("Connection: close\r\n") + SMUGGLED,
            Expect::Closed(&["GET /a"]),
        ),
        Case::new(
            "an unclear one behind a good one",
            format!("{plain}{unclear}"),
            then(400),
        ),
        Case::new(
            "an unclear one behind a length",
            format!("{sized}{unclear}"),
            Expect::Refused(&["POST /a hello"], 400),
        ),
        Case::new(
            "an unclear one behind chunks",
            format!("{chunks}{unclear}"),
            Expect::Refused(&["POST /a hello"], 400),
        ),
        Case::new(
            "an unclear one behind trailers",
            chunked("0\r\nA: b\r\n\r\n") + &unclear,
            Expect::Refused(&["POST /a"], 400),
        ),
        Case::new(
            "a broken one behind a good one",
            plain.clone() + "GE\0\r\n\r\n",
            then(400),
        ),
        Case::new(
            "a bare line feed behind a good one",
            plain.clone() + "GET /b HTTP/1.1\nHost: a\n\n",
            then(400),
        ),
        Case::new(
            "TRACE behind a good one",
            plain.clone() + &plain.replacen("GET", "TRACE", 1),
            then(501),
        ),
        Case::new(
            "no host behind a good one",
            plain.clone() + "GET /b HTTP/1.1\r\n\r\n",
            then(400),
        ),
        bad(
            "a good one behind an unclear one",
            format!("{unclear}{SMUGGLED}"),
        ),
        bad(
            "a good one behind a broken one",
            format!("GE\0\r\n\r\n{SMUGGLED}"),
        ),
        bad(
            "a good one behind no host",
            format!("GET /b HTTP/1.1\r\n\r\n{SMUGGLED}"),
        ),
        refused(
            "a good one behind TRACE",
            plain.replacen("GET", "TRACE", 1) + SMUGGLED,
            501,
        ),
        refused(
            "a good one behind TRACE with a body",
            sized.replacen("POST", "TRACE", 1) + SMUGGLED,
            501,
        ),
        refused(
            "a good one in the body of a refused one",
            post(
                &format!("Transfer-Encoding: gzip, chunked\r\nX: {}\r\n", 1),
                SMUGGLED,
            ),
            501,
        ),
    ]
}
