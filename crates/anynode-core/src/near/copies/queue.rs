//! Copies in a row: the oldest is the first to go.

use super::Slot;

/// One end and the other of a row that runs through the slots.
#[derive(Debug)]
pub(super) struct Queue {
    newest: u32,
    oldest: u32,
    len: usize,
}

/// The neighbours of a slot in its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    newer: u32,
    older: u32,
}

const NONE: u32 = u32::MAX;

// === impl Queue ===

impl Queue {
    pub(super) const EMPTY: Self = Self {
        newest: NONE,
        oldest: NONE,
        len: 0,
    };

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Puts a slot at the newest end.
    pub(super) fn push(&mut self, slots: &mut [Slot], place: u32) {
        slots[at(place)].links = Links {
            newer: NONE,
            older: self.newest,
        };
        match self.newest {
            NONE => self.oldest = place,
            newest => slots[at(newest)].links.newer = place,
        }
        self.newest = place;
        self.len += 1;
    }

    /// Takes a slot out, wherever it is in this row.
    pub(super) fn remove(&mut self, slots: &mut [Slot], place: u32) {
        let Links { newer, older } = slots[at(place)].links;
        match newer {
            NONE => self.newest = older,
            newer => slots[at(newer)].links.older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => slots[at(older)].links.newer = newer,
        }
        self.len -= 1;
    }
}

// === impl Links ===

impl Links {
    pub(super) const NONE: Self = Self {
        newer: NONE,
        older: NONE,
    };
}

/// Places are counted in 32 bits to keep slots small.
pub(super) fn at(place: u32) -> usize {
    usize::try_from(place).expect("a place in memory")
}
