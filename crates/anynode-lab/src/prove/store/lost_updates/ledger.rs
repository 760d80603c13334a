//! What the writers said they began, and what they were told they had done.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::Updates;

/// The parent's books: they survive every child.
pub(super) struct Ledger {
    writers: usize,
    entries: Mutex<Vec<Entry>>,
    acknowledged: AtomicU64,
    exposed: AtomicU64,
    locked: AtomicU64,
    errors: AtomicU64,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    begun: u64,
    acknowledged: u64,
}

impl Ledger {
    pub(super) fn new(sessions: usize, writers: usize) -> Self {
        Self {
            writers,
            entries: Mutex::new(vec![Entry::default(); sessions * writers]),
            acknowledged: AtomicU64::default(),
            exposed: AtomicU64::default(),
            locked: AtomicU64::default(),
            errors: AtomicU64::default(),
        }
    }

    /// Enters a line of a child: `begun SESSION WRITER`, `done SESSION WRITER REBASES`, `locked`
    /// or `error`.
    pub(super) fn enter(&self, line: &str) {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse::<usize>().ok());
        let place = number().zip(number());
        let at = |(session, writer): (usize, usize)| session * self.writers + writer;
        match (verb, place) {
            ("begun", Some(place)) => self.entries()[at(place)].begun += 1,
            ("done", Some(place)) => {
                self.entries()[at(place)].acknowledged += 1;
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                if number().is_some_and(|rebases| rebases > 0) {
                    self.exposed.fetch_add(1, Ordering::Relaxed);
                }
            }
            ("locked", _) => {
                self.locked.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                self.errors.fetch_add(1, Ordering::Relaxed);
                eprintln!("anynode-lab: {line}");
            }
        }
    }

    /// Compares the number in a session with what is in the books.
    pub(super) fn judge(&self, session: usize, writer: usize, count: u64, updates: &mut Updates) {
        let entry = self.entries()[session * self.writers + writer];
        updates.unknown += entry.begun - entry.acknowledged;
        updates.lost += entry.acknowledged.saturating_sub(count);
        updates.doubled += count.saturating_sub(entry.begun);
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn exposed(&self) -> u64 {
        self.exposed.load(Ordering::Relaxed)
    }

    pub(super) fn locked(&self) -> u64 {
        self.locked.load(Ordering::Relaxed)
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found when the session has `count` after two updates were begun and one was
    /// acknowledged.
    fn judged(count: u64) -> (u64, u64, u64) {
        let ledger = Ledger::new(1, 1);
        for line in ["begun 0 0", "done 0 0 3", "begun 0 0"] {
            ledger.enter(line);
        }
        let mut updates = Updates {
            asked: 1,
            kills_asked: 0,
            acknowledged: ledger.acknowledged(),
            exposed: ledger.exposed(),
            kills: 0,
            unknown: 0,
            lost: 0,
            doubled: 0,
            locked: ledger.locked(),
            errors: ledger.errors(),
            took: std::time::Duration::ZERO,
        };
        ledger.judge(0, 0, count, &mut updates);
        assert_eq!((updates.acknowledged, updates.exposed), (1, 1));
        (updates.lost, updates.doubled, updates.unknown)
    }

    #[test]
    fn what_is_missing_is_lost_and_what_nobody_began_is_doubled() {
        assert_eq!(judged(0), (1, 0, 1));
        assert_eq!(judged(1), (0, 0, 1));
        assert_eq!(judged(2), (0, 0, 1));
        assert_eq!(judged(3), (0, 1, 1));
    }
}
