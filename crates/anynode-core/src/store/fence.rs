//! Fences: whether the primary that answers now still has a write that was acknowledged.

use std::{fmt, sync::Arc};

/// What a primary says of the history of its writes, asked right after one was acknowledged or
/// after a reconnect.
///
/// A store that copies its writes asynchronously may lose the last ones when another primary
/// takes over. It cannot say which, but two fences tell whether it may have.
///
/// ```
/// # use anynode_core::store::{Continued, Fence, History, Loss};
/// let fence = |history: &str, position, continues| Fence {
///     history: History::new(history),
///     position,
///     continues,
///     process: History::new(""),
///     disk: anynode_core::store::Disk::Later,
///     mark: History::new(""),
/// };
/// let acknowledged = fence("first", 162, vec![]);
/// let promoted = |until| {
///     let history = History::new("first");
///     fence("second", 200, vec![Continued { history, until }])
/// };
/// assert_eq!(acknowledged.judge(&promoted(163)), Loss::NothingLost);
/// assert_eq!(acknowledged.judge(&promoted(100)), Loss::PerhapsLost);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The history that it writes: a replication id (Redis), or system identifier and timeline
    /// (PostgreSQL).
    pub history: History,
    /// How far it has written: an offset, or a log sequence number.
    pub position: u64,
    /// The histories that it goes on from, each with its first position that it does not have.
    pub continues: Vec<Continued>,
    /// Which start of which process it is; empty where the store does not say.
    pub process: History,
    /// Whether a restart brings back every acknowledged write.
    pub disk: Disk,
    /// The name of what its data began as, kept among the data: who starts with none, however
    /// durable it is, has another or none. Empty where nobody looked.
    pub mark: History,
}

/// The name of a history: equal names are the same sequence of writes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct History(Arc<str>);

/// The time in which one process writes one history as the primary: who takes over begins
/// another, and so does whoever starts anew or was deposed and comes back.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reign(Arc<str>);

/// A history that another one goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continued {
    /// Which.
    pub history: History,
    /// The first position that was not taken over.
    pub until: u64,
}

/// When a write that was acknowledged is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// Before it was acknowledged.
    First,
    /// Some time later, or never.
    Later,
}

/// When fences were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Before the last write whose loss matters was acknowledged.
    Before,
    /// After it.
    After,
}

/// What became of the writes that were acknowledged before a fence, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// The same primary goes on.
    Same,
    /// Another one does, or the same anew, and it has them all.
    NothingLost,
    /// Nobody can say that it has them.
    PerhapsLost,
}

// === impl Fence ===

impl Fence {
    /// What became of the writes that this fence was asked for, when the primary now says `now`.
    ///
    /// Where nothing is known of a common history the answer is [`Loss::PerhapsLost`]: a server
    /// that came back empty says just that.
    pub fn judge(&self, now: &Self) -> Loss {
        if crate::planted("fence_ignored") {
            return Loss::Same;
        }
        if self.history == now.history {
            // The same history and less of it: a copy of the machine was put back.
            return match now.position >= self.position {
                true if self.process == now.process => Loss::Same,
                true => Loss::NothingLost,
                false => Loss::PerhapsLost,
            };
        }
        if let Some(continued) = now.continued(&self.history) {
            return match continued.until > self.position {
                true => Loss::NothingLost,
                false => Loss::PerhapsLost,
            };
        }
        if now.goes_on_alone_from(self) {
            return Loss::NothingLost;
        }
        Loss::PerhapsLost
    }

    /// What became of the writes that these primaries had acknowledged, when the store now has
    /// those: the worst of all. Each write is looked for wherever it is best kept.
    pub fn judge_all(before: &[Self], now: &[Self], asked: Asked) -> Loss {
        let best = |fence: &Self| {
            let judged = now.iter().map(|now| fence.judge(now));
            judged.min().unwrap_or(Loss::PerhapsLost)
        };
        match before.iter().map(best).max().unwrap_or(Loss::Same) {
            // What it had before says nothing of what came after.
            Loss::NothingLost if asked == Asked::Before => Loss::PerhapsLost,
            loss => loss,
        }
    }

    /// What is to be kept of `now`, which was asked for while `before` was noted: a primary
    /// that acknowledged a write meanwhile is as far on as that write, and one that told the mark
    /// of its data has it still when it does not tell.
    pub fn further(before: &[Self], now: Vec<Self>) -> Vec<Self> {
        let further = |mut now: Self| {
            let same = |one: &&Self| one.history == now.history && one.process == now.process;
            if let Some(noted) = before.iter().find(same) {
                now.position = now.position.max(noted.position);
                if now.mark.is_empty() {
                    now.mark = noted.mark.clone();
                }
            }
            now
        };
        now.into_iter().map(further).collect()
    }

    /// The reign in which the primary says this of itself.
    pub fn reign(&self) -> Reign {
        Reign(format!("{}-{}", self.process.0, self.history.0).into())
    }

    fn continued(&self, history: &History) -> Option<&Continued> {
        self.continues
            .iter()
            .find(|known| known.history == *history)
    }

    /// Whether this primary continues nobody, and is the process of `before` under a new name
    /// (Redis renames the history of a primary that was without replicas for an hour), or its
    /// restart from a disk that had everything, and still has what was there before.
    fn goes_on_alone_from(&self, before: &Self) -> bool {
        let same_process = self.process == before.process && !self.process.is_empty();
        let has_data = self.mark == before.mark && !self.mark.is_empty();
        let restarted = before.disk == Disk::First && self.disk == Disk::First && has_data;
        self.continues.is_empty()
            && ((same_process && self.position >= before.position) || restarted)
    }
}

// === impl History ===

impl History {
    /// The history of this name.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// === impl Reign ===

impl Reign {
    /// The reign of this name.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Reign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reign({})", self.0)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "History({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(history: &str, position: u64) -> Fence {
        Fence {
            history: History::new(history),
            position,
            continues: Vec::new(),
            process: History::new("one"),
            disk: Disk::Later,
            mark: History::new("put there once"),
        }
    }

    fn promoted(until: u64) -> Fence {
        Fence {
            continues: vec![Continued {
                history: History::new("a"),
                until,
            }],
            process: History::new("two"),
            ..fence("b", 1_000)
        }
    }

    fn restarted(history: &str, position: u64) -> Fence {
        Fence {
            process: History::new("one, again"),
            ..fence(history, position)
        }
    }

    #[test]
    fn the_same_primary_further_on_is_the_same() {
        assert_eq!(fence("a", 5).judge(&fence("a", 5)), Loss::Same);
        assert_eq!(fence("a", 5).judge(&fence("a", 9)), Loss::Same);
    }

    #[test]
    fn the_same_history_set_back_may_have_lost_writes() {
        assert_eq!(fence("a", 5).judge(&fence("a", 4)), Loss::PerhapsLost);
        assert_eq!(fence("a", 5).judge(&restarted("a", 4)), Loss::PerhapsLost);
        assert_eq!(fence("a", 5).judge(&restarted("a", 5)), Loss::NothingLost);
    }

    #[test]
    fn a_promoted_replica_has_what_it_took_over_and_nothing_after() {
        let check = |acknowledged, until, expected| {
            let judged = fence("a", acknowledged).judge(&promoted(until));
            assert_eq!(judged, expected, "{acknowledged} {until}");
        };
        check(100, 101, Loss::NothingLost);
        check(100, 100, Loss::PerhapsLost);
        check(162, 100, Loss::PerhapsLost);
    }

    #[test]
    fn a_restart_without_persistence_may_have_lost_writes() {
        assert_eq!(fence("a", 5).judge(&restarted("b", 0)), Loss::PerhapsLost);
        assert_eq!(fence("a", 5).judge(&restarted("b", 9)), Loss::PerhapsLost);
    }

    #[test]
    fn a_restart_from_a_disk_that_had_everything_lost_nothing() {
        let durable = |fence| Fence {
            disk: Disk::First,
            ..fence
        };
        let before = durable(fence("a", 5));
        assert_eq!(before.judge(&durable(restarted("b", 0))), Loss::NothingLost);
        assert_eq!(before.judge(&restarted("b", 0)), Loss::PerhapsLost);
        let another = durable(promoted(3));
        assert_eq!(before.judge(&another), Loss::PerhapsLost, "another's disk");
    }

    /// The disk was another one: a server that writes every command to it came back with none.
    #[test]
    fn a_restart_from_a_disk_that_had_nothing_may_have_lost_writes() {
        let with = |mark: &str, fence| Fence {
            disk: Disk::First,
            mark: History::new(mark),
            ..fence
        };
        let before = with("first", fence("a", 5));
        for mark in ["", "another"] {
            let judged = before.judge(&with(mark, restarted("b", 0)));
            assert_eq!(judged, Loss::PerhapsLost, "{mark}");
        }
        let unknown = with("", fence("a", 5));
        let judged = unknown.judge(&with("", restarted("b", 0)));
        assert_eq!(judged, Loss::PerhapsLost, "nobody looked");
    }

    /// A primary was asked how far it was, a revocation that came after said a later position,
    /// and the answer to the question was then judged as less.
    #[test]
    fn a_write_that_was_noted_while_the_primary_was_asked_is_kept() {
        let kept = Fence::further(&[fence("a", 9)], vec![fence("a", 7), fence("x", 3)]);
        assert_eq!(kept, [fence("a", 9), fence("x", 3)]);
        let kept = Fence::further(&[fence("a", 9)], vec![restarted("a", 7)]);
        assert_eq!(kept, [restarted("a", 7)], "another process");
    }

    #[test]
    fn a_mark_that_is_not_told_once_is_kept() {
        let unmarked = |fence| Fence {
            mark: History::new(""),
            ..fence
        };
        let kept = Fence::further(&[fence("a", 5)], vec![unmarked(fence("a", 5))]);
        assert_eq!(kept, [fence("a", 5)]);
        let kept = Fence::further(&[fence("a", 5)], vec![unmarked(restarted("a", 5))]);
        assert_eq!(kept, [unmarked(restarted("a", 5))], "another process");
    }

    #[test]
    fn a_primary_that_renamed_its_history_lost_nothing() {
        assert_eq!(fence("a", 5).judge(&fence("b", 6)), Loss::NothingLost);
        assert_eq!(fence("a", 5).judge(&fence("b", 4)), Loss::PerhapsLost);
    }

    #[test]
    fn of_several_primaries_the_worst_counts_and_each_is_looked_for_among_all() {
        let other = fence("x", 3);
        let before = [fence("a", 100), other.clone()];
        let check = |now: &[Fence], asked, expected| {
            assert_eq!(Fence::judge_all(&before, now, asked), expected, "{now:?}");
        };
        check(&[other.clone(), fence("a", 101)], Asked::Before, Loss::Same);
        let took_over = [other.clone(), promoted(101)];
        check(&took_over, Asked::After, Loss::NothingLost);
        check(&took_over, Asked::Before, Loss::PerhapsLost);
        check(&[other, promoted(100)], Asked::After, Loss::PerhapsLost);
        check(&[promoted(101)], Asked::After, Loss::PerhapsLost);
        assert_eq!(Fence::judge_all(&[], &before, Asked::Before), Loss::Same);
    }

    #[test]
    fn a_deposed_primary_that_took_over_anothers_history_may_have_lost_writes() {
        let again = Fence {
            process: History::new("one"),
            continues: vec![Continued {
                history: History::new("of another"),
                until: 1_000,
            }],
            ..fence("c", 1_000)
        };
        assert_eq!(fence("a", 5).judge(&again), Loss::PerhapsLost);
    }
}
