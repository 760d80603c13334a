//! Whose history a server's answers are of, and what a change of it means.

use anynode_core::store::{Disk, Fence, History, Loss};
use tokio_postgres::Row;

use super::{fault::Fault, row};

/// What a server said of itself in a poll.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    fence: Fence,
    system: i64,
    timeline: u32,
    /// Whether its commits wait for standbys.
    waits: bool,
}

// === impl Seen ===

impl Seen {
    /// How many columns [`Seen::read`] reads.
    pub(super) const COLUMNS: usize = 6;

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
            },
            system,
            timeline,
            waits: row::value(row, at + 5, "synchronous_standby_names")?,
        })
    }

    /// What became of the writes that were acknowledged before this, when the server now says
    /// `now`.
    pub(super) fn judge(&self, now: &Self) -> Loss {
        // Whoever commits with standbys loses nothing to one of them.
        let is_promoted = self.system == now.system && self.timeline < now.timeline;
        if self.waits && is_promoted {
            return Loss::NothingLost;
        }
        self.fence.judge(&now.fence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(timeline: u32, position: u64, process: &str, waits: bool) -> Seen {
        Seen {
            fence: Fence {
                history: History::new(format!("7/{timeline}")),
                position,
                continues: Vec::new(),
                process: History::new(process),
                disk: Disk::Later,
            },
            system: 7,
            timeline,
            waits,
        }
    }

    #[test]
    fn a_promoted_standby_has_everything_only_if_commits_waited_for_it() {
        let judged = |waits| seen(1, 50, "a", waits).judge(&seen(2, 60, "b", false));
        assert_eq!(judged(true), Loss::NothingLost);
        assert_eq!(judged(false), Loss::PerhapsLost);
    }

    #[test]
    fn a_restart_loses_nothing_unless_the_log_is_shorter() {
        let before = seen(1, 50, "a", true);
        assert_eq!(before.judge(&seen(1, 51, "a", true)), Loss::Same);
        assert_eq!(before.judge(&seen(1, 51, "b", true)), Loss::NothingLost);
        assert_eq!(before.judge(&seen(1, 49, "b", true)), Loss::PerhapsLost);
    }

    #[test]
    fn another_database_is_no_successor() {
        let mut other = seen(2, 60, "b", true);
        other.system = 8;
        other.fence.history = History::new("8/2");
        assert_eq!(seen(1, 50, "a", true).judge(&other), Loss::PerhapsLost);
    }
}
