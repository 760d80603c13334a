//! A piece of traffic, and what becomes of it.

use std::time::Duration;

/// What was read at once.
#[derive(Debug)]
pub(super) struct Piece {
    /// Nothing at the end of the stream.
    pub(super) bytes: Vec<u8>,
    pub(super) fate: Fate,
}

/// What becomes of a piece, decided when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives as it is.
    Arrives,
    /// It arrives at this time of the boot clock, or later.
    ArrivesAt(Duration),
    /// It arrives once another order than the one of this number is given.
    Held(u64),
    /// The connection is reset in its place.
    Resets,
    /// The connection is closed in its place.
    Cuts,
}

// === impl Piece ===

impl Piece {
    /// The end of a stream that did not end in order.
    pub(super) fn reset() -> Self {
        Self {
            bytes: Vec::new(),
            fate: Fate::Resets,
        }
    }
}
