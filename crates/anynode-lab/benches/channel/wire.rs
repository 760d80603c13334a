//! What the servers say, read off the wire.

use crate::relay::{Meter, Told, add};

/// What a Redis pushes to a connection that tracks keys.
#[derive(Default)]
pub(crate) struct Pushes {
    pending: Vec<u8>,
}

/// What a PostgreSQL answers to polls, and its notifications.
#[derive(Default)]
pub(crate) struct Rows {
    pending: Vec<u8>,
    /// Whether the message before was a row of a poll.
    is_in_poll: bool,
}

/// How a push of written keys begins; their names follow as an array, or a null for all keys.
const PUSH: &[u8] = b">2\r\n$10\r\ninvalidate\r\n";

/// What is in the name of a key that all nodes hear of. Each hears of its own heartbeats too.
const OF_ALL: &[u8] = b":k:";

/// A poll answers rows of so many columns, and no other statement here does. This one of them
/// is null where there is no change.
const POLL_COLUMNS: usize = 17;
const CHANGE: usize = 10;

// === impl Pushes ===

impl Meter for Pushes {
    fn read(&mut self, bytes: &[u8], told: &Told) {
        self.pending.extend_from_slice(bytes);
        let mut rest = &self.pending[..];
        let kept = loop {
            let Some(at) = find(rest, PUSH) else {
                // The begin of one may be there.
                break &rest[rest.len().saturating_sub(PUSH.len() - 1)..];
            };
            match names(&rest[at + PUSH.len()..]) {
                Some((names, after)) => {
                    for name in names {
                        match find(name, OF_ALL) {
                            Some(_) => add(&told.events, 1),
                            None => add(&told.proofs, 1),
                        }
                    }
                    rest = after;
                }
                None => break &rest[at..],
            }
        };
        self.pending = kept.to_vec();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}

/// The names in a push, and what follows it; nothing if it is not whole yet.
fn names(bytes: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (head, mut rest) = line(bytes)?;
    let Some(count) = head.strip_prefix(b"*") else {
        // All keys were removed, which is told to everybody.
        return Some((vec![OF_ALL], rest));
    };
    let mut names = Vec::new();
    for _ in 0..number(count) {
        let (head, after) = line(rest)?;
        let length = number(head.strip_prefix(b"$").expect("a name is a text"));
        let name = after.get(..length)?;
        rest = after.get(length + 2..)?;
        names.push(name);
    }
    Some((names, rest))
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = find(bytes, b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

fn number(text: &[u8]) -> usize {
    let text = std::str::from_utf8(text).unwrap();
    text.parse().expect("a length is a number")
}

// === impl Rows ===

impl Meter for Rows {
    fn read(&mut self, bytes: &[u8], told: &Told) {
        self.pending.extend_from_slice(bytes);
        let mut rest = &self.pending[..];
        while let Some((kind, body, after)) = message(rest) {
            rest = after;
            let of_poll = (kind == b'D').then(|| change(body)).flatten();
            if kind == b'A' {
                add(&told.hints, 1);
            }
            if let Some(has_change) = of_poll {
                add(&told.proofs, u64::from(!self.is_in_poll));
                add(&told.events, u64::from(has_change));
            }
            self.is_in_poll = of_poll.is_some();
        }
        self.pending = rest.to_vec();
    }
}

/// The first message, if it is whole: its kind, its body and what follows.
fn message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).unwrap();
    let body = rest.get(4..length)?;
    Some((*kind, body, &rest[length..]))
}

/// Whether a row tells of a change; nothing if it is no row of a poll.
fn change(row: &[u8]) -> Option<bool> {
    let (columns, mut rest) = row.split_first_chunk()?;
    if usize::from(u16::from_be_bytes(*columns)) != POLL_COLUMNS {
        return None;
    }
    let mut is_null = true;
    for _ in 0..=CHANGE {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length));
        is_null = length.is_err();
        rest = &after[length.unwrap_or(0)..];
    }
    Some(!is_null)
}
