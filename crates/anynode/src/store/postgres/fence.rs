//! Whose history a server's answers are of, and what a change of it means.

use std::time::Duration;

use anynode_core::store::{Disk, Fence, History, Loss, Standbys};
use tokio_postgres::Row;

use super::{fault::Fault, row};

/// What a server said of itself in a poll.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    fence: Fence,
    system: i64,
    timeline: u32,
    standbys: Standbys,
}

/// What servers said of themselves so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What was said last, and when that was known, on the boot clock.
    last: Option<(Seen, Duration)>,
    standbys: Standbys,
}

// === impl Seen ===

impl Seen {
    /// How many columns [`Seen::read`] reads.
    pub(super) const COLUMNS: usize = 7;

    /// Reads the columns of `fragment::seen` from `at` on.
    ///
    /// # Errors
    /// [`Fault::Standby`] when the server is one.
    pub(super) fn read(row: &Row, at: usize) -> Result<Self, Fault> {
        if row::value(row, at, "pg_is_in_recovery")? {
            return Err(Fault::Standby);
        }
        let system: i64 = row::value(row, at + 1, "system_identifier")?;
        // The name of a segment begins with its timeline, in eight hexadecimal digits.
        let segment: &str = row::value(row, at + 2, "segment")?;
        let timeline = segment
            .get(..8)
            .and_then(|it| u32::from_str_radix(it, 16).ok());
        let timeline = timeline.ok_or(Fault::Corrupt("segment"))?;
        let position: i64 = row::value(row, at + 3, "position")?;
        Ok(Self {
            fence: Fence {
                history: History::new(format!("{system}/{timeline}")),
                position: position.cast_unsigned(),
                // Only a superuser may read where a timeline left another.
                continues: Vec::new(),
                process: History::new(row::value::<&str>(row, at + 4, "postmaster")?),
                disk: Disk::Later,
                mark: History::new(""),
            },
            system,
            timeline,
            standbys: standbys(row, at + 5)?,
        })
    }

    /// What became of the writes that were acknowledged before this, when the server says `now`
    /// what it was asked for later.
    pub(super) fn judge(&self, now: &Self) -> Loss {
        if !now.deposes(self) {
            return self.fence.judge(&now.fence);
        }
        // Nobody but a superuser may read where the new timeline began, so that nothing but
        // this says that it has everything.
        let has_all = self.standbys.all_have_all() && self.fence.position <= now.fence.position;
        match has_all {
            true => Loss::NothingLost,
            false => Loss::PerhapsLost,
        }
    }

    /// Whether this is of who was promoted after that other was the primary.
    pub(super) fn deposes(&self, other: &Self) -> bool {
        self.system == other.system && self.timeline > other.timeline
    }

    /// Whether this is of the same history and further on.
    fn is_further_than(&self, other: &Self) -> bool {
        self.fence.history == other.fence.history && self.fence.position > other.fence.position
    }
}

// === impl Known ===

impl Known {
    /// Takes note of what a server says that was asked and answered at these times. What became
    /// of what was acknowledged before?
    ///
    /// Answers on several connections pass each other. One that was asked for before the last
    /// was there says nothing of what came after, unless it is of a server promoted since.
    ///
    /// # Errors
    /// [`Fault::Deposed`] when another was promoted since.
    pub(super) fn note(
        &mut self,
        now: &Seen,
        asked: Duration,
        answered: Duration,
    ) -> Result<Loss, Fault> {
        let mut now = now.clone();
        if self
            .last
            .as_ref()
            .is_some_and(|(last, _)| last.deposes(&now))
        {
            return Err(Fault::Deposed);
        }
        now.standbys = self.hear(now.standbys);
        let Some((last, known_at)) = &mut self.last else {
            self.last = Some((now, answered));
            return Ok(Loss::Same);
        };
        if asked < *known_at && !now.deposes(last) {
            if now.is_further_than(last) {
                (*last, *known_at) = (now, answered);
            }
            return Ok(Loss::Same);
        }
        let loss = last.judge(&now);
        self.last = Some((now, answered));
        Ok(loss)
    }

    /// Takes note of what a server says of its standbys, and tells the most that is known.
    pub(super) fn hear(&mut self, said: Standbys) -> Standbys {
        self.standbys = Standbys {
            awaited: said.awaited,
            known: said.known.max(self.standbys.known),
        };
        if let Some((last, _)) = &mut self.last {
            last.standbys.known = self.standbys.known;
        }
        self.standbys
    }

    pub(super) fn standbys(&self) -> Standbys {
        self.standbys
    }
}

/// Reads the columns of `fragment::standbys` from `at` on.
pub(super) fn standbys(row: &Row, at: usize) -> Result<Standbys, Fault> {
    let known: i64 = row::value(row, at + 1, "standbys")?;
    Ok(Standbys {
        awaited: awaited(row::value(row, at, "synchronous_standby_names")?),
        known: u32::try_from(known).unwrap_or(u32::MAX),
    })
}

/// How many standbys a commit waits for: `s1, s2`, `*`, `2 (s1, s2)`, `FIRST 2 (*)` or
/// `ANY 2 (*)`.
pub(super) fn awaited(names: &str) -> u32 {
    if names.trim().is_empty() {
        return 0;
    }
    let number = names.split_once('(').and_then(|(head, _)| {
        let word = head.split_whitespace().next_back()?;
        word.parse().ok()
    });
    number.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_OF_ONE: Standbys = Standbys {
        awaited: 1,
        known: 1,
    };

    fn seen(timeline: u32, position: u64, process: &str, standbys: Standbys) -> Seen {
        Seen {
            fence: Fence {
                history: History::new(format!("7/{timeline}")),
                position,
                continues: Vec::new(),
                process: History::new(process),
                disk: Disk::Later,
                mark: History::new(""),
            },
            system: 7,
            timeline,
            standbys,
        }
    }

    fn lone(timeline: u32, position: u64, process: &str) -> Seen {
        seen(timeline, position, process, Standbys::default())
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_promoted_standby_has_everything_only_if_commits_waited_for_all_of_them() {
        let judged = |awaited, known, position| {
            let before = seen(1, 50, "a", Standbys { awaited, known });
            before.judge(&lone(2, position, "b"))
        };
        assert_eq!(judged(1, 1, 60), Loss::NothingLost);
        assert_eq!(judged(2, 2, 60), Loss::NothingLost);
        assert_eq!(judged(1, 2, 60), Loss::PerhapsLost, "an asynchronous one");
        assert_eq!(judged(0, 1, 60), Loss::PerhapsLost);
        assert_eq!(judged(0, 0, 60), Loss::PerhapsLost);
        assert_eq!(judged(1, 1, 49), Loss::PerhapsLost, "put back");
    }

    #[test]
    fn a_standby_counts_that_was_there_once() {
        let mut known = Known::default();
        let two = Standbys {
            awaited: 1,
            known: 2,
        };
        known.note(&seen(1, 50, "a", two), at(0), at(1)).unwrap();
        known
            .note(&seen(1, 51, "a", ONE_OF_ONE), at(2), at(3))
            .unwrap();
        assert_eq!(known.standbys(), two);
        let promoted = known.note(&lone(2, 60, "b"), at(4), at(5));
        assert_eq!(promoted.unwrap(), Loss::PerhapsLost);
    }

    #[test]
    fn a_restart_loses_nothing_unless_the_log_is_shorter() {
        let before = seen(1, 50, "a", ONE_OF_ONE);
        let judged = |position, process| before.judge(&lone(1, position, process));
        assert_eq!(judged(51, "a"), Loss::Same);
        assert_eq!(judged(51, "b"), Loss::NothingLost);
        assert_eq!(judged(49, "b"), Loss::PerhapsLost);
    }

    #[test]
    fn another_database_is_no_successor() {
        let mut other = lone(2, 60, "b");
        other.system = 8;
        other.fence.history = History::new("8/2");
        let before = seen(1, 50, "a", ONE_OF_ONE);
        assert_eq!(before.judge(&other), Loss::PerhapsLost);
    }

    #[test]
    fn answers_that_pass_each_other_are_no_loss() {
        let mut known = Known::default();
        let mut note = |position, asked, answered| {
            let said = lone(1, position, "a");
            known.note(&said, at(asked), at(answered)).unwrap()
        };
        assert_eq!(note(50, 10, 12), Loss::Same);
        assert_eq!(note(40, 9, 13), Loss::Same, "asked before, and told after");
        assert_eq!(note(60, 9, 16), Loss::Same, "as well, and further on");
        assert_eq!(note(55, 14, 17), Loss::Same, "asked before that was known");
        assert_eq!(note(59, 20, 21), Loss::PerhapsLost, "a machine put back");
    }

    #[test]
    fn an_answer_of_who_was_promoted_counts_whenever_it_was_asked_for() {
        let mut known = Known::default();
        known.note(&lone(1, 50, "a"), at(10), at(12)).unwrap();
        let promoted = known.note(&lone(2, 60, "b"), at(11), at(13));
        assert_eq!(promoted.unwrap(), Loss::PerhapsLost);
    }

    #[test]
    fn who_was_deposed_is_not_heard_again() {
        let mut known = Known::default();
        known.note(&lone(2, 60, "b"), at(1), at(2)).unwrap();
        let deposed = known.note(&seen(1, 70, "a", ONE_OF_ONE), at(3), at(4));
        assert!(matches!(deposed, Err(Fault::Deposed)), "{deposed:?}");
        assert_eq!(known.standbys(), Standbys::default());
    }

    #[test]
    fn as_many_standbys_are_awaited_as_the_setting_says() {
        let cases = [
            ("", 0),
            (" ", 0),
            ("*", 1),
            ("s1", 1),
            ("s1, s2", 1),
            ("2 (s1, s2, s3)", 2),
            ("FIRST 2 (*)", 2),
            ("any 3(*)", 3),
            ("\"first (one\"", 1),
        ];
        for (names, expected) in cases {
            assert_eq!(awaited(names), expected, "{names}");
        }
    }
}
