//! Chunked bodies whose sizes, extensions or ends can be read in two ways.

use crate::case::{Case, Expect, SMUGGLED, bad, chunked, incomplete, passed};

const HELLO: &[&str] = &["POST /a hello"];

pub(super) fn cases() -> Vec<Case> {
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(17 * 1024));
    let tiny = "1\r\nx\r\n".repeat(300) + "0\r\n\r\n";
    let smuggled = format!("0\r\n\r\n{SMUGGLED}");
    let sized = |size: &str| chunked(&format!("{size}\r\nhello\r\n0\r\n\r\n"));
    vec![
        passed("one chunk", sized("5"), HELLO),
        passed(
            "two chunks",
            chunked("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
            HELLO,
        ),
        passed("zeros before the size", sized("000005"), HELLO),
        passed(
            "many zeros end it",
            chunked("5\r\nhello\r\n0000\r\n\r\n"),
            HELLO,
        ),
        passed("a blank behind the size", sized("5 "), HELLO),
        passed("a tab behind the size", sized("5\t"), HELLO),
        passed("an extension", sized("5;name=value"), HELLO),
        passed("an extension without a name", sized("5;"), HELLO),
        passed("a quoted extension", sized("5;name=\"a;b\""), HELLO),
        passed("an extension behind a blank", sized("5 ;name"), HELLO),
        passed(
            "an extension of the last chunk",
            chunked("5\r\nhello\r\n0;end\r\n\r\n"),
            HELLO,
        ),
        passed(
            "hexadecimal in both letters",
            chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
            &["POST /a 01234567890123456789"],
        ),
        passed("many tiny chunks", chunked(&tiny), &[TINY]),
        passed(
            "a request behind the last chunk is a request",
            chunked(&smuggled),
            &["POST /a", "GET /smuggled"],
        ),
        bad("no size", sized("")),
        bad("a blank instead of a size", sized(" ")),
        bad("a blank before the size", sized(" 5")),
        bad("a plus", sized("+5")),
        bad("a minus", sized("-5")),
        bad("0x", sized("0x5")),
        bad("no digit", sized("g")),
        bad("a digit and no digit", sized("5g")),
        bad("two sizes", sized("5 5")),
        bad("a comma", sized("5,5")),
        bad("quotes", sized("\"5\"")),
        bad("an underscore", sized("0_5")),
        bad("a NUL", sized("5\0")),
        bad("a vertical tab", sized("5\x0b")),
        bad("more than 64 bits", sized("10000000000000005")),
        bad(
            "much more than 64 bits",
            sized("fffffffffffffffffffffffffffffffff5"),
        ),
        bad(
            "a bare line feed behind the size",
            chunked("5\nhello\r\n0\r\n\r\n"),
        ),
        bad(
            "a bare carriage return behind the size",
            chunked("5\rhello\r\n0\r\n\r\n"),
        ),
        bad(
            "two carriage returns behind the size",
            chunked("5\r\r\nhello\r\n0\r\n\r\n"),
        ),
        bad(
            "a line feed in an extension",
            chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ),
        bad(
            "a line feed in a quoted extension",
            chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
        ),
        bad(
            "a carriage return in an extension",
            chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ),
        bad("a longer extension than is read", chunked(&long)),
        bad(
            "more than the size says",
            chunked("4\r\nhello\r\n0\r\n\r\n"),
        ),
        bad(
            "less than the size says",
            chunked("6\r\nhello\r\n0\r\n\r\n"),
        ),
        bad("no line end behind a chunk", chunked("5\r\nhello0\r\n\r\n")),
        bad(
            "a bare line feed behind a chunk",
            chunked("5\r\nhello\n0\r\n\r\n"),
        ),
        bad(
            "a bare line feed behind the last size",
            chunked("5\r\nhello\r\n0\n\r\n"),
        ),
        bad(
            "two other bytes behind a chunk",
            chunked("5\r\nhelloXX0\r\n\r\n"),
        ),
        bad("no last line end", chunked("5\r\nhello\r\n0\r\n")),
        Case::new(
            "bytes behind the last chunk are no request",
            chunked("0\r\n\r\n\0"),
            Expect::Refused(&["POST /a"], 400),
        ),
        incomplete("no last chunk", chunked("5\r\nhello\r\n")),
        incomplete("half a chunk", chunked("5\r\nhel")),
        incomplete("half a size", chunked("5")),
        incomplete("no chunk at all", chunked("")),
        incomplete(
            "half of the last line end",
            chunked("5\r\nhello\r\n0\r\n\r"),
        ),
    ]
}

const TINY: &str = concat!(
    "POST /a ",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
);
