//! Lengths that are said twice, beside chunked, or in a way that only some servers understand.

use crate::case::{Case, Expect, SMUGGLED, bad, get, incomplete, passed, post, refused};

const WHOLE: &[&str] = &["POST /a hello"];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = beside_chunked();
    cases.extend(odd_numbers());
    cases.extend(what_a_length_counts());
    cases
}

fn beside_chunked() -> Vec<Case> {
    let smuggled = format!("0\r\n\r\n{SMUGGLED}");
    let prefix = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    let both = |fields: &str| post(fields, &smuggled);
    vec![
        bad(
            "CL.TE: a length and then chunked",
            both("Content-Length: 60\r\nTransfer-Encoding: chunked\r\n"),
        ),
        bad(
            "CL.TE: chunked and then a length",
            both("Transfer-Encoding: chunked\r\nContent-Length: 60\r\n"),
        ),
        bad(
            "TE.CL: a short length",
            post(
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                &prefix,
            ),
        ),
        bad(
            "TE.CL: chunked first",
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                &prefix,
            ),
        ),
        bad(
            "a length of nothing beside chunked",
            both("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
        ),
        bad(
            "with fields between",
            both("Content-Length: 5\r\nX: 1\r\nY: 2\r\nTransfer-Encoding: chunked\r\n"),
        ),
        bad(
            "in other letters",
            both("content-LENGTH:5\r\nTRANSFER-encoding:chunked\r\n"),
        ),
        bad(
            "with tabs",
            both("Content-Length:\t5\r\nTransfer-Encoding:\tchunked\t\r\n"),
        ),
        bad(
            "on a GET",
            get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
        ),
        bad(
            "a length beside another coding",
            both("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n"),
        ),
        bad(
            "a length beside identity",
            post(
                "Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
                "hello",
            ),
        ),
        bad(
            "a length that is none beside chunked",
            both("Content-Length: x\r\nTransfer-Encoding: chunked\r\n"),
        ),
        bad(
            "chunked twice around a length",
            both(
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            ),
        ),
        bad(
            "behind the nomination of the length",
            both(
                "Connection: content-length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            ),
        ),
        bad(
            "on HTTP/1.0",
            "POST /a HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ]
}

fn odd_numbers() -> Vec<Case> {
    let length = |value: &str| post(&format!("Content-Length:{value}\r\n"), "hello");
    vec![
        bad(
            "the same length twice",
            post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        ),
        bad(
            "two lengths",
            post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
        ),
        bad(
            "two lengths apart",
            post(
                "Content-Length: 0\r\nX: 1\r\ncontent-length: 5\r\n",
                "hello",
            ),
        ),
        bad("a list of one length", length(" 5, 5")),
        bad("a list of two lengths", length(" 5,6")),
        bad("a list that ends in nothing", length(" 5,")),
        bad("a plus", length(" +5")),
        bad("a minus", length(" -5")),
        bad("hexadecimal", length(" 0x5")),
        bad("a fraction", length(" 5.0")),
        bad("an exponent", length(" 1e1")),
        bad("an underscore", length(" 1_0")),
        bad("two numbers", length(" 5 5")),
        bad("a number and a word", length(" 5 bytes")),
        bad("a parameter", length(" 5;q=1")),
        bad("quotes", length(" \"5\"")),
        bad("nothing", length("")),
        bad("blanks", length("  ")),
        bad("full-width digits", length(" \u{ff15}")),
        bad("a NUL behind it", length(" 5\0")),
        bad("a vertical tab before it", length(" \x0b5")),
        bad("more than 64 bits", length(" 18446744073709551616")),
        bad(
            "much more than 64 bits",
            length(" 99999999999999999999999999999999"),
        ),
        refused("all 64 bits", length(" 18446744073709551615"), 431),
        bad("a folded length", length("\r\n 5")),
        bad(
            "a blank before the colon",
            post("Content-Length : 5\r\n", "hello"),
        ),
        bad(
            "a tab before the colon",
            post("Content-Length\t: 5\r\n", "hello"),
        ),
        bad(
            "a blank before the name",
            post(" Content-Length: 5\r\n", "hello"),
        ),
        passed("blanks around it", length("   5  "), WHOLE),
        passed("tabs around it", length("\t5\t"), WHOLE),
        passed("no blank", length("5"), WHOLE),
        passed("zeros before it", length(" 0005"), WHOLE),
    ]
}

fn what_a_length_counts() -> Vec<Case> {
    let counted = format!("Content-Length: {}\r\n", SMUGGLED.len());
    let behind = post("Content-Length: 0\r\n", SMUGGLED);
    vec![
        passed(
            "a plain POST",
            post("Content-Length: 5\r\n", "hello"),
            WHOLE,
        ),
        passed(
            "0.CL: a GET whose body looks like a request",
            get(&counted) + SMUGGLED,
            &["GET /a GET /smuggled HTTP/1.1\r\nHost: shop.example"],
        ),
        passed(
            "a POST whose body looks like a request",
            post(&counted, SMUGGLED),
            &["POST /a GET /smuggled HTTP/1.1\r\nHost: shop.example"],
        ),
        passed(
            "a request behind an empty body is a request",
            behind,
            &["POST /a", "GET /smuggled"],
        ),
        Case::new(
            "a body that was not announced is no request",
            post("", "{\"a\": 1}"),
            Expect::Refused(&["POST /a"], 400),
        ),
        Case::new(
            "more body than announced",
            post("Content-Length: 5\r\n", "hello\0"),
            Expect::Refused(&["POST /a hello"], 400),
        ),
        passed(
            "another spelling is no length",
            post("Content_Length: 5\r\n", ""),
            &["POST /a"],
        ),
        incomplete(
            "less body than announced",
            post("Content-Length: 6\r\n", "hello"),
        ),
        incomplete(
            "none of the body announced",
            post("Content-Length: 6\r\n", ""),
        ),
    ]
}
