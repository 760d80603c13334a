//! Follows the bytes a client sends, and makes unreadable what two servers could read as different requests.
//!
//! hyper reads a head with both a length and `chunked` by the latter and drops the length, so that
//! nobody after it can tell; it takes a bare line feed for the end of a line.
//! RFC 9112 allows both (6.1, 2.2), but another server may choose the other reading, and what lies
//! between the two readings is a smuggled request.
//! So every byte passes here before hyper sees it. What is unclear is spoiled by a NUL, which no head may
//! hold: hyper answers 400 and closes, in its turn behind the answers to earlier requests.
//!
//! Not more than that is decided here: where this reading ends in [`State::Through`], hyper or the proxy
//! refuses the message and closes the connection.

mod chunked;

use memchr::memchr;

use self::chunked::Chunked;

/// What is known about the bytes that come next.
#[derive(Debug)]
pub(crate) struct Guard {
    state: State,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The most bytes of a line; hyper refuses longer heads.
    line_bytes_max: usize,
}

#[derive(Debug)]
enum State {
    /// Before the first byte of a request, or in empty lines before it, which every server skips.
    Between,
    /// In a head, at the start of a line or with its beginning in `line`.
    Head(Framing),
    /// In a body of which this much is left.
    Length(u64),
    Chunked(Chunked),
    /// Nothing of this connection becomes a request any more.
    Through,
    /// A head was spoiled. What follows is made line ends, so that hyper need not wait for the end of the head.
    Spoiled,
}

/// What the lines of a head have said about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Nothing,
    Length(u64),
    Chunked,
    /// Something that hyper or the proxy refuses.
    Refused,
}

/// What a line of a head says.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    End,
    Field(Framing),
    Other,
    /// It ends without a carriage return.
    Bare,
}

// === impl Guard ===

impl Guard {
    pub(crate) fn new(line_bytes_max: usize) -> Self {
        Self {
            state: State::Between,
            line: Vec::new(),
            line_bytes_max,
        }
    }

    /// Looks at the next bytes of the connection, and spoils what is unclear.
    pub(crate) fn pass(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let passed = match &mut self.state {
                State::Between => self.between(rest),
                State::Head(framing) => {
                    let framing = *framing;
                    self.head(framing, rest)
                }
                State::Length(left) => {
                    let passed = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= u64::try_from(passed).expect("a length in memory fits 64 bits");
                    if *left == 0 {
                        self.state = State::Between;
                    }
                    passed
                }
                State::Chunked(_) => self.chunked(rest),
                State::Through => return,
                State::Spoiled => return rest.fill(b'\n'),
            };
            rest = &mut rest[passed..];
        }
    }

    fn between(&mut self, rest: &[u8]) -> usize {
        let is_empty_line = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let passed = rest.iter().take_while(|byte| is_empty_line(byte)).count();
        if passed < rest.len() {
            self.state = State::Head(Framing::Nothing);
        }
        passed
    }

    fn head(&mut self, framing: Framing, rest: &mut [u8]) -> usize {
        let Some(end) = memchr(b'\n', rest) else {
            return self.keep(rest);
        };
        let line = whole(&mut self.line, &rest[..end]);
        let next = match (read_line(line), framing) {
            (Line::Bare, _) => None,
            // A second length is refused even if it is the same: nobody sends it in good faith.
            (Line::Field(said), Framing::Nothing) => Some(State::Head(said)),
            (Line::Field(_), _) => anynode_core::planted("length_beside_chunked")
                .then_some(State::Head(Framing::Chunked)),
            (Line::Other, framing) => Some(State::Head(framing)),
            (Line::End, Framing::Nothing | Framing::Length(0)) => Some(State::Between),
            (Line::End, Framing::Length(length)) => Some(State::Length(length)),
            (Line::End, Framing::Chunked) => Some(State::Chunked(Chunked::Size)),
            (Line::End, Framing::Refused) => Some(State::Through),
        };
        self.line.clear();
        self.state = next.unwrap_or_else(|| {
            rest[end] = 0;
            State::Spoiled
        });
        end + 1
    }

    fn chunked(&mut self, rest: &mut [u8]) -> usize {
        let State::Chunked(at) = &mut self.state else {
            return 0;
        };
        if let Some(passed) = at.pass_data(rest.len()) {
            return passed;
        }
        let Some(end) = memchr(b'\n', rest) else {
            return self.keep(rest);
        };
        let line = whole(&mut self.line, &rest[..end]);
        match at.pass_line(line) {
            chunked::Said::Next(next) => self.state = State::Chunked(next),
            chunked::Said::End => self.state = State::Between,
            chunked::Said::Malformed => self.state = State::Through,
            chunked::Said::BareInTrailers => {
                rest[end] = 0;
                self.state = State::Through;
            }
        }
        self.line.clear();
        end + 1
    }

    /// Keeps the beginning of a line until its end comes.
    fn keep(&mut self, rest: &[u8]) -> usize {
        self.line.extend_from_slice(rest);
        if self.line.len() > self.line_bytes_max {
            self.line = Vec::new();
            self.state = State::Through;
        }
        rest.len()
    }
}

/// Returns a line whose end was found, put together if it came in pieces.
fn whole<'a>(begun: &'a mut Vec<u8>, rest: &'a [u8]) -> &'a [u8] {
    if begun.is_empty() {
        return rest;
    }
    begun.extend_from_slice(rest);
    begun
}

/// Reads a line of a head without its line feed.
fn read_line(line: &[u8]) -> Line {
    let Some((b'\r', line)) = line.split_last() else {
        return Line::Bare;
    };
    if line.is_empty() {
        return Line::End;
    }
    // Of all common fields only a few have these lengths, so that most lines cost two comparisons.
    match (line.get(14), line.get(17)) {
        (Some(b':'), _) if line[..14].eq_ignore_ascii_case(b"content-length") => {
            Line::Field(length(line[15..].trim_ascii()))
        }
        (_, Some(b':')) if line[..17].eq_ignore_ascii_case(b"transfer-encoding") => {
            let is_chunked = line[18..].trim_ascii().eq_ignore_ascii_case(b"chunked");
            Line::Field(if is_chunked {
                Framing::Chunked
            } else {
                Framing::Refused
            })
        }
        _ => Line::Other,
    }
}

fn length(digits: &[u8]) -> Framing {
    let text = str::from_utf8(digits).ok();
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|digits| digits.parse().ok());
    length.map_or(Framing::Refused, Framing::Length)
}

#[cfg(test)]
mod tests;
