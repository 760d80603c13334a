//! Where a chunked body ends, read exactly as hyper reads it: what it refuses is malformed here.

/// A place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the line that says the size of the next chunk.
    Size,
    /// In a chunk, with this much left.
    Data(u64),
    /// In the empty line after a chunk.
    AfterData,
    /// In the lines after the last chunk.
    Trailers,
}

/// What a line of a chunked body says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Next(Chunked),
    /// The body ends with this line.
    End,
    /// hyper ends the connection.
    Malformed,
    /// A line of the trailers ends without a carriage return, which hyper might take.
    BareInTrailers,
}

// === impl Chunked ===

impl Chunked {
    /// Passes over the data of a chunk, at most `available` bytes; `None` if a line comes next.
    pub(super) fn pass_data(&mut self, available: usize) -> Option<usize> {
        let Self::Data(left) = self else {
            return None;
        };
        let passed = available.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= u64::try_from(passed).expect("a length in memory fits 64 bits");
        if *left == 0 {
            *self = Self::AfterData;
        }
        Some(passed)
    }

    /// Reads a line without its line feed.
    pub(super) fn pass_line(self, line: &[u8]) -> Said {
        let line = match line.split_last() {
            Some((b'\r', line)) => line,
            _ if self == Self::Trailers => return Said::BareInTrailers,
            _ => return Said::Malformed,
        };
        match self {
            Self::Size => match size(line) {
                None => Said::Malformed,
                Some(0) => Said::Next(Self::Trailers),
                Some(size) => Said::Next(Self::Data(size)),
            },
            Self::AfterData if line.is_empty() => Said::Next(Self::Size),
            Self::AfterData | Self::Data(_) => Said::Malformed,
            Self::Trailers if line.is_empty() => Said::End,
            // hyper ends a trailer at any carriage return and refuses what is not a line feed after it.
            Self::Trailers if line.contains(&b'\r') => Said::Malformed,
            Self::Trailers => Said::Next(Self::Trailers),
        }
    }
}

/// Returns the size that a line begins with, if nothing but blanks or an extension follows.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, after) = line.split_at(digits);
    let after = after.trim_ascii_start();
    let is_extension = after.first().is_none_or(|&first| first == b';');
    if !is_extension || after.contains(&b'\r') {
        return None;
    }
    let digits = str::from_utf8(digits).expect("hexadecimal digits are ASCII");
    u64::from_str_radix(digits, 16).ok()
}
