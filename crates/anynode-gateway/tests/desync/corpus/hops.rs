//! Fields that are about one connection, and those that `Connection` names to be rid of them.

use crate::case::{Case, Expect, chunked, get, passed, post};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = connections();
    cases.extend(expectations());
    cases
}

fn connections() -> Vec<Case> {
    const SEEN: &[&str] = &["GET /a"];
    const WHOLE: &[&str] = &["POST /a hello"];
    let many = (0..90).map(|number| format!("x-{number}"));
    let many = many.collect::<Vec<_>>().join(", ");
    let body = "5\r\nhello\r\n0\r\n\r\n";
    vec![
        passed(
            "the length is named",
            post(
                "Connection: content-length\r\nContent-Length: 5\r\n",
                "hello",
            ),
            WHOLE,
        ),
        passed(
            "the coding is named",
            post(
                "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
                body,
            ),
            WHOLE,
        ),
        passed("the host is named", get("Connection: host\r\n"), SEEN),
        passed(
            "the address is named",
            get("Connection: X-Forwarded-For\r\n"),
            SEEN,
        ),
        passed(
            "a claimed address is named",
            get("Connection: x-forwarded-for\r\nX-Forwarded-For: forged\r\n"),
            SEEN,
        ),
        passed(
            "a field is named",
            get("Connection: x-a\r\nX-A: forged\r\n"),
            SEEN,
        ),
        passed(
            "a field is named in other letters",
            get("Connection: X-a\r\nx-A: forged\r\n"),
            SEEN,
        ),
        passed(
            "a field is named twice",
            get("Connection: x-a, x-a\r\nX-A: forged\r\nX-A: forged\r\n"),
            SEEN,
        ),
        passed(
            "a field is named in a second line",
            get("Connection: x-b\r\nConnection: x-a\r\nX-A: forged\r\n"),
            SEEN,
        ),
        passed(
            "a field is named behind nothing",
            get("Connection: ,, ,x-a\r\nX-A: forged\r\n"),
            SEEN,
        ),
        passed(
            "an identity is named",
            get("Connection: x-anynode-user\r\nX-Anynode-User: forged\r\n"),
            SEEN,
        ),
        passed(
            "connection is named",
            get("Connection: connection\r\n"),
            SEEN,
        ),
        passed(
            "many are named",
            get(&format!("Connection: {many}\r\nX-89: forged\r\n")),
            SEEN,
        ),
        passed(
            "what no field is called is named",
            get("Connection: \"x-a\", (b)\r\n"),
            SEEN,
        ),
        passed("an accent is named", get("Connection: \u{e9}\r\n"), SEEN),
        passed(
            "keep-alive",
            get("Connection: keep-alive\r\nKeep-Alive: forged\r\n"),
            SEEN,
        ),
        passed("the old field", get("Proxy-Connection: forged\r\n"), SEEN),
        passed(
            "credentials for a proxy",
            get("Proxy-Authorization: forged\r\n"),
            SEEN,
        ),
        passed("codings wanted", get("TE: forged, trailers\r\n"), SEEN),
        Case::new(
            "close is named",
            get("Connection: close\r\n"),
            Expect::Closed(SEEN),
        ),
        Case::new(
            "close and a field are named",
            get("Connection: x-a, close\r\nX-A: forged\r\n"),
            Expect::Closed(SEEN),
        ),
        Case::new(
            "close and keep-alive in two lines",
            get("Connection: close\r\nConnection: keep-alive\r\n"),
            Expect::Closed(SEEN),
        ),
    ]
}

fn expectations() -> Vec<Case> {
    const WHOLE: &[&str] = &["POST /a hello"];
    let expect = |value: &str| {
        post(
            &format!("Expect: {value}\r\nContent-Length: 5\r\n"),
            "hello",
        )
    };
    vec![
        passed("to continue", expect("100-continue"), WHOLE),
        passed(
            "to continue in other letters",
            expect("100-CONTINUE"),
            WHOLE,
        ),
        passed("something else", expect("200-ok"), WHOLE),
        passed("nothing", expect(""), WHOLE),
        passed("to continue and more", expect("100-continue, x"), WHOLE),
        passed(
            "to continue twice",
            expect("100-continue\r\nExpect: 100-continue"),
            WHOLE,
        ),
        passed("y 100-continue", expect("y 100-continue"), WHOLE),
        passed(
            "to continue without a body",
            get("Expect: 100-continue\r\n"),
            &["GET /a"],
        ),
        passed(
            "to continue with an empty body",
            post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""),
            &["POST /a"],
        ),
        passed(
            "to continue with chunks",
            post(
                "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
                "5\r\nhello\r\n0\r\n\r\n",
            ),
            WHOLE,
        ),
        passed(
            "no expectation and chunks",
            chunked("5\r\nhello\r\n0\r\n\r\n"),
            WHOLE,
        ),
        Case::new(
            "to continue with HTTP/1.0",
            "POST /a HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
            Expect::Closed(WHOLE),
        ),
        Case::new(
            "to continue with an unclear body",
            post(
                "Expect: 100-continue\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                "",
            ),
            Expect::Refused(&[], 400),
        ),
    ]
}
