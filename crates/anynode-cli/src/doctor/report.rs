//! What the doctor says: for people, and as an object for programs.

use std::fmt::{self, Formatter};

use anynode::core::{ClockKind, Deposed, Facts, Note, Verdict};
use serde::Serialize;

use crate::print::Line;
use crate::sessions::durability_word;

/// Everything that was found about a store.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    store: &'static str,
    version: &'a str,
    clock: &'static str,
    durability: &'static str,
    /// How long a deposed primary may answer; `null` when nothing bounds it.
    deposed_seconds: Option<f64>,
    points: Vec<Point<'a>>,
    #[serde(rename = "unsafe")]
    pub(super) unsafe_points: usize,
    cautions: usize,
}

#[derive(Debug, Serialize)]
struct Point<'a> {
    point: &'static str,
    found: &'a str,
    verdict: Judgement,
    why: Option<&'static str>,
    change: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Judgement {
    Safe,
    Caution,
    Unsafe,
}

// === impl Report ===

impl<'a> Report<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let points: Vec<_> = facts.notes.iter().map(Point::of).collect();
        let count = |of: Judgement| points.iter().filter(|point| point.verdict == of).count();
        Self {
            store: facts.store,
            version: &facts.version,
            clock: match facts.clock {
                ClockKind::Store => "store",
                ClockKind::Node => "node",
            },
            durability: durability_word(facts.durability),
            deposed_seconds: match facts.deposed {
                Deposed::Never => Some(0.0),
                Deposed::Within(limit) => Some(limit.as_secs_f64()),
                Deposed::Unbounded => None,
            },
            unsafe_points: count(Judgement::Unsafe),
            cautions: count(Judgement::Caution),
            points,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.store, Line(self.version))?;
        for point in &self.points {
            write!(f, "{point}")?;
        }
        let clock = match self.clock {
            "store" => "the store's",
            _ => "that of the node that asks, which has to be right to within a second",
        };
        writeln!(f, "\nclock              {clock}")?;
        writeln!(f, "revocations        {}", self.durability)?;
        match self.deposed_seconds {
            None => writeln!(f, "deposed primary    may answer without end")?,
            Some(0.0) => writeln!(f, "deposed primary    never answers")?,
            Some(seconds) => writeln!(f, "deposed primary    may answer for {seconds} s")?,
        }
        let (all, bad, weak) = (self.points.len(), self.unsafe_points, self.cautions);
        write!(f, "{all} points, {bad} unsafe, {weak} to know of")
    }
}

// === impl Point ===

impl<'a> Point<'a> {
    fn of(note: &'a Note) -> Self {
        let (verdict, why, change) = match note.verdict {
            Verdict::Safe => (Judgement::Safe, None, None),
            Verdict::Caution { why, change } => (Judgement::Caution, Some(why), Some(change)),
            Verdict::Unsafe { why, change } => (Judgement::Unsafe, Some(why), Some(change)),
        };
        Self {
            point: note.point,
            found: &note.found,
            verdict,
            why,
            change,
        }
    }
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Judgement::Safe => "ok",
            Judgement::Caution => "know",
            Judgement::Unsafe => "UNSAFE",
        };
        writeln!(f, "{mark:<7} {:<17} {}", self.point, Line(self.found))?;
        if let Some(why) = self.why {
            writeln!(f, "        because           {why}")?;
        }
        if let Some(change) = self.change {
            writeln!(f, "        change            {change}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anynode::core::Durability;

    use super::*;

    fn facts(deposed: Deposed) -> Facts {
        let note = |point, verdict| Note {
            point,
            found: "this".to_owned(),
            verdict,
        };
        let (why, change) = ("it matters", "change it");
        Facts {
            store: "redis",
            version: "7.0.15".to_owned(),
            clock: ClockKind::Store,
            durability: Durability::Quorum,
            deposed,
            notes: vec![
                note("version", Verdict::Safe),
                note("persistence", Verdict::Caution { why, change }),
                note("eviction", Verdict::Unsafe { why, change }),
            ],
        }
    }

    #[test]
    fn people_read_each_point_and_what_to_change() {
        let facts = facts(Deposed::Within(Duration::from_millis(3_500)));
        assert_eq!(
            Report::of(&facts).to_string(),
            "redis 7.0.15\n\
             ok      version           this\n\
             know    persistence       this\n\
             \x20       because           it matters\n\
             \x20       change            change it\n\
             UNSAFE  eviction          this\n\
             \x20       because           it matters\n\
             \x20       change            change it\n\
             \n\
             clock              the store's\n\
             revocations        quorum\n\
             deposed primary    may answer for 3.5 s\n\
             3 points, 1 unsafe, 1 to know of"
        );
    }

    #[test]
    fn programs_read_the_same() {
        let facts = facts(Deposed::Unbounded);
        let report = serde_json::to_value(Report::of(&facts)).unwrap();
        assert_eq!(report["deposed_seconds"], serde_json::Value::Null);
        assert_eq!(report["unsafe"], 1);
        assert_eq!(report["cautions"], 1);
        assert_eq!(report["points"][1]["verdict"], "caution");
        assert_eq!(report["points"][2]["change"], "change it");
        assert_eq!(report["points"][0]["why"], serde_json::Value::Null);
    }
}
