//! One case: what a client sends, and what may come of it.

/// What a client sends, and what may come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expect: Expect,
}

/// What may come of it. Requests are written as `METHOD TARGET BODY`.
#[derive(Clone, Copy)]
pub(crate) enum Expect {
    /// The backend sees these, and so it does the request that follows on the same connection.
    Passed(&'static [&'static str]),
    /// The backend sees these, and the connection is closed, with or without a word.
    Closed(&'static [&'static str]),
    /// The backend sees these; what follows is answered with this status and the connection is closed.
    Refused(&'static [&'static str], u16),
    /// The connection is closed, with or without a word.
    Cut,
    /// The client hangs up in the middle: no whole request reaches the backend.
    Incomplete,
}

/// The request that every case ends with, unless it ends in the middle.
pub(crate) const END: &str = "GET /end HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";

/// What is smuggled, if anything is.
pub(crate) const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n";

impl Case {
    pub(crate) fn new(name: &'static str, bytes: impl Into<Vec<u8>>, expect: Expect) -> Self {
        Self {
            name,
            bytes: bytes.into(),
            expect,
        }
    }
}

/// A POST with these field lines, each ended by CRLF, and this body.
pub(crate) fn post(fields: &str, body: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n{body}")
}

/// A GET with these field lines, each ended by CRLF.
pub(crate) fn get(fields: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n")
}

/// A chunked POST with this body.
pub(crate) fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

/// A case that is answered 400 and of which nothing reaches the backend.
pub(crate) fn bad(name: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::new(name, bytes, Expect::Refused(&[], 400))
}

pub(crate) fn refused(name: &'static str, bytes: impl Into<Vec<u8>>, status: u16) -> Case {
    Case::new(name, bytes, Expect::Refused(&[], status))
}

pub(crate) fn passed(
    name: &'static str,
    bytes: impl Into<Vec<u8>>,
    seen: &'static [&'static str],
) -> Case {
    Case::new(name, bytes, Expect::Passed(seen))
}

pub(crate) fn incomplete(name: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::new(name, bytes, Expect::Incomplete)
}
