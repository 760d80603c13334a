//! Where a copy is, by its handle.

/// An open-addressed table of places. It keeps no keys: whoever asks compares the handle at the
/// place, so that a handle is kept once.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A place and one, or 0 where there is none. As long as a power of two.
    cells: Vec<u32>,
    len: usize,
}

const CELLS_MIN: usize = 8;

// === impl Index ===

impl Index {
    /// The place with this hash that is the right one.
    pub(super) fn find(&self, hash: u64, is_right: impl Fn(u32) -> bool) -> Option<u32> {
        let cell = self.cell_of(hash, is_right)?;
        Some(self.cells[cell] - 1)
    }

    /// Adds a place whose handle is not in it. `hash_of` tells the hash of the handle at a place.
    pub(super) fn insert(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.len + 1) * 4 > self.cells.len() * 3 {
            self.grow(hash_of);
        }
        self.len += 1;
        self.put(hash, place + 1);
    }

    /// Removes a place, and closes the gap: what would not be found any more moves up.
    pub(super) fn remove(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        let Some(mut gap) = self.cell_of(hash, |found| found == place) else {
            return;
        };
        self.len -= 1;
        let mut cell = gap;
        loop {
            cell = self.after(cell);
            if self.cells[cell] == 0 {
                self.cells[gap] = 0;
                return;
            }
            let home = self.home(hash_of(self.cells[cell] - 1));
            let distance = |from: usize| cell.wrapping_sub(from) & (self.cells.len() - 1);
            if distance(home) >= distance(gap) {
                self.cells[gap] = self.cells[cell];
                gap = cell;
            }
        }
    }

    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let cells = (self.cells.len() * 2).max(CELLS_MIN);
        let old = std::mem::replace(&mut self.cells, vec![0; cells]);
        for cell in old.into_iter().filter(|cell| *cell != 0) {
            self.put(hash_of(cell - 1), cell);
        }
    }

    fn put(&mut self, hash: u64, cell: u32) {
        let mut at = self.home(hash);
        while self.cells[at] != 0 {
            at = self.after(at);
        }
        self.cells[at] = cell;
    }

    fn cell_of(&self, hash: u64, is_right: impl Fn(u32) -> bool) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        while self.cells[at] != 0 {
            if is_right(self.cells[at] - 1) {
                return Some(at);
            }
            at = self.after(at);
        }
        None
    }

    fn home(&self, hash: u64) -> usize {
        let low = u32::try_from(hash & u64::from(u32::MAX)).expect("32 bits");
        usize::try_from(low).expect("32 bits") & (self.cells.len() - 1)
    }

    fn after(&self, cell: usize) -> usize {
        (cell + 1) & (self.cells.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Few homes for many places, so that they crowd.
    fn hash(place: u32) -> u64 {
        u64::from(place % 7) * 3
    }

    proptest! {
        #[test]
        fn exactly_what_was_inserted_and_not_removed_is_found(acts: Vec<(bool, u8)>) {
            let (mut index, mut model) = (Index::default(), BTreeSet::new());
            for (is_insert, place) in acts {
                let place = u32::from(place % 40);
                match (is_insert, model.contains(&place)) {
                    (true, false) => {
                        index.insert(hash(place), place, hash);
                        model.insert(place);
                    }
                    (false, _) => {
                        index.remove(hash(place), place, hash);
                        model.remove(&place);
                    }
                    (true, true) => {}
                }
                for place in 0..40 {
                    let found = index.find(hash(place), |found| found == place);
                    prop_assert_eq!(found, model.get(&place).copied());
                }
            }
        }
    }
}
