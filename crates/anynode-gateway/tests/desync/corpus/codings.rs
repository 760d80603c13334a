//! Transfer codings that some servers take for chunked and others do not.

use crate::case::{Case, SMUGGLED, bad, get, passed, post, refused};

pub(super) fn cases() -> Vec<Case> {
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let coding = |value: &str| post(&format!("Transfer-Encoding:{value}\r\n"), &body);
    let whole = |value: &str| post(&format!("Transfer-Encoding:{value}\r\n"), "0\r\n\r\n");
    const SEEN: &[&str] = &["POST /a"];
    vec![
        bad("xchunked", coding(" xchunked")),
        bad("chunkedx", coding(" chunkedx")),
        bad("chunk", coding(" chunk")),
        bad("a parameter", coding(" chunked;q=1")),
        bad("identity", coding(" identity")),
        bad("gzip", coding(" gzip")),
        bad("cow", coding(" cow")),
        bad("nothing", coding("")),
        bad("blanks", coding("  ")),
        bad("double quotes", coding(" \"chunked\"")),
        bad("single quotes", coding(" 'chunked'")),
        bad("a colon", coding(": chunked")),
        bad("chunked is not last", coding(" chunked, identity")),
        bad("chunked and nothing", coding(" chunked,")),
        bad("chunked and another word", coding(" chunked x")),
        bad("a NUL", coding(" chunked\0")),
        bad("a vertical tab", coding(" \x0bchunked")),
        bad("a form feed behind it", coding(" chunked\x0c")),
        bad("a carriage return before it", coding(" \rchunked")),
        bad("a folded coding", coding("\r\n chunked")),
        bad("a coding folded with a tab", coding("\r\n\tchunked")),
        bad("a coding folded by a bare line feed", coding("\n chunked")),
        bad(
            "a blank before the colon",
            post("Transfer-Encoding : chunked\r\n", &body),
        ),
        bad(
            "a tab before the colon",
            post("Transfer-Encoding\t: chunked\r\n", &body),
        ),
        bad(
            "a blank before the name",
            post(" Transfer-Encoding: chunked\r\n", &body),
        ),
        bad(
            "a blank in the name",
            post("Transfer Encoding: chunked\r\n", &body),
        ),
        bad(
            "a carriage return in the name",
            post("Transfer-\rEncoding: chunked\r\n", &body),
        ),
        bad(
            "chunked twice",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                &body,
            ),
        ),
        bad(
            "chunked and then identity",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                &body,
            ),
        ),
        bad(
            "identity and then chunked",
            post(
                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                &body,
            ),
        ),
        bad(
            "nothing and then chunked",
            post(
                "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
                &body,
            ),
        ),
        bad(
            "behind a bare line feed",
            post("X: 1\nTransfer-Encoding: chunked\r\n", &body),
        ),
        bad(
            "behind a bare carriage return",
            post("X: 1\rTransfer-Encoding: chunked\r\n", &body),
        ),
        bad(
            "HTTP/1.0",
            "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        bad(
            "HTTP/1.0 that is kept alive",
            "POST /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused("gzip and chunked", coding(" gzip, chunked"), 501),
        refused(
            "identity and chunked in a list",
            coding(" identity, chunked"),
            501,
        ),
        refused("chunked twice in a list", coding(" chunked, chunked"), 501),
        refused("nothing and chunked in a list", coding(" ,chunked"), 501),
        passed("chunked", whole(" chunked"), SEEN),
        passed("no blank", whole("chunked"), SEEN),
        passed("tabs", whole("\tchunked\t"), SEEN),
        passed("other letters", whole(" cHuNkEd"), SEEN),
        passed(
            "a GET",
            get("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n",
            &["GET /a hello"],
        ),
        passed(
            "a GET whose chunk looks like a request",
            get("Transfer-Encoding: chunked\r\n")
                + &format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len()),
            &["GET /a GET /smuggled HTTP/1.1\r\nHost: shop.example"],
        ),
        passed("TE is no coding", post("TE: chunked\r\n", ""), SEEN),
        passed(
            "another spelling is no coding",
            post("Transfer_Encoding: chunked\r\n", ""),
            SEEN,
        ),
        passed(
            "a longer name is no coding",
            post("X-Transfer-Encoding: chunked\r\n", ""),
            SEEN,
        ),
    ]
}
