//! Numbers in as many bytes as they need, one after the other.

use std::sync::Arc;

/// Writes numbers and texts.
pub(super) struct Writer(Vec<u8>);

/// Reads them in the same order. Only what a [`Writer`] wrote is ever read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

const MORE: u8 = 0x80;

// === impl Writer ===

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, number: u64) {
        let mut left = number;
        loop {
            let [low, ..] = left.to_le_bytes();
            left >>= 7;
            if left == 0 {
                self.0.push(low & !MORE);
                return;
            }
            self.0.push(low | MORE);
        }
    }

    /// A number that is likely to be near another one, before or after it.
    pub(super) fn near(&mut self, number: u64, other: u64) {
        let distance = number.wrapping_sub(other);
        // The sign goes to the lowest bit, so that small negative distances are short too.
        let sign = if distance >> 63 == 1 { u64::MAX } else { 0 };
        self.number((distance << 1) ^ sign);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(u64::try_from(text.len()).expect("a text in memory"));
        self.bytes(text.as_bytes());
    }

    pub(super) fn finish(self) -> Arc<[u8]> {
        self.0.into()
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let (array, rest) = self.0.split_first_chunk().expect("as it was written");
        self.0 = rest;
        *array
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let [byte] = self.array();
            number |= u64::from(byte & !MORE) << shift;
            if byte & MORE == 0 {
                break;
            }
        }
        number
    }

    pub(super) fn near(&mut self, other: u64) -> u64 {
        let written = self.number();
        let sign = if written & 1 == 1 { u64::MAX } else { 0 };
        other.wrapping_add((written >> 1) ^ sign)
    }

    pub(super) fn text(&mut self) -> &'a str {
        let length = usize::try_from(self.number()).expect("a text in memory");
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        std::str::from_utf8(text).expect("it was text when it was written")
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(numbers: Vec<(u64, u64)>, text: String, rest: Vec<u8>) {
            let mut to = Writer::with_capacity(0);
            for (number, other) in &numbers {
                to.number(*number);
                to.near(*number, *other);
            }
            to.text(&text);
            to.bytes(&rest);
            let written = to.finish();
            let mut from = Reader(&written);
            for (number, other) in numbers {
                prop_assert_eq!(from.number(), number);
                prop_assert_eq!(from.near(other), number);
            }
            prop_assert_eq!(from.text(), text);
            prop_assert_eq!(from.rest(), rest);
        }
    }

    #[test]
    fn a_number_takes_the_bytes_it_needs() {
        for (number, other, bytes) in [
            (5, 7, 1),
            (7, 5, 1),
            (0, 64, 1),
            (0, 65, 2),
            (u64::MAX, 0, 1),
        ] {
            let mut to = Writer::with_capacity(0);
            to.near(number, other);
            assert_eq!(to.finish().len(), bytes, "{number} near {other}");
        }
    }
}
